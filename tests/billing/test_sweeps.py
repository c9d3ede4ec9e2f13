"""What got stuck is found by the clock, and nothing that is stuck for good keeps the rest waiting."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from django_q.models import OrmQ

from billing import refund_submission, sweeps
from billing.gateway.selection import gateway
from billing.models import Refund
from core import jobs
from core.models import Job
from tests.billing.conftest import Shop, Till
from tests.draining import drain
from tests.factories.billing import again, intent_for, paid_payment, payment_at_stripe, pending_payment, requested_refund, sync

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.3")]


@contextmanager
def later(**how: int) -> Iterator[None]:
    with time_machine.travel(timezone.now() + timedelta(**(how or {"minutes": 11}))):
        yield


def submissions() -> int:
    return Job.objects.filter(name=jobs.name_of(refund_submission.submit), state__in=["queued", "running"]).count()


class TestRefundsInFlight:
    def test_queues_what_was_never_sent_once(self, till: Till, books: Callable[[], None]) -> None:
        refund = requested_refund(payment_at_stripe(till.sandbox), 2000)
        Job.objects.filter(name=jobs.name_of(refund_submission.submit)).delete()
        OrmQ.objects.all().delete()
        sweeps.refunds_in_flight()
        assert submissions() == 0  # too young to be stuck
        with later():
            sweeps.refunds_in_flight()
            sweeps.refunds_in_flight()
            assert submissions() == 1
            drain()
        till.settle()
        assert again(refund).state == "succeeded"
        books()

    def test_takes_up_an_unknown_outcome_whose_job_died(self, till: Till, books: Callable[[], None]) -> None:
        payment = payment_at_stripe(till.sandbox)
        refund = requested_refund(payment, 2000)
        till.control.delivery("lost")
        till.control.fault("reset_after", method="POST", path="/v1/refunds")
        till.control.fault("rate_limit", method="GET", path="/v1/refunds", count=7)
        drain(delayed=True)
        assert (again(refund).state, Job.objects.get(name=jobs.name_of(refund_submission.submit)).state) == ("submitting", "dead")
        with later(hours=1):
            sweeps.refunds_in_flight()
            drain()
        till.settle()
        assert again(refund).state == "succeeded"
        assert till.refunds(payment) == [("succeeded", 2000)]
        books()

    @pytest.mark.parametrize("outcome", ["succeeded", "failed"])
    def test_reads_a_pending_refund_whose_webhook_was_lost(self, till: Till, outcome: str, shop: Shop) -> None:
        refund = requested_refund(payment_at_stripe(till.sandbox), 2000)
        till.control.next_refunds("pending")
        till.work()
        till.control.delivery("lost")
        stripe_id = again(refund).stripe_refund_id or ""
        (till.control.settle_refund if outcome == "succeeded" else till.control.fail_refund)(stripe_id)
        with later():
            sweeps.refunds_in_flight()
        assert again(refund).state == outcome

    def test_fetches_a_booking_that_came_late(self, till: Till, books: Callable[[], None]) -> None:
        till.control.settings(refund_transaction_delay=5)
        refund = requested_refund(payment_at_stripe(till.sandbox), 2000)
        till.control.delivery("lost")
        drain()
        assert (again(refund).state, again(refund).stripe_balance_transaction_id) == ("succeeded", None)
        till.control.advance(6)
        with later():
            sweeps.refunds_in_flight()
        assert again(refund).stripe_balance_transaction_id
        books()

    def test_asks_those_first_that_were_not_asked_for_longest(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweeps, "_BATCH", 1)
        till.control.next_refunds("pending", "pending")
        rows = [requested_refund(payment_at_stripe(till.sandbox), 2000) for _ in range(2)]
        drain()
        with later():
            sweeps.refunds_in_flight()
            sweeps.refunds_in_flight()
        asked = [call["path"].rpartition("/")[2] for call in till.calls("GET", "/v1/refunds/")]
        assert asked == [again(row).stripe_refund_id for row in rows]

    def test_passes_over_one_that_stripe_does_not_know(self, till: Till) -> None:
        till.control.next_refunds("pending", "pending")
        lost, found = (requested_refund(payment_at_stripe(till.sandbox), 2000) for _ in range(2))
        drain()
        Refund.objects.filter(pk=lost.pk).update(stripe_refund_id="re_gone", updated_at=timezone.now() - timedelta(hours=1))
        till.control.delivery("lost")
        till.control.settle_refund(again(found).stripe_refund_id or "")
        with later():
            sweeps.refunds_in_flight()
        assert (again(lost).state, again(found).state) == ("pending", "succeeded")

    def test_comes_back_while_stripe_does_not_answer(self, till: Till) -> None:
        till.control.next_refunds("pending")
        requested_refund(payment_at_stripe(till.sandbox), 2000)
        drain()
        till.control.fault("rate_limit", method="GET")
        with later(), pytest.raises(jobs.RetryLater):
            sweeps.refunds_in_flight()


class TestMissingFees:
    def test_fetches_what_no_webhook_brought(self, till: Till, books: Callable[[], None]) -> None:
        till.control.delivery("lost")
        payment = pending_payment()
        till.pay(payment)
        sync(payment, gateway().retrieve_intent(till.sandbox.world.store.select("payment_intent")[0]["id"]))
        assert (again(payment).state, again(payment).stripe_fee) == ("succeeded", None)
        till.control.advance(5)
        with later(hours=1):
            sweeps.missing_fees()
        assert again(payment).stripe_fee == 175
        books()

    def test_leaves_young_and_booked_payments_alone(self, till: Till) -> None:
        paid_payment(fee=None)
        paid_payment(fee=0)
        sweeps.missing_fees()
        assert till.calls("GET", "/v1/payment_intents") == []

    def test_passes_over_one_that_stripe_does_not_know(self, till: Till) -> None:
        with time_machine.travel(timezone.now() - timedelta(hours=1)):
            unknown = paid_payment(fee=None)
            payment = pending_payment()
            till.pay(payment)
            sync(payment, intent_for(payment, id=till.sandbox.world.store.select("payment_intent")[0]["id"]))
        till.control.advance(5)
        sweeps.missing_fees()
        assert (again(unknown).stripe_fee, again(payment).stripe_fee) == (None, 175)
        assert again(unknown).checked_at is not None
