"""Stripe's answers lost, refused, stored and repeated: one refund, one key for each attempt, nothing called failed that is unknown."""

from collections.abc import Callable

import pytest

from audit.actor import StaffGroup
from billing import refunds, sweeps
from billing.models import Payment, Refund, StripeCommand
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.faults.books import assert_whole, refund_posts, refunds_at_stripe

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.3"), pytest.mark.gap("9.8"), pytest.mark.rule("M9")]


@pytest.fixture
def payment(sandbox: Sandbox, settings) -> Payment:
    settings.STRIPE_TIMEOUT = 0.5
    return flows.paid(sandbox)


def ask(payment: Payment, amount: int = 3_000) -> Refund:
    return refunds.request(payment_id=payment.pk, amount=amount, reason="other", source="console", by=flows.staff(StaffGroup.FINANCE))


def again(refund: Refund) -> Refund:
    return Refund.objects.get(pk=refund.pk)


class TestLostAnswer:
    @pytest.mark.parametrize("kind", ["timeout_after_success", "reset_after", "reset_before"])
    def test_is_unknown_and_then_resolved_to_one_refund(self, sandbox, payment, run_jobs: Callable[..., int], kind: str) -> None:
        sandbox.control.fault(kind, method="POST", path="/v1/refunds", seconds=1)
        refund = ask(payment)
        run_jobs()

        assert again(refund).state == Refund.State.UNKNOWN
        assert StripeCommand.objects.get(key=refund.stripe_key).state == StripeCommand.State.UNKNOWN

        run_jobs(delayed=True)
        flows.settle(sandbox)
        assert_whole(payment, refunds=[3_000])
        assert {each["idempotency_key"] for each in refund_posts(sandbox)} == {refund.stripe_key}
        assert again(refund).attempt == 1

    def test_is_resolved_by_the_webhook_alone(self, sandbox, payment, run_jobs) -> None:
        sandbox.control.fault("timeout_after_success", method="POST", path="/v1/refunds", seconds=1)
        refund = ask(payment)
        run_jobs()
        assert again(refund).state == Refund.State.UNKNOWN

        flows.deliver(sandbox)
        run_jobs()

        assert again(refund).state == Refund.State.SUCCEEDED
        run_jobs(delayed=True)
        flows.settle(sandbox)
        assert_whole(payment, refunds=[3_000])

    def test_that_never_comes_is_found_by_the_sweep(self, sandbox, payment, run_jobs, time_machine_at) -> None:
        sandbox.control.fault("timeout_after_success", method="POST", path="/v1/refunds", seconds=1)
        sandbox.control.delivery("lost")
        refund = ask(payment)
        run_jobs()
        flows.forget_the_queue()

        with time_machine_at(minutes=11):
            sweeps.refunds_in_flight()
            run_jobs()

        sandbox.control.delivery("normal")
        flows.settle(sandbox)
        assert again(refund).state == Refund.State.SUCCEEDED
        assert_whole(payment, refunds=[3_000])


class TestStoredError:
    @pytest.mark.parametrize("work", [False, True], ids=["nothing was done", "it was done all the same"])
    def test_is_looked_up_before_a_new_key_is_used(self, sandbox, payment, run_jobs, work: bool) -> None:
        sandbox.control.fault("stored_500", method="POST", path="/v1/refunds", work=work)
        refund = ask(payment)

        run_jobs(delayed=True)

        flows.settle(sandbox)
        assert_whole(payment, refunds=[3_000])
        assert again(refund).attempt == (1 if work else 2)
        keys = {each["idempotency_key"] for each in refund_posts(sandbox)}
        assert len(keys) == again(refund).attempt


class TestNotNow:
    @pytest.mark.parametrize("kind", ["rate_limit", "lock_timeout"])
    def test_is_sent_again_with_the_same_key(self, sandbox, payment, run_jobs, kind: str) -> None:
        sandbox.control.fault(kind, method="POST", path="/v1/refunds", count=2)
        refund = ask(payment)

        run_jobs(delayed=True)

        flows.settle(sandbox)
        assert_whole(payment, refunds=[3_000])
        assert [each["idempotency_key"] for each in refund_posts(sandbox)] == [refund.stripe_key] * 3


class TestRefusal:
    def test_fails_the_refund_and_reverses_its_entries(self, sandbox, payment, run_jobs) -> None:
        sandbox.control.refund_from_dashboard(payment.stripe_payment_intent_id or "", amount=9_000)
        refund = ask(payment)  # Stripe has only 1,000 left, which we cannot know before its webhook
        run_jobs()

        assert again(refund).state == Refund.State.FAILED
        assert "greater than" in again(refund).failure_reason
        flows.settle(sandbox)
        assert_whole(payment, refunds=[9_000])
        assert Refund.objects.get(source="external").amount == 9_000


class TestLateFailure:
    def test_days_after_success_gives_the_money_back_to_the_books(self, sandbox, payment, run_jobs) -> None:
        refund = ask(payment)
        run_jobs()
        flows.settle(sandbox)
        assert again(refund).state == Refund.State.SUCCEEDED

        sandbox.control.fail_refund(again(refund).stripe_refund_id or "")
        flows.settle(sandbox)

        failed = again(refund)
        assert failed.state == Refund.State.FAILED
        assert failed.failure_balance_transaction_id is not None
        assert_whole(payment, refunds=[])
        assert refunds_at_stripe(payment) == [("failed", 3_000)]
