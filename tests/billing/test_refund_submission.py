"""Making the refund at Stripe, whatever happens on the line: always exactly one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from audit.models import AuditEntry
from billing import refund_approval, refund_submission, refund_sync
from billing.gateway.base import GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import Payment, Refund, StripeCommand
from core import jobs
from core.models import Job
from ledger import balances
from ledger.chart import REFUNDS_IN_FLIGHT
from sandbox.stripe.server import Sandbox
from tests.billing.conftest import Shop, Till
from tests.billing.test_refund_books import left
from tests.factories.billing import SYSTEM, again, finance, payment_at_stripe, requested_refund
from tests.factories.organizations import OrganizationFactory

CREATE = {"method": "POST", "path": "/v1/refunds"}


@pytest.fixture
def payment(till: Till, db: None) -> Payment:
    return payment_at_stripe(till.sandbox)


def only_one(till: Till, refund: Refund, *, keys: int = 1, calls: int | None = None) -> None:
    """Stripe made this refund once, under this many keys."""
    assert till.refunds(refund.payment) == [("succeeded", refund.amount)]
    made = till.calls("POST", "/v1/refunds")
    assert len({call["idempotency_key"] for call in made}) == keys
    assert calls is None or len(made) == calls
    assert again(refund).state == Refund.State.SUCCEEDED
    assert balances.balance(REFUNDS_IN_FLIGHT, refund.currency) == 0


@pytest.mark.gap("9.8")
@pytest.mark.gap("1.3")
@pytest.mark.rule("M4")
@pytest.mark.django_db
class TestSubmit:
    def test_keeps_key_and_parameters_before_the_call(self, till: Till, payment: Payment, books: Callable[[], None]) -> None:
        refund = requested_refund(payment, 2000)
        till.work()

        command = StripeCommand.objects.get(operation="refund.create")
        assert (command.key, command.state, command.calls) == (f"refund-{refund.pk}-1", "succeeded", 1)
        assert command.parameters == {
            "payment_intent": payment.stripe_payment_intent_id,
            "amount": 2000,
            "reason": "requested_by_customer",
            "metadata": {"refund_id": str(refund.pk), "attempt": "1", "payment_id": str(payment.pk)},
        }
        assert command.stripe_object_id == again(refund).stripe_refund_id
        assert str(command) == f"refund.create refund-{refund.pk}-1"
        only_one(till, refund, calls=1)
        books()

    def test_tells_stripe_no_reason_that_it_does_not_know(self, till: Till, payment: Payment) -> None:
        requested_refund(payment, 2000, reason="event_cancelled")
        till.work()
        assert "reason" not in StripeCommand.objects.get(operation="refund.create").parameters

    def test_does_nothing_a_second_time(self, till: Till, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        till.work()
        refund_submission.submit(refund_id=refund.pk)
        only_one(till, refund, calls=1)

    def test_waits_for_approval(self, till: Till) -> None:
        payment = payment_at_stripe(till.sandbox, organization=OrganizationFactory.create(refund_approval_limits={"USD": 0}))
        refund = requested_refund(payment, 2000)
        refund_submission.submit(refund_id=refund.pk)
        assert (till.calls("POST", "/v1/refunds"), again(refund).state) == ([], Refund.State.AWAITING_APPROVAL)

        refund_approval.approve(refund_id=refund.pk, by=finance())
        till.work()
        only_one(till, refund, calls=1)

    @pytest.mark.rule("M10")
    def test_never_calls_inside_a_transaction(self, payment: Payment) -> None:
        job = Job.objects.filter(name=jobs.name_of(refund_submission.submit))
        requested_refund(payment, 2000)
        assert jobs.registered()[job.get().name].outside
        assert job.get().queue == "money"


@pytest.mark.gap("9.8")
@pytest.mark.gap("1.3")
@pytest.mark.django_db
class TestLostAnswer:
    @pytest.mark.parametrize("kind", ["timeout_after_success", "reset_after"])
    def test_is_unknown_and_found_again(self, till: Till, payment: Payment, kind: str, settings: Any, books: Callable[[], None]) -> None:
        refund = requested_refund(payment, 2000)
        till.control.fault(kind, **CREATE, seconds=5)
        settings.STRIPE_TIMEOUT = 0.5
        gateway.cache_clear()
        with pytest.raises(jobs.RetryLater):
            refund_submission.submit(refund_id=refund.pk)
        assert again(refund).state == Refund.State.UNKNOWN
        assert StripeCommand.objects.get(operation="refund.create").state == "unknown"
        assert balances.balance(REFUNDS_IN_FLIGHT, "USD") == -2000

        till.work(delayed=True)
        only_one(till, refund, calls=1)
        books()

    def test_sends_the_same_key_where_nothing_was_done(self, till: Till, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        till.control.fault("reset_before", **CREATE)
        till.work(delayed=True)
        only_one(till, refund)
        assert Job.objects.get(name=jobs.name_of(refund_submission.submit)).attempts == 2

    def test_is_not_answered_by_another_refund_of_the_payment(self, till: Till, payment: Payment, books: Callable[[], None]) -> None:
        requested_refund(payment, 2000)
        till.work()
        refund = requested_refund(payment, 2000)
        till.control.fault("reset_before", **CREATE)
        till.work(delayed=True)
        assert till.refunds(payment) == [("succeeded", 2000)] * 2
        assert again(refund).state == Refund.State.SUCCEEDED
        books()

    def test_is_settled_by_a_webhook_that_comes_first(self, till: Till, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        till.control.fault("reset_after", **CREATE)
        with pytest.raises(jobs.RetryLater):
            refund_submission.submit(refund_id=refund.pk)
        till.deliver()
        till.work()
        only_one(till, refund, calls=1)

    def test_leaves_a_refund_alone_that_a_webhook_settled_during_the_call(self, till: Till, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        till.work()
        refund_submission.lose_answer(refund_id=refund.pk, attempt=1)
        assert again(refund).state == Refund.State.SUCCEEDED

    @pytest.mark.parametrize("work", [True, False])
    def test_looks_first_behind_a_stored_500(self, till: Till, payment: Payment, work: bool, books: Callable[[], None]) -> None:
        refund = requested_refund(payment, 2000)
        till.control.fault("stored_500", **CREATE, work=work)
        with pytest.raises(jobs.RetryLater):
            refund_submission.submit(refund_id=refund.pk)
        assert again(refund).state == Refund.State.UNKNOWN

        till.control.delivery("hold")
        till.work(delayed=True)
        only_one(till, refund, keys=1 if work else 2, calls=1 if work else 2)
        assert again(refund).attempt == (1 if work else 2)
        assert AuditEntry.objects.filter(action="refund.key_renewed").count() == (0 if work else 1)
        books()

    def test_takes_a_new_key_once_stripe_has_forgotten_the_old_one(self, till: Till, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        till.control.fault("reset_before", **CREATE)
        with pytest.raises(jobs.RetryLater):
            refund_submission.submit(refund_id=refund.pk)
        with time_machine.travel(timezone.now() + timedelta(hours=23, minutes=1)):
            refund_submission.submit(refund_id=refund.pk)
        only_one(till, refund, keys=2)

    def test_raises_the_key_once_for_two_workers(self, till: Till, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        refund_submission.begin(refund_id=refund.pk, at=timezone.now())
        for _ in range(2):
            assert refund_submission.next_attempt(refund_id=refund.pk, given_up=1).attempt == 2

    def test_asks_for_nothing_new_while_stripe_cannot_be_asked(self, till: Till, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        till.control.fault("stored_500", **CREATE)
        till.control.fault("rate_limit", method="GET", path="/v1/refunds", count=2)
        for _ in range(3):
            with pytest.raises(jobs.RetryLater):
                refund_submission.submit(refund_id=refund.pk)
        assert len(till.calls("POST", "/v1/refunds")) == 1
        till.work(delayed=True)
        only_one(till, refund, keys=2)

    def test_repeats_a_call_that_died_before_it_was_kept(self, till: Till, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        refund_submission.begin(refund_id=refund.pk, at=timezone.now())  # then the worker was killed
        till.work()
        only_one(till, refund, calls=1)


@pytest.mark.gap("9.8")
@pytest.mark.django_db
class TestBusy:
    @pytest.mark.parametrize(
        ("kind", "options"),
        [("rate_limit", {}), ("lock_timeout", {}), ("lock_timeout", {"status": 429}), ("lock_timeout", {"status": 400})],
    )
    def test_tries_again_with_the_same_key(self, till: Till, payment: Payment, kind: str, options: dict[str, int]) -> None:
        refund = requested_refund(payment, 2000)
        till.control.fault(kind, **CREATE, **options)
        with pytest.raises(jobs.RetryLater):
            refund_submission.submit(refund_id=refund.pk)
        assert again(refund).state == Refund.State.SUBMITTING
        till.work(delayed=True)
        only_one(till, refund, calls=2)

    def test_is_left_to_the_sweep_after_the_last_attempt(self, till: Till, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        till.control.fault("rate_limit", **CREATE, count=8)
        till.work(delayed=True)
        assert Job.objects.get(name=jobs.name_of(refund_submission.submit)).state == Job.State.DEAD
        assert again(refund).state == Refund.State.SUBMITTING
        assert balances.balance(REFUNDS_IN_FLIGHT, "USD") == -2000


@pytest.mark.gap("9.8")
@pytest.mark.gap("1.3")
@pytest.mark.django_db
class TestRefused:
    def test_fails_and_gives_the_money_back_to_the_organization(
        self, till: Till, payment: Payment, shop: Shop, books: Callable[[], None]
    ) -> None:
        whole = left(payment)
        refund = requested_refund(payment, 2000)
        till.control.delivery("lost")
        till.control.refund_from_dashboard(payment.stripe_payment_intent_id or "", amount=4000)
        till.work()

        assert (again(refund).state, again(refund).stripe_refund_id) == (Refund.State.FAILED, None)
        assert "greater than unrefunded amount" in again(refund).failure_reason
        assert StripeCommand.objects.get(operation="refund.create").state == "failed"
        assert left(payment) == whole
        assert Job.objects.filter(name="billing.emails.send_refund_failed").count() == 1
        assert shop.words() == ["paid"]

        till.control.delivery("normal")
        till.control.resend(next(d["event"] for d in till.control.deliveries() if d["type"] == "charge.refunded"))
        till.work()
        assert (again(payment).state, again(payment).amount_refunded) == (Payment.State.PARTIALLY_REFUNDED, 4000)
        books()

    def test_fails_where_the_charge_is_disputed_at_stripe(self, till: Till, payment: Payment, books: Callable[[], None]) -> None:
        refund = requested_refund(payment, 2000)
        till.control.open_dispute(payment.stripe_payment_intent_id or "", inquiry=False)
        till.work()
        assert again(refund).state == Refund.State.FAILED
        assert till.refunds(payment) == []

    def test_can_be_retried_under_a_new_key(self, till: Till, payment: Payment) -> None:
        dispute = till.control.open_dispute(payment.stripe_payment_intent_id or "")
        refund = requested_refund(payment, 2000)
        till.work()
        till.control.decide_dispute(dispute["id"], "won")
        till.work()
        refund_approval.retry(refund_id=refund.pk, by=finance())
        till.work()
        only_one(till, refund, keys=2)

    def test_changes_nothing_about_a_later_attempt(self, payment: Payment) -> None:
        refund = requested_refund(payment, 2000)
        refund_submission.begin(refund_id=refund.pk, at=timezone.now())
        refund_submission.next_attempt(refund_id=refund.pk, given_up=1)
        refund_sync.fail(refund_id=refund.pk, attempt=1, why="late", at=timezone.now(), by=SYSTEM)
        assert again(refund).state == Refund.State.SUBMITTING


@pytest.mark.django_db
class TestUnreachable:
    def test_is_unknown_too(self, till: Till, payment: Payment, settings: Any, sandbox: Sandbox) -> None:
        refund = requested_refund(payment, 2000)
        settings.STRIPE_API_BASE = "http://127.0.0.1:9"
        gateway.cache_clear()
        with pytest.raises(jobs.RetryLater) as raised:
            refund_submission.submit(refund_id=refund.pk)
        assert isinstance(raised.value.__cause__, GatewayUnknown)
        assert again(refund).state == Refund.State.UNKNOWN
        settings.STRIPE_API_BASE = sandbox.url
        gateway.cache_clear()
        till.work(delayed=True)
        only_one(till, refund)
