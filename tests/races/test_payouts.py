"""People who click at once: one payout for each organization and currency, approved once, and never more than there is."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from billing import earnings, fulfillment, payout_approval, payout_requests, payout_submission, refunds
from billing.models import PayoutRequest
from core.models import Job
from tests.admin_ext.conftest import Nothing
from tests.factories.billing import paid_payment
from tests.factories.payouts import earning_organization, requested_payout
from tests.factories.people import staff
from tests.processes import until
from tests.races.waiting import somebody_waits_for_us
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("2.1")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]


@pytest.fixture(autouse=True)
def sells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fulfillment._handlers, "test", Nothing())


def finance() -> Actor:
    return staff(StaffGroup.FINANCE)


class TestRequests:
    def test_at_once_make_one_payout(self, race: Race) -> None:
        organization, by = earning_organization(amount=50_000), finance()

        results = race(SIZES.refunds, lambda _: requested_payout(organization, 30_000, by=by))

        assert len([each for each in results if isinstance(each, PayoutRequest)]) == 1
        refused = {type(each) for each in results if not isinstance(each, PayoutRequest)}
        assert refused == {payout_requests.PayoutAlreadyOpen}
        assert PayoutRequest.objects.count() == 1

    def test_with_one_token_are_one(self, race: Race) -> None:
        organization, by = earning_organization(amount=50_000), finance()

        results = race(SIZES.refunds, lambda _: requested_payout(organization, 30_000, by=by, request_token="double-click"))

        assert len({each.pk for each in results}) == 1

    def test_with_one_token_for_two_organizations_are_one_and_a_refusal(self, race: Race) -> None:
        organizations, by = [earning_organization(amount=50_000), earning_organization(amount=50_000)], finance()

        def ask(number: int) -> PayoutRequest:
            with transaction.atomic():
                made = requested_payout(organizations[number], 30_000, by=by, request_token="one-dialog")
                until(somebody_waits_for_us, "the other's insert waits for this one")
            return made

        results = race(2, ask)

        assert {type(each) for each in results} == {PayoutRequest, payout_requests.PayoutTokenReused}
        assert PayoutRequest.objects.count() == 1


class TestApprovals:
    def test_at_once_approve_once(self, race: Race) -> None:
        payout = requested_payout(earning_organization(amount=50_000))
        people = [finance() for _ in range(SIZES.refunds)]

        results = race(len(people), lambda number: payout_approval.approve(payout_request_id=payout.pk, by=people[number]))

        assert len([each for each in results if isinstance(each, PayoutRequest)]) == 1
        assert {type(each) for each in results if not isinstance(each, PayoutRequest)} == {payout_requests.PayoutNotWaiting}
        assert Job.objects.filter(name="billing.payout_submission.submit").count() == 1
        assert AuditEntry.objects.filter(action="payout.approved").count() == 1

    def test_and_a_rejection_at_once_are_one_decision(self, race: Race) -> None:
        payout = requested_payout(earning_organization(amount=50_000))
        one, other = finance(), finance()

        def decide(number: int) -> PayoutRequest:
            if number == 0:
                return payout_approval.approve(payout_request_id=payout.pk, by=one)
            return payout_approval.reject(payout_request_id=payout.pk, why="No.", by=other)

        results = race(2, decide)

        assert sorted(type(each).__name__ for each in results) == ["PayoutNotWaiting", "PayoutRequest"]


class TestAgainstRefunds:
    def test_a_refund_at_once_either_comes_first_or_stops_the_transfer(self, race: Race) -> None:
        """Whatever the order: no transfer begins for more than is still earned, and the refund is never kept waiting."""
        organization = earning_organization(amount=20_000)
        payment = paid_payment(amount=30_000, organization=organization)
        by = finance()
        payout = requested_payout(organization, by=by)

        def act(number: int) -> Any:
            if number == 0:
                return refunds.request(payment_id=payment.pk, amount=25_000, reason="other", source="console", by=by)
            approved = payout_approval.approve(payout_request_id=payout.pk, by=by)
            return payout_submission.begin(payout_request_id=approved.pk, at=timezone.now())

        refund, sent = race(2, act)

        assert refund.amount == 25_000
        assert earnings.balance(organization.pk, "USD", at=timezone.now()).payable == 25_000
        after = PayoutRequest.objects.get(pk=payout.pk)
        if isinstance(sent, payout_requests.ExceedsAvailable):
            assert after.state == "requested"
        elif sent is None:
            assert (after.state, after.blocked != "") == ("approved", True)
        else:
            assert (sent.state, after.state) == ("transferring", "transferring")
