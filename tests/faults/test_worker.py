"""Real workers that die, in the middle of what they do: exactly one refund all the same."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection
from django.test import Client

from audit.actor import StaffGroup
from billing import refunds
from billing.models import Payment, Refund
from core.models import Job
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.faults.books import assert_whole, refund_posts, refunds_at_stripe
from tests.processes import database_url, kill_group, until, worker
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("1.3"), pytest.mark.gap("9.8"), pytest.mark.rule("M10")]
# Short patience, so that a message whose worker died comes back within the test's: lease 7 s, redelivery 14 s.
IMPATIENT = {"Q_TIMEOUT": "2"}


def ask(payment: Payment, amount: int) -> Refund:
    return refunds.request(payment_id=payment.pk, amount=amount, reason="other", source="console", by=flows.staff(StaffGroup.FINANCE))


def is_settled(refund: Refund) -> bool:
    return Refund.objects.filter(pk=refund.pk, state=Refund.State.SUCCEEDED).exists()


@contextmanager
def payment_locked(payment: Payment) -> Iterator[None]:
    """Another session holds the payment's row, so that whoever wants to write down Stripe's answer has to wait."""
    with psycopg.connect(database_url()) as other:
        other.execute("SELECT 1 FROM billing_payment WHERE id = %s FOR UPDATE", [payment.pk])
        yield


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return bool(cursor.fetchone()[0])


class TestKillMinusNine:
    @pytest.mark.parametrize("number", range(SIZES.kills))
    def test_between_stripes_answer_and_our_commit_leaves_one_refund(self, sandbox: Sandbox, number: int) -> None:
        payment = flows.paid(sandbox)
        sandbox.control.fault("slow", method="POST", path="/v1/refunds", seconds=0.4)
        refund = ask(payment, 2_500)
        with worker("money", IMPATIENT) as child:
            until(lambda: Refund.objects.filter(pk=refund.pk, state=Refund.State.SUBMITTING).exists(), "the worker begins")
            with payment_locked(payment):
                until(somebody_waits_for_a_lock, "Stripe has answered and the worker wants to write it down")
                kill_group(child)
        assert refunds_at_stripe(payment) == [("succeeded", 2_500)]
        assert not is_settled(refund)

        with worker("money", IMPATIENT):
            until(lambda: is_settled(refund), "another worker finishes it", seconds=60)

        flows.settle(sandbox)
        assert_whole(payment, refunds=[2_500])
        assert Job.objects.filter(name="billing.refund_submission.submit", state=Job.State.DONE, attempts=2).count() == 1

    def test_before_the_call_leaves_one_refund(self, sandbox: Sandbox) -> None:
        payment = flows.paid(sandbox)
        refund = ask(payment, 1_000)
        with payment_locked(payment), worker("money", IMPATIENT) as child:
            until(somebody_waits_for_a_lock, "the worker has taken the job and waits to begin")
            kill_group(child)
        assert refunds_at_stripe(payment) == []

        with worker("money", IMPATIENT):
            until(lambda: is_settled(refund), "another worker makes it", seconds=60)

        flows.settle(sandbox)
        assert_whole(payment, refunds=[1_000])

    def test_while_stripe_works_leaves_one_refund(self, sandbox: Sandbox) -> None:
        payment = flows.paid(sandbox)
        sandbox.control.fault("timeout_after_success", method="POST", path="/v1/refunds", seconds=3)
        refund = ask(payment, 4_000)
        with worker("money", IMPATIENT) as child:
            until(lambda: refund_posts(sandbox), "the call is at Stripe")
            kill_group(child)

        with worker("money", IMPATIENT):
            until(lambda: is_settled(refund), "another worker finishes it", seconds=60)

        flows.settle(sandbox)
        assert_whole(payment, refunds=[4_000])


class TestBusyStripe:
    def test_is_asked_again_with_the_same_key_until_it_answers(self, sandbox: Sandbox) -> None:
        payment = flows.paid(sandbox)
        sandbox.control.fault("rate_limit", path="/v1/refunds", method="POST", count=2)
        first, second = ask(payment, 1_000), ask(payment, 2_000)

        with worker("money", IMPATIENT):
            until(lambda: is_settled(first) and is_settled(second), "both are made after Stripe was busy", seconds=60)

        flows.settle(sandbox)
        assert_whole(payment, refunds=[1_000, 2_000])
        assert {each["idempotency_key"] for each in refund_posts(sandbox)} == {first.stripe_key, second.stripe_key}


class TestPrivateQueue:
    @pytest.mark.rule("S1")
    def test_no_address_runs_a_task(self, client: Client) -> None:
        for path in ("/tasks", "/api/v1/tasks", "/api/v1/jobs/run", "/internal/tasks/core.jobs.run"):
            assert client.post(path, {"task": "core.jobs.sweep"}, content_type="application/json").status_code in (403, 404, 405)
        assert Job.objects.count() == 0
