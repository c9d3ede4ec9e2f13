"""What a code takes off, and what is left to pay: parts that add up, in every currency's steps."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing import postings
from billing.models import FeeSchedule, Payment, PaymentLine, TaxRate
from billing.quoting import Discount, TotalBelowMinimum, quote
from core.errors import InvalidInput
from core.money import Money, step
from organizations.models import Organization
from promo_codes.discounts import discount
from promo_codes.models import PromoCode
from tests.factories.organizations import OrganizationFactory
from tests.sizes import SIZES

AT = datetime(2026, 6, 15, 12, tzinfo=UTC)
CURRENCIES = ["USD", "JPY", "KWD", "ISK"]


def percent(points: int, cap: int | None = None) -> PromoCode:
    return PromoCode(kind="percent", basis_points=points, cap_amount=cap)


class TestDiscount:
    @pytest.mark.parametrize(
        ("points", "cap", "price", "currency", "off"),
        [
            (2000, None, 5000, "USD", 1000),
            (3333, None, 1000, "USD", 333),
            (3335, None, 1000, "USD", 334),  # half up
            (2000, 500, 5000, "USD", 500),
            (10_000, None, 4999, "USD", 4999),
            (1500, None, 999, "JPY", 150),
            (1234, None, 10_010, "KWD", 1240),
            (3333, None, 1000, "ISK", 300),
            (10_000, 555, 10_000, "KWD", 550),  # a cap ends in the currency's step too
            (1, None, 10, "JPY", 0),
        ],
    )
    def test_of_a_percentage(self, points: int, cap: int | None, price: int, currency: str, off: int) -> None:
        assert discount(percent(points, cap), price=price, currency=currency) == off

    def test_of_an_amount_ends_at_the_price(self) -> None:
        code = PromoCode(kind="fixed", amount=1500, currency="USD")
        assert [discount(code, price=price, currency="USD") for price in (5000, 1500, 1000)] == [1500, 1500, 1000]

    @given(st.integers(1, 10_000), st.integers(1, 10_000), st.one_of(st.none(), st.integers(1, 10_000)), st.sampled_from(CURRENCIES))
    def test_is_never_negative_never_above_price_or_cap(self, units: int, points: int, cap: int | None, currency: str) -> None:
        price = units * step(currency)
        off = discount(percent(points, cap and cap * step(currency)), price=price, currency=currency)
        assert 0 <= off <= price
        assert off % step(currency) == 0
        assert cap is None or off <= cap * step(currency)


@pytest.fixture
def organization(db: None) -> Organization:
    made: Organization = OrganizationFactory.create()
    return made


def fees(organization: Organization, currency: str = "USD", **values: Any) -> None:
    FeeSchedule.objects.create(organization=organization, currency=currency, **values)


class TestQuote:
    def quoted(self, organization: Organization, off: int, price: int = 10_000, **more: Any) -> Any:
        given = {"organization": organization, "price": price, "currency": "USD", "description": "Ethics", "at": AT, **more}
        return quote(**given, discount=Discount("Promo code SPRING", off))

    def test_takes_fees_and_tax_of_what_is_left(self, organization: Organization) -> None:
        fees(organization, service_basis_points=1000, service_fixed=50)
        TaxRate.objects.create(jurisdiction="DE", name="VAT", basis_points=1900, starts_on="2026-01-01")
        found = self.quoted(organization, 2000, jurisdiction="DE")

        amounts = [(line.kind, line.amount) for line in found.lines]
        assert amounts == [("price", 10_000), ("discount", -2000), ("service_fee", 850), ("tax", 1682)]  # 8850 × 19 % = 1681.5
        assert found.total == Money(10_532, "USD")

    def test_is_free_without_fees_where_nothing_is_left(self, organization: Organization) -> None:
        fees(organization, service_fixed=50)
        found = self.quoted(organization, 10_000)
        assert found.is_free
        assert [(line.kind, line.amount) for line in found.lines] == [("price", 10_000), ("discount", -10_000)]

    def test_refuses_what_a_card_cannot_pay_and_what_is_no_discount(self, organization: Organization) -> None:
        with pytest.raises(TotalBelowMinimum):
            self.quoted(organization, 9960)
        for off in (0, -1, 10_001):
            with pytest.raises(InvalidInput):
                self.quoted(organization, off)
        with pytest.raises(InvalidInput):
            quote(
                organization=organization,
                price=10_000,
                currency="KWD",
                description="Ethics",
                at=AT,
                discount=Discount("Promo code", 1005),
            )


@pytest.mark.gap("9.7")
@pytest.mark.gap("9.2")
@pytest.mark.django_db
class TestParts:
    @hypothesis_settings(max_examples=SIZES.hypothesis_examples, deadline=None)
    @given(
        units=st.integers(50, 20_000),
        currency=st.sampled_from(CURRENCIES),
        points=st.integers(1, 10_000),
        fee=st.tuples(st.integers(0, 10_000), st.integers(0, 5000)),
        payer=st.sampled_from(["attendee", "organizer"]),
        rate=st.integers(0, 10_000),
        inclusive=st.booleans(),
        first=st.integers(0, 10**6),
    )
    def test_add_up_and_are_never_negative_and_refunds_close_them(
        self, units: int, currency: str, points: int, fee: tuple[int, int], payer: str, rate: int, inclusive: bool, first: int
    ) -> None:
        price = units * step(currency) * 4
        off = discount(percent(points), price=price, currency=currency)
        with transaction.atomic():
            organization = OrganizationFactory.create()
            fees(organization, currency, payer=payer, service_basis_points=fee[0], service_fixed=fee[1])
            if rate:
                TaxRate.objects.create(jurisdiction="DE", name="VAT", basis_points=rate, starts_on="2026-01-01", inclusive=inclusive)
            given = {"organization": organization, "price": price, "currency": currency, "description": "Ethics", "at": AT}
            try:
                found = quote(**given, jurisdiction="DE", discount=Discount("Promo code", off) if off else None)
            except TotalBelowMinimum:
                found = None
            transaction.set_rollback(True)
        if found is None:
            return
        mine = [line for line in found.lines if line.payer == "attendee" and not line.inclusive]
        assert found.total.amount == sum(line.amount for line in mine) >= 0
        lines = [PaymentLine(kind=one.kind, payer=one.payer, amount=one.amount, jurisdiction=one.jurisdiction, inclusive=one.inclusive)
                 for one in found.lines]  # fmt: skip
        payment = Payment(organization=organization, amount=found.total.amount, currency=currency)
        parts = postings.earnings(payment, lines)
        assert sum(amount for _, amount in parts) == found.total.amount
        assert all(amount >= 0 and amount % step(currency) == 0 for _, amount in parts)
        if not found.is_free:
            self.closes(payment, lines, first % found.total.amount)

    def closes(self, payment: Payment, lines: list[PaymentLine], first: int) -> None:
        """Two refunds that give everything back leave nothing on any account."""
        held: dict[Any, int] = {}
        for live in (first, payment.amount):
            for entry in postings.refund_shares(payment, lines, live=live, held=held):
                held[entry.account] = held.get(entry.account, 0) + entry.amount
        assert held == dict(postings.earnings(payment, lines))
