"""What a sale costs: fees, tax, limits, and parts that add up."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing import postings
from billing.models import FeeSchedule, Payment, PaymentLine, TaxRate
from billing.quoting import MAXIMUM_CHARGE, Quote, QuoteLine, TotalAboveMaximum, TotalBelowMinimum, minimum_charge, quote
from core.errors import InvalidInput
from core.money import Money, step
from organizations.models import Organization
from tests.factories.billing import finance
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import personas
from tests.sizes import SIZES

AT = datetime(2026, 6, 15, 12, tzinfo=UTC)


def quoted(organization: Organization, price: int, currency: str = "USD", **more: Any) -> Quote:
    return quote(organization=organization, price=price, currency=currency, description="Ethics", at=more.pop("at", AT), **more)


def amounts(found: Quote) -> list[tuple[str, int, str]]:
    return [(line.kind, line.amount, line.payer) for line in found.lines]


@pytest.fixture
def organization(db: None) -> Organization:
    made: Organization = OrganizationFactory.create()
    return made


def fees(**values: Any) -> FeeSchedule:
    return FeeSchedule.objects.create(
        **{
            "currency": "USD",
            "service_basis_points": 500,
            "service_fixed": 50,
            "processing_basis_points": 290,
            "processing_fixed": 30,
            **values,
        }
    )


def tax(**values: Any) -> TaxRate:
    return TaxRate.objects.create(**{"jurisdiction": "DE", "name": "VAT", "basis_points": 1900, "starts_on": date(2026, 1, 1), **values})


@pytest.mark.gap("9.7")
class TestFees:
    def test_are_none_without_a_schedule(self, organization: Organization) -> None:
        found = quoted(organization, 5000)
        assert (amounts(found), found.total) == ([("price", 5000, "attendee")], Money(5000, "USD"))

    def test_come_on_top_where_the_attendee_pays_them(self, organization: Organization) -> None:
        fees()
        found = quoted(organization, 5000)
        assert amounts(found)[1:] == [("service_fee", 300, "attendee"), ("processing_fee", 175, "attendee")]
        assert found.total == Money(5475, "USD")

    def test_come_out_of_the_price_where_the_organizer_pays_them(self, organization: Organization) -> None:
        fees(payer="organizer")
        found = quoted(organization, 5000)
        assert amounts(found)[1:] == [("service_fee", 300, "organizer"), ("processing_fee", 175, "organizer")]
        assert found.total == Money(5000, "USD")

    def test_never_take_more_than_the_price_from_an_organizer(self, organization: Organization) -> None:
        fees(payer="organizer", service_fixed=40, processing_fixed=100)
        assert amounts(quoted(organization, 60))[1:] == [("service_fee", 43, "organizer"), ("processing_fee", 17, "organizer")]
        fees(organization=organization, payer="organizer", service_basis_points=10_000, service_fixed=0)
        assert amounts(quoted(organization, 60))[1:] == [("service_fee", 60, "organizer")]

    def test_leave_room_for_tax_that_the_price_holds(self, organization: Organization) -> None:
        fees(payer="organizer", service_basis_points=10_000)
        tax(inclusive=True)
        found = quoted(organization, 11_900, jurisdiction="DE")
        assert amounts(found)[1:] == [("service_fee", 10_000, "organizer"), ("tax", 1900, "attendee")]

    def test_go_in_the_currencys_steps(self, organization: Organization) -> None:
        fees(currency="KWD", service_fixed=25, processing_fixed=24)
        assert [amount for _, amount, _ in amounts(quoted(organization, 10_010, "KWD"))] == [10_010, 530, 310]

    def test_come_from_the_most_specific_schedule(self, organization: Organization) -> None:
        other = OrganizationFactory.create()
        plain = {"service_fixed": 0, "processing_basis_points": 0, "processing_fixed": 0}

        def service_fee() -> int:
            return sum(amount for kind, amount, _ in amounts(quoted(organization, 10_000)) if kind == "service_fee")

        fees(organization=other, service_basis_points=900, **plain)
        assert service_fee() == 0
        fees(currency="", service_basis_points=100, **plain)
        assert service_fee() == 100
        fees(service_basis_points=200, **plain)
        fees(currency="EUR", service_basis_points=900, **plain)
        assert service_fee() == 200
        fees(organization=organization, currency="", service_basis_points=300, **plain)
        assert service_fee() == 300
        fees(organization=organization, service_basis_points=400, **plain)
        assert service_fee() == 400

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"currency": "", "service_fixed": 1}, "fee_fixed_needs_currency"),
            ({"service_basis_points": 10_001}, "fee_at_most_all"),
            ({"processing_basis_points": 10_001}, "fee_at_most_all"),
        ],
    )
    def test_are_bounded_by_the_database(self, organization: Organization, values: dict[str, Any], constraint: str) -> None:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            fees(**values)

    def test_have_one_schedule_for_each_place(self, organization: Organization) -> None:
        fees()
        with pytest.raises(IntegrityError, match="fee_schedule_once"), transaction.atomic():
            fees()
        assert str(fees(organization=organization)) == f"{organization.name} USD"
        assert str(FeeSchedule.objects.get(organization=None)) == "Platform USD"


class TestVisibleTo:
    def test_shows_rates_to_staff_only(self, organization: Organization) -> None:
        fees()
        tax()
        people = personas()
        for rows in (FeeSchedule.objects.all(), TaxRate.objects.all()):
            assert rows.visible_to(finance()).count() == 1
            assert rows.visible_to(people.as_alice).count() == 0


class TestTax:
    def test_is_added_to_price_and_fees(self, organization: Organization) -> None:
        fees()
        tax()
        found = quoted(organization, 5000, jurisdiction="DE")
        assert found.lines[-1] == QuoteLine("tax", "VAT", 1040, jurisdiction="DE", basis_points=1900)  # 5475 × 19 % = 1040.25
        assert (found.total, found.tax_note) == (Money(6515, "USD"), "VAT 19 % is added.")

    def test_is_part_of_the_price_where_the_rate_says_so(self, organization: Organization) -> None:
        tax(inclusive=True)
        found = quoted(organization, 11_900, jurisdiction="DE")
        assert found.lines[-1] == QuoteLine("tax", "VAT", 1900, jurisdiction="DE", inclusive=True, basis_points=1900)
        assert (found.total, found.tax_note) == (Money(11_900, "USD"), "VAT 19 % is included.")

    def test_is_none_without_a_row_and_the_quote_says_so(self, organization: Organization) -> None:
        tax()
        assert quoted(organization, 5000, jurisdiction="FR").tax_note == "No tax is charged in FR."
        assert quoted(organization, 5000).tax_note == "No tax is charged."
        assert quoted(organization, 5000, jurisdiction="DE", tax_category="education").total == Money(5000, "USD")

    def test_is_not_taken_from_fees_that_the_organizer_pays(self, organization: Organization) -> None:
        fees(payer="organizer")
        tax()
        assert quoted(organization, 5000, jurisdiction="DE").total == Money(5950, "USD")

    @pytest.mark.parametrize(("on", "points"), [("2025-12-31", None), ("2026-01-01", 1900), ("2026-06-30", 1900), ("2026-07-01", 1600)])
    def test_follows_the_calendar(self, organization: Organization, on: str, points: int | None) -> None:
        tax(ends_on=date(2026, 6, 30))
        tax(basis_points=1600, starts_on=date(2026, 7, 1))
        found = quoted(organization, 10_000, jurisdiction="DE", at=datetime.fromisoformat(on).replace(tzinfo=UTC) + timedelta(hours=23))
        assert found.total.amount - 10_000 == (points or 0)

    def test_leaves_out_a_line_that_rounds_to_nothing(self, organization: Organization) -> None:
        tax(basis_points=1)
        assert [kind for kind, _, _ in amounts(quoted(organization, 100, jurisdiction="DE"))] == ["price"]

    def test_is_bounded_by_the_database(self, organization: Organization) -> None:
        for values, constraint in (
            ({"basis_points": 0}, "tax_rate_percent"),
            ({"basis_points": 10_001}, "tax_rate_percent"),
            ({"ends_on": date(2025, 1, 1)}, "tax_rate_ends_after_start"),
        ):
            with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
                tax(**values)
        assert str(tax()) == "VAT 19 % (DE)"


class TestLimits:
    @pytest.mark.parametrize(("currency", "price"), [("USD", 49), ("JPY", 49), ("KWD", 190), ("GBP", 29), ("SEK", 49)])
    def test_refuse_what_no_card_payment_can_be(self, organization: Organization, currency: str, price: int) -> None:
        with pytest.raises(TotalBelowMinimum) as refused:
            quoted(organization, price, currency)
        assert (refused.value.minimum, refused.value.http_status) == (minimum_charge(currency), 409)
        assert quoted(organization, minimum_charge(currency).amount, currency).total == minimum_charge(currency)

    def test_refuse_more_than_one_payment_can_be(self, organization: Organization) -> None:
        assert quoted(organization, MAXIMUM_CHARGE).total.amount == MAXIMUM_CHARGE
        with pytest.raises(TotalAboveMaximum):
            quoted(organization, MAXIMUM_CHARGE + 1)

    @pytest.mark.parametrize(("currency", "price"), [("USD", -1), ("KWD", 1005), ("ISK", 150)])
    def test_refuse_a_price_that_cannot_be(self, organization: Organization, currency: str, price: int) -> None:
        with pytest.raises(InvalidInput) as refused:
            quoted(organization, price, currency)
        assert refused.value.details == {"field": "price"}

    def test_let_free_be_free(self, organization: Organization) -> None:
        fees()
        tax()
        found = quoted(organization, 0, jurisdiction="DE")
        assert (found.lines, found.total, found.is_free, found.tax_note) == ((), Money(0, "USD"), True, "Free of charge.")
        assert not quoted(organization, 5000).is_free


POINTS = st.integers(0, 10_000)
FIXED = st.integers(0, 5000)


@pytest.mark.gap("9.7")
@pytest.mark.rule("M7")
@pytest.mark.django_db
class TestParts:
    @hypothesis_settings(max_examples=SIZES.hypothesis_examples, deadline=None)
    @given(
        units=st.integers(50, 20_000),
        currency=st.sampled_from(["USD", "JPY", "KWD", "ISK"]),
        points=st.tuples(POINTS, POINTS),
        fixed=st.tuples(FIXED, FIXED),
        payer=st.sampled_from(["attendee", "organizer"]),
        rate=st.integers(0, 10_000),
        inclusive=st.booleans(),
    )
    def test_add_up_and_are_never_negative(
        self, units: int, currency: str, points: tuple[int, int], fixed: tuple[int, int], payer: str, rate: int, inclusive: bool
    ) -> None:
        with transaction.atomic():
            organization = OrganizationFactory.create()
            fees(
                organization=organization,
                currency=currency,
                payer=payer,
                service_basis_points=points[0],
                service_fixed=fixed[0],
                processing_basis_points=points[1],
                processing_fixed=fixed[1],
            )
            if rate:
                tax(basis_points=rate, inclusive=inclusive)
            found = quoted(organization, units * step(currency) * 4, currency, jurisdiction="DE")
            transaction.set_rollback(True)

        lines = [
            PaymentLine(kind=line.kind, payer=line.payer, amount=line.amount, jurisdiction=line.jurisdiction, inclusive=line.inclusive)
            for line in found.lines
        ]
        payment = Payment(organization=organization, amount=found.total.amount, currency=currency)
        parts = postings.earnings(payment, lines)
        assert sum(amount for _, amount in parts) == found.total.amount
        assert all(amount >= 0 and amount % step(currency) == 0 for _, amount in parts)
        assert sum(entry.amount for entry in postings.payment_captured(payment, lines)) == 0
        on_top = sum(line.amount for line in found.lines if line.payer == "attendee" and not line.inclusive)
        assert found.total.amount == on_top
