"""People who click at once: refunds of one payment never exceed it, and a refund is approved once, by somebody else."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing import refund_approval, refunds
from billing.models import Payment, Refund
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.faults.books import assert_whole, refunds_at_stripe
from tests.processes import until
from tests.races.waiting import somebody_waits_for_us
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("5.3"), pytest.mark.gap("1.3"), pytest.mark.rule("M9")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]


class TestRefundsOfOnePayment:
    def test_never_exceed_it(self, sandbox: Sandbox, race: Race) -> None:
        payment, finance = flows.paid(sandbox), flows.staff(StaffGroup.FINANCE)
        amount = 3_000  # three fit into 10,000

        def ask(_number: int) -> Refund:
            return refunds.request(payment_id=payment.pk, amount=amount, reason="other", source="console", by=finance)

        results = race(SIZES.refunds, ask)

        made = [each for each in results if isinstance(each, Refund)]
        assert len(made) == 3
        assert {type(each) for each in results if not isinstance(each, Refund)} == {refunds.RefundExceedsBalance}
        flows.settle(sandbox)
        assert_whole(payment, refunds=[amount] * 3)

    def test_with_the_same_token_are_one(self, sandbox: Sandbox, race: Race) -> None:
        payment, finance = flows.paid(sandbox), flows.staff(StaffGroup.FINANCE)

        def ask(_number: int) -> Refund:
            return refunds.request(
                payment_id=payment.pk, amount=2_000, reason="other", source="console", request_token="double-click", by=finance
            )

        results = race(SIZES.refunds, ask)

        assert len({each.pk for each in results}) == 1
        flows.settle(sandbox)
        assert_whole(payment, refunds=[2_000])

    def test_with_one_token_for_two_payments_are_one_and_a_refusal(self, sandbox: Sandbox, race: Race) -> None:
        payments, finance = [flows.paid(sandbox), flows.paid(sandbox)], flows.staff(StaffGroup.FINANCE)

        def ask(number: int) -> Refund:
            with transaction.atomic():
                made = refunds.request(
                    payment_id=payments[number].pk, amount=2_000, reason="other", source="console", request_token="one-dialog", by=finance
                )
                until(somebody_waits_for_us, "the other's insert waits for this one")
            return made

        results = race(2, ask)

        assert {type(each) for each in results} == {Refund, refunds.RequestTokenReused}
        assert [payment.refunds.count() for payment in payments] in ([1, 0], [0, 1])
        flows.settle(sandbox)
        assert sum(bool(refunds_at_stripe(payment)) for payment in payments) == 1

    def test_submitted_by_several_workers_are_made_once(self, sandbox: Sandbox, race: Race) -> None:
        payment, finance = flows.paid(sandbox), flows.staff(StaffGroup.FINANCE)
        refund = refunds.request(payment_id=payment.pk, amount=10_000, reason="other", source="console", by=finance)

        race(4, lambda _number: flows.submit(refund))

        flows.settle(sandbox)
        assert_whole(payment, refunds=[10_000])
        assert refunds_at_stripe(payment) == [("succeeded", 10_000)]


class TestApproval:
    def test_by_several_people_at_once_counts_once(self, sandbox: Sandbox, race: Race, settings) -> None:
        settings.REFUND_APPROVAL_LIMITS = {"USD": 1_000}
        payment, asker = flows.paid(sandbox), flows.staff(StaffGroup.FINANCE)
        approvers = [flows.staff(StaffGroup.FINANCE) for _ in range(SIZES.approvers)]
        refund = refunds.request(payment_id=payment.pk, amount=10_000, reason="other", source="console", by=asker)
        assert refund.state == Refund.State.AWAITING_APPROVAL

        results = race(len(approvers), lambda number: refund_approval.approve(refund_id=refund.pk, by=approvers[number]))

        assert sum(isinstance(each, Refund) for each in results) == 1
        assert {type(each) for each in results if not isinstance(each, Refund)} == {refund_approval.NotWaiting}
        assert AuditEntry.objects.filter(action="refund.approved", object_id=refund.pk).count() == 1
        flows.settle(sandbox)
        assert_whole(payment, refunds=[10_000])

    def test_and_rejection_at_once_end_in_one_of_the_two(self, sandbox: Sandbox, race: Race, settings) -> None:
        settings.REFUND_APPROVAL_LIMITS = {"USD": 1_000}
        payment = flows.paid(sandbox)
        people = [flows.staff(StaffGroup.FINANCE) for _ in range(3)]
        refund = refunds.request(payment_id=payment.pk, amount=10_000, reason="other", source="console", by=people[0])

        def decide(number: int) -> Refund:
            if number:
                return refund_approval.reject(refund_id=refund.pk, why="No.", by=people[1])
            return refund_approval.approve(refund_id=refund.pk, by=people[2])

        results = race(2, decide)

        assert sum(isinstance(each, Refund) for each in results) == 1
        flows.settle(sandbox)
        approved = Refund.objects.get(pk=refund.pk).state == Refund.State.SUCCEEDED
        assert_whole(Payment.objects.get(pk=payment.pk), refunds=[10_000] if approved else [])
