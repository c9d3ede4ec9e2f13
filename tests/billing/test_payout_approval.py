"""Finance decides about payouts: what was available is kept, a second person where it is much, and every refusal changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from audit.actor import Actor
from billing import connect, earnings, payout_approval, payout_requests
from billing.models import PayoutRequest, StripeBalance
from core.errors import DomainError, InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.models import Job
from ledger import posting
from ledger.chart import STRIPE_FEES, organizer_payable
from ledger.posting import Entry
from organizations.models import Organization
from tests.factories.billing import SYSTEM, finance, paid_payment, requested_refund
from tests.factories.payouts import approved_payout, earning_organization, now, read_balances, requested_payout
from tests.factories.people import actor, personas

State = PayoutRequest.State
type Decide = Callable[..., PayoutRequest]
DECISIONS: list[tuple[Decide, dict[str, Any]]] = [
    (payout_approval.approve, {}),
    (payout_approval.reject, {"why": "Wrong account."}),
    (payout_approval.hold, {"why": "Wait."}),
    (payout_approval.release, {}),
    (payout_approval.retry, {}),
]


@pytest.fixture
def organization(db: None) -> Organization:
    return earning_organization(amount=50_000)


def submissions() -> int:
    return Job.objects.filter(name="billing.payout_submission.submit").count()


def refused(decide: Decide, payout: PayoutRequest, *, by: Actor | None = None, **values: Any) -> DomainError:
    before = (now(payout).state, submissions())
    with pytest.raises(DomainError) as error:
        decide(payout_request_id=payout.pk, by=by or finance(), **values)
    assert (now(payout).state, submissions()) == before
    return error.value


def owe(organization: Organization) -> None:
    """Something took more than the organization had, by one minor unit."""
    payable = earnings.balance(organization.pk, "USD", at=timezone.now()).payable
    entries = [Entry(organizer_payable(organization.pk), payable + 1), Entry(STRIPE_FEES, -payable - 1)]
    posting.post(reference="test:owe", description="Taken", currency="USD", entries=entries, occurred_at=timezone.now())


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestApprove:
    def test_queues_it_and_keeps_what_was_available(self, organization: Organization) -> None:
        payout, by = requested_payout(organization, 20_000), finance()
        payout_approval.approve(payout_request_id=payout.pk, by=by)

        payout = now(payout)
        assert (payout.state, payout.approved_by_id, payout.available_at_approval) == (State.APPROVED, by.user_id, 50_000)
        assert submissions() == 1

    def test_refuses_what_is_no_longer_available(self, organization: Organization) -> None:
        payment = paid_payment(amount=10_000, organization=organization)
        payout = requested_payout(organization)
        requested_refund(payment, 4000)

        refusal = refused(payout_approval.approve, payout)
        assert isinstance(refusal, payout_requests.ExceedsAvailable)
        assert refusal.details == {"requested": 60_000, "available": 56_000, "currency": "USD"}

    def test_refuses_more_than_stripe_can_send(self, organization: Organization) -> None:
        payout = requested_payout(organization)
        read_balances(available=49_999)
        assert isinstance(refused(payout_approval.approve, payout), payout_requests.ExceedsAvailable)

    def test_waits_until_stripes_balance_was_read(self, organization: Organization) -> None:
        payout = requested_payout(organization)
        StripeBalance.objects.all().delete()

        assert isinstance(refused(payout_approval.approve, payout), payout_approval.StripeBalanceUnread)

    def test_refuses_while_the_organization_owes_money(self, organization: Organization) -> None:
        payout = requested_payout(organization)
        owe(organization)

        refusal = refused(payout_approval.approve, payout)
        assert isinstance(refusal, payout_requests.NegativeBalance)
        assert refusal.details == {"owed": 1, "currency": "USD"}

        payout_requests.cancel(payout_request_id=payout.pk, by=finance())
        with pytest.raises(payout_requests.NegativeBalance):
            requested_payout(organization)

    def test_refuses_once_the_account_was_taken_away(self, organization: Organization) -> None:
        payout = requested_payout(organization)
        connect.deauthorize(stripe_account_id=f"acct_{organization.pk.hex}", at=payout.created_at, by=SYSTEM)
        assert isinstance(refused(payout_approval.approve, payout), payout_requests.PayoutsNotUsable)

    @pytest.mark.parametrize(("amount", "is_much"), [(100_000, False), (100_001, True)])
    def test_needs_a_second_person_above_the_limit(self, amount: int, is_much: bool) -> None:
        by = finance()
        payout = requested_payout(earning_organization(amount=amount), by=by)

        if is_much:
            assert isinstance(refused(payout_approval.approve, payout, by=by), payout_approval.SamePersonAsked)
            payout_approval.approve(payout_request_id=payout.pk, by=finance())
        else:
            payout_approval.approve(payout_request_id=payout.pk, by=by)
        assert now(payout).state == State.APPROVED

    def test_is_no_matter_for_systems(self, organization: Organization) -> None:
        payout = requested_payout(organization)
        assert isinstance(refused(payout_approval.approve, payout, by=SYSTEM), payout_approval.SamePersonAsked)


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestTheDatabase:
    def test_holds_a_payout_to_what_was_available_when_it_was_approved(self, organization: Organization) -> None:
        payout = approved_payout(organization)
        with pytest.raises(IntegrityError, match="payout_within_available"), transaction.atomic():
            PayoutRequest.objects.filter(pk=payout.pk).update(amount=payout.amount + 1)

    def test_holds_it_to_a_second_person(self) -> None:
        by = finance()
        payout = requested_payout(earning_organization(amount=200_000), by=by)
        values = {"state": "approved", "approved_at": payout.created_at, "available_at_approval": 200_000}
        with pytest.raises(IntegrityError, match="payout_second_person"), transaction.atomic():
            PayoutRequest.objects.filter(pk=payout.pk).update(approved_by_id=by.user_id, **values)
        with pytest.raises(IntegrityError, match="payout_approved_by_someone"), transaction.atomic():
            PayoutRequest.objects.filter(pk=payout.pk).update(**values)

    @pytest.mark.parametrize("state", ["in_transit", "paid", "failed", "on_hold", "transferring"])
    def test_lets_no_step_be_left_out(self, organization: Organization, state: str) -> None:
        payout = requested_payout(organization)
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE billing_payoutrequest SET state = %s WHERE id = %s", [state, payout.pk])
        assert now(payout).state == State.REQUESTED


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestRejectHoldRelease:
    def test_a_rejected_one_frees_the_amount(self, organization: Organization) -> None:
        payout = requested_payout(organization)
        payout_approval.reject(payout_request_id=payout.pk, why=" Wrong account. ", by=finance())

        assert (now(payout).state, now(payout).reason) == (State.REJECTED, "Wrong account.")
        assert requested_payout(organization).amount == 50_000

    def test_a_held_one_waits_until_it_is_released_or_rejected(self, organization: Organization) -> None:
        payout = approved_payout(organization)
        payout_approval.hold(payout_request_id=payout.pk, why="Odd sales.", by=finance())
        assert (now(payout).state, now(payout).reason) == (State.ON_HOLD, "Odd sales.")

        payout_approval.release(payout_request_id=payout.pk, by=finance())
        assert (now(payout).state, now(payout).reason, submissions()) == (State.APPROVED, "", 2)

        payout_approval.hold(payout_request_id=payout.pk, why="Odd sales.", by=finance())
        payout_approval.reject(payout_request_id=payout.pk, why="Fraud.", by=finance())
        assert now(payout).state == State.REJECTED
        assert earnings.balance(organization.pk, "USD", at=payout.created_at).requested == 0

    @pytest.mark.parametrize("decide", [payout_approval.reject, payout_approval.hold])
    def test_each_asks_for_a_reason(self, organization: Organization, decide: Decide) -> None:
        payout = approved_payout(organization) if decide is payout_approval.hold else requested_payout(organization)
        assert isinstance(refused(decide, payout, why="  "), InvalidInput)


@pytest.mark.gap("2.1", "10.4")
@pytest.mark.django_db
class TestEveryDecision:
    @pytest.mark.parametrize(("decide", "values"), DECISIONS)
    def test_is_finances_with_a_fresh_second_factor(self, decide: Decide, values: dict[str, Any]) -> None:
        people = personas()
        paid_payment(amount=50_000, organization=people.organization)
        payout = requested_payout(people.organization)

        assert isinstance(refused(decide, payout, by=people.as_charlie, **values), NotFound)
        assert isinstance(refused(decide, payout, by=people.as_alice, **values), PermissionRefused)
        stale = actor(User.objects.get(pk=finance().user_id), stepped_up=False)
        assert isinstance(refused(decide, payout, by=stale, **values), StepUpRequired)

    @pytest.mark.parametrize(("decide", "values"), DECISIONS)
    def test_is_refused_in_a_state_that_it_does_not_fit(self, organization: Organization, decide: Decide, values: dict[str, Any]) -> None:
        payout = requested_payout(organization)
        payout_requests.cancel(payout_request_id=payout.pk, by=finance())

        refusal = refused(decide, payout, **values)
        assert isinstance(refusal, payout_requests.PayoutNotWaiting)
        assert str(refusal) == "This payout is cancelled; that can no longer be done to it."
