"""Asking for a payout: what is allowed, what is refused, and that no money moves by asking."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing import connect, payout_requests
from billing.models import ConnectedAccount, PayoutRequest
from core.errors import DomainError, InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.models import Job
from ledger.models import LedgerTransaction
from organizations.models import Organization
from tests.factories.accounts import usable_account
from tests.factories.billing import SYSTEM, finance, paid_payment
from tests.factories.organizations import OrganizationFactory
from tests.factories.payouts import approved_payout, earning_organization, now, requested_payout
from tests.factories.people import actor, personas, staff

State = PayoutRequest.State


@pytest.fixture
def organization(db: None) -> Organization:
    return earning_organization(amount=50_000)


def refused(organization: Organization, amount: int | None = None, **values: Any) -> DomainError:
    before = PayoutRequest.objects.count()
    with pytest.raises(DomainError) as error:
        requested_payout(organization, amount, **values)
    assert PayoutRequest.objects.count() == before
    return error.value


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestRequest:
    def test_takes_all_that_is_available_and_moves_nothing(self, organization: Organization) -> None:
        posted, by = LedgerTransaction.objects.count(), finance()
        payout = requested_payout(organization, by=by)

        assert (payout.state, payout.amount, payout.currency) == (State.REQUESTED, 50_000, "USD")
        assert (payout.requested_by_id, payout.approved_by_id, payout.above_limit) == (by.user_id, None, False)
        assert LedgerTransaction.objects.count() == posted
        entry = AuditEntry.objects.get(action="payout.requested")
        assert (entry.organization_id, entry.after["amount"]) == (organization.pk, 50_000)

    def test_has_stripe_asked_what_it_holds(self, organization: Organization) -> None:
        requested_payout(organization)
        assert Job.objects.filter(name="billing.stripe_balances.read").count() == 2

    @pytest.mark.rule("M14")
    def test_goes_to_the_account_of_the_organization_that_earned_it_and_to_no_other(self) -> None:
        people = personas()
        team, own = people.organization, OrganizationFactory(kind="personal")
        ConnectedAccount.objects.filter(organization=team).delete()
        usable_account(own)
        paid_payment(amount=50_000, organization=team)

        assert isinstance(refused(team), payout_requests.PayoutsNotUsable)
        assert isinstance(refused(own), payout_requests.BelowMinimum)

    @pytest.mark.parametrize(
        ("currency", "amount", "minimum"), [("USD", 999, "10.00 USD"), ("JPY", 999, "1,000 JPY"), ("KWD", 9990, "10.000 KWD")]
    )
    def test_refuses_less_than_is_worth_its_way(self, currency: str, amount: int, minimum: str) -> None:
        organization = earning_organization(amount=50_000, currency=currency)
        refusal = refused(organization, amount, currency=currency)

        assert isinstance(refusal, payout_requests.BelowMinimum)
        assert str(refusal) == f"A payout is at least {minimum}."
        assert refusal.details == {"minimum": amount + (10 if currency == "KWD" else 1), "currency": currency}

    def test_knows_a_minimum_for_every_currency(self) -> None:
        assert [str(payout_requests.minimum(one)) for one in ("CHF", "KRW", "BHD")] == ["10.00 CHF", "10 KRW", "10.000 BHD"]

    def test_refuses_more_than_is_available(self, organization: Organization) -> None:
        refusal = refused(organization, 50_001)

        assert isinstance(refusal, payout_requests.ExceedsAvailable)
        assert refusal.details == {"requested": 50_001, "available": 50_000, "currency": "USD"}

    @pytest.mark.parametrize(("currency", "amount"), [("USD", -5), ("KWD", 20_005)])
    def test_refuses_amounts_that_do_not_exist(self, currency: str, amount: int) -> None:
        assert isinstance(refused(earning_organization(currency=currency), amount, currency=currency), InvalidInput)

    def test_refuses_a_currency_that_does_not_exist_or_has_no_bank_account(self, organization: Organization) -> None:
        assert isinstance(refused(organization, currency="XXX"), InvalidInput)
        refusal = refused(organization, currency="CHF")

        assert str(refusal) == "The payout account has no bank account in CHF; add one on Stripe's pages."

    def test_leaves_what_cannot_be_paid_out_in_whole_units(self) -> None:
        organization = OrganizationFactory()
        usable_account(organization, ["HUF"])
        paid_payment(amount=123_456, currency="HUF", organization=organization)

        assert requested_payout(organization, currency="HUF").amount == 123_400

    def test_is_one_at_a_time_for_each_currency(self, organization: Organization) -> None:
        first = requested_payout(organization, 2000)
        refusal = refused(organization, 2000)
        assert isinstance(refusal, payout_requests.PayoutAlreadyOpen)
        assert refusal.details == {"payout": first.public_id}

        paid_payment(amount=9000, currency="EUR", organization=organization)
        assert requested_payout(organization, currency="EUR").amount == 9000

    def test_is_one_at_a_time_by_the_database_too(self, organization: Organization) -> None:
        first = requested_payout(organization, 2000)
        with pytest.raises(IntegrityError, match="payout_one_open"), transaction.atomic():
            PayoutRequest.objects.create(organization=organization, account=first.account, amount=1, currency="USD", source="api")

    def test_answers_the_same_dialog_with_the_same_payout(self, organization: Organization) -> None:
        first = requested_payout(organization, 2000, request_token="dialog-1")
        assert requested_payout(organization, 2000, request_token="dialog-1").pk == first.pk
        assert requested_payout(organization, request_token="dialog-1").pk == first.pk

        assert isinstance(refused(organization, 3000, request_token="dialog-1"), payout_requests.PayoutTokenReused)
        assert isinstance(refused(earning_organization(), 2000, request_token="dialog-1"), payout_requests.PayoutTokenReused)

    def test_takes_no_other_conflict_for_a_token_used_before(self, organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
        requested_payout(organization, 2000, request_token="dialog-1")
        monkeypatch.setattr(payout_requests, "_guarded_amount", lambda *_: 2000)  # as if no guard had seen the first
        for token in ("dialog-2", None):
            with pytest.raises(IntegrityError, match="payout_one_open"), transaction.atomic():
                requested_payout(organization, 2000, request_token=token)

    def test_says_what_is_missing_at_stripe(self) -> None:
        organization = OrganizationFactory()
        assert str(refused(organization)).startswith("Set up payouts first")

        account = connect.begin(organization_id=organization.pk, by=SYSTEM)
        assert str(refused(organization)).startswith("Set up payouts first")
        usable_account(organization, payouts_enabled=False, requirements={"currently_due": ["external_account"]})
        refusal = refused(organization)
        assert str(refusal) == "Stripe does not pay this account out yet; finish the set-up on Stripe's pages."
        assert refusal.details == {"currency": "USD", "missing": ["external_account"]}

        connect.deauthorize(stripe_account_id=f"acct_{organization.pk.hex}", at=account.created_at, by=SYSTEM)
        assert "taken away" in str(refused(organization))


@pytest.mark.gap("2.1", "10.4")
@pytest.mark.django_db
class TestWho:
    def test_admins_and_finance_may_ask_nobody_else(self) -> None:
        people = personas()
        paid_payment(amount=50_000, organization=people.organization)
        for by, error in [
            (people.as_bob, PermissionRefused),
            (people.as_charlie, NotFound),
            (staff(StaffGroup.SUPPORT), PermissionRefused),
            (actor(people.alice, organization=people.organization, stepped_up=False), StepUpRequired),
        ]:
            with pytest.raises(error):
                requested_payout(people.organization, by=by)
        assert not PayoutRequest.objects.exists()

        assert requested_payout(people.organization, by=people.as_alice).requested_by_id == people.alice.pk


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestCancel:
    def test_gives_the_amount_free_again(self, organization: Organization) -> None:
        payout = requested_payout(organization)
        payout_requests.cancel(payout_request_id=payout.pk, by=finance())

        assert now(payout).state == State.CANCELLED
        assert requested_payout(organization).amount == 50_000

    def test_refuses_once_it_was_decided(self, organization: Organization) -> None:
        payout = approved_payout(organization)
        with pytest.raises(payout_requests.PayoutNotWaiting):
            payout_requests.cancel(payout_request_id=payout.pk, by=finance())
        assert now(payout).state == State.APPROVED

    def test_is_for_those_who_may_ask(self) -> None:
        people = personas()
        paid_payment(amount=50_000, organization=people.organization)
        payout = requested_payout(people.organization)
        for by, error in [(people.as_bob, NotFound), (people.as_charlie, NotFound), (staff(StaffGroup.AUDITOR), PermissionRefused)]:
            with pytest.raises(error):
                payout_requests.cancel(payout_request_id=payout.pk, by=by)
        assert now(payout).state == State.REQUESTED
