"""Statements: opening + movements = closing, every movement on one statement, nothing changes afterwards."""

import csv
from typing import Any

import pytest
from django.db import Error, transaction
from django.utils import timezone

from audit.actor import StaffGroup
from billing import payout_statements, statement_papers
from billing.gateway.base import Held
from billing.models import PayoutRequest, PayoutStatement, StatementLine
from core.errors import NotFound, PermissionRefused
from ledger import posting
from ledger.chart import STRIPE_FEES, organizer_payable
from ledger.posting import Entry
from organizations.models import Organization
from tests.billing.test_payout_sync import hear, transferred
from tests.factories.billing import paid_payment, requested_refund
from tests.factories.payouts import approved_payout, earning_organization, now
from tests.factories.people import personas, staff
from tests.paper import words

NOTHING = {"USD": Held(0, 0)}


@pytest.fixture
def organization(db: None) -> Organization:
    return earning_organization(amount=50_000)


def paid_out(organization: Organization, amount: int | None = None, *, currency: str = "USD") -> PayoutRequest:
    payout = transferred(approved_payout(organization, amount, currency=currency))
    hear(payout, "paid")
    return now(payout)


def written(payout: PayoutRequest, held: Any = NOTHING) -> PayoutStatement:
    made = payout_statements.write(payout_request_id=payout.pk, held=held, at=timezone.now())
    assert made is not None
    return made


def rows(statement: PayoutStatement) -> list[list[str]]:
    return list(csv.reader("".join(statement_papers.csv_rows(statement)).splitlines()))


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestWrite:
    def test_opens_where_the_last_one_closed_and_states_each_movement_once(self, organization: Organization) -> None:
        requested_refund(paid_payment(amount=9000, organization=organization), 2000)
        first = written(paid_out(organization, 30_000))
        assert payout_statements.sums(first) == [("Sales", 59_000), ("Refunds", -2000), ("Payouts", -30_000)]
        assert (first.opening, first.movements, first.closing, first.period_from) == (0, 27_000, 27_000, None)

        paid_payment(amount=4000, organization=organization)
        second = written(paid_out(organization))
        assert payout_statements.sums(second) == [("Sales", 4000), ("Payouts", -31_000)]
        assert (second.opening, second.closing, second.period_from) == (27_000, 0, first.period_to)

    def test_keeps_currencies_and_organizations_apart(self, organization: Organization) -> None:
        paid_payment(amount=7000, currency="JPY", organization=organization)
        earning_organization(amount=1234)
        assert written(paid_out(organization)).movements == 0

    def test_is_made_once_for_each_try(self, organization: Organization) -> None:
        payout = paid_out(organization)
        assert written(payout).pk == written(payout).pk
        assert PayoutStatement.objects.count() == 1

    def test_is_not_made_of_what_was_not_paid(self, organization: Organization) -> None:
        payout = approved_payout(organization)
        assert payout_statements.write(payout_request_id=payout.pk, held=NOTHING, at=timezone.now()) is None
        assert not StatementLine.objects.exists()

    def test_names_a_correction_by_hand_and_what_it_cannot_explain(self, organization: Organization) -> None:
        entries = [Entry(organizer_payable(organization.pk), 500), Entry(STRIPE_FEES, -500)]
        posting.post(reference="adjustment:1", description="By hand", currency="USD", entries=entries, occurred_at=timezone.now())
        statement = written(paid_out(organization, 20_000), {"USD": Held(70, 5)})

        assert ("Corrections", -500) in payout_statements.sums(statement)
        assert statement.residual == 75
        assert rows(statement)[-1] == ["", "Held at Stripe, not explained yet", "", "", "0.75"]

    def test_has_nothing_to_compare_with_where_stripe_refuses(self, organization: Organization) -> None:
        assert written(paid_out(organization), None).residual == 0

    def test_is_never_changed(self, organization: Organization) -> None:
        statement = written(paid_out(organization))
        for rows_ in (PayoutStatement.objects.filter(pk=statement.pk), statement.lines.all()):
            with pytest.raises(Error, match=r"append_only|Cannot"), transaction.atomic():
                rows_.delete()
        with pytest.raises(Error, match=r"append_only|Cannot"), transaction.atomic():
            PayoutStatement.objects.filter(pk=statement.pk).update(residual=1)


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestPapers:
    @pytest.mark.parametrize(
        ("currency", "opening", "sale"), [("USD", "0.00", "500.00"), ("JPY", "0", "50000"), ("KWD", "0.000", "50.000")]
    )
    def test_csv_adds_up_in_major_units(self, currency: str, opening: str, sale: str) -> None:
        organization = earning_organization(amount=50_000, currency=currency)
        found = rows(written(paid_out(organization, currency=currency), {}))

        assert found[0] == ["Date", "What", "Reference", "Description", f"Amount {currency}"]
        assert found[1] == ["", "Opening", "", "", opening]
        assert [row[4] for row in found[2:]] == [sale, f"-{sale}", opening]
        assert [row[1] for row in found[2:]] == ["Sales", "Payouts", "Closing"]

    def test_csv_holds_no_formula(self, organization: Organization) -> None:
        entries = [Entry(organizer_payable(organization.pk), 500), Entry(STRIPE_FEES, -500)]
        posting.post(reference="adjustment:2", description="=1+1", currency="USD", entries=entries, occurred_at=timezone.now())

        assert "'=1+1" in [row[3] for row in rows(written(paid_out(organization, 20_000)))]

    def test_pdf_says_the_same_and_is_the_same_each_time(self, organization: Organization) -> None:
        statement = written(paid_out(organization, 30_000), {"USD": Held(5, 0)})
        pdf = statement_papers.pdf(statement)

        said = words(pdf)
        for part in ("Payout statement", organization.name, "Opening 0.00 USD", "Payouts -300.00 USD", "Closing 200.00 USD", "0.05 USD"):
            assert part in said
        assert statement_papers.pdf(statement) == pdf


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestFind:
    def test_is_for_admins_and_finance(self) -> None:
        people = personas()
        paid_payment(amount=50_000, organization=people.organization)
        earning_organization()
        payout = paid_out(people.organization)
        with pytest.raises(NotFound):
            payout_statements.find(payout_request_id=payout.pk, by=people.as_alice)
        statement = written(payout)

        for by in (people.as_alice, staff(StaffGroup.FINANCE), staff(StaffGroup.AUDITOR)):
            assert payout_statements.find(payout_request_id=payout.pk, by=by) == statement
        for by, error in [(people.as_bob, NotFound), (people.as_charlie, NotFound), (staff(StaffGroup.SUPPORT), PermissionRefused)]:
            with pytest.raises(error):
                payout_statements.find(payout_request_id=payout.pk, by=by)
