"""PostgreSQL, the worker, the web process and the sandbox restarted in the middle: the chain goes on where it was."""

import urllib.request
from pathlib import Path

import pytest
from django.db import connection, connections

from audit.actor import StaffGroup
from billing import checkout, refunds
from billing.gateway.selection import gateway
from billing.models import Payment, Refund
from billing.webhooks import replay
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.conftest import point_at
from tests.faults.books import assert_whole
from tests.processes import free_port, until, web, worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("6.2"), pytest.mark.gap("1.3")]
IMPATIENT = {"Q_TIMEOUT": "2"}


def ask(payment: Payment, amount: int) -> Refund:
    return refunds.request(payment_id=payment.pk, amount=amount, reason="other", source="console", by=flows.staff(StaffGroup.FINANCE))


def is_settled(refund: Refund) -> bool:
    return Refund.objects.filter(pk=refund.pk, state=Refund.State.SUCCEEDED).exists()


def cut_every_connection() -> None:
    """What a restart of PostgreSQL does to its clients: every session ends in the middle of what it does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class TestPostgres:
    def test_sessions_cut_while_a_worker_is_busy_leave_one_refund(self, sandbox: Sandbox) -> None:
        payment = flows.paid(sandbox)
        sandbox.control.fault("slow", method="POST", path="/v1/refunds", seconds=0.5)
        refund = ask(payment, 1_500)
        with worker("money", IMPATIENT):
            until(lambda: Refund.objects.filter(pk=refund.pk, state=Refund.State.SUBMITTING).exists(), "the worker begins")
            cut_every_connection()
            until(lambda: is_settled(refund), "the worker comes back and finishes", seconds=90)

        flows.settle(sandbox)
        assert_whole(payment, refunds=[1_500])

    def test_server_restarted_in_the_middle_leaves_one_refund(self, sandbox: Sandbox, postgres) -> None:
        payment = flows.paid(sandbox)
        sandbox.control.fault("slow", method="POST", path="/v1/refunds", seconds=0.5)
        refund = ask(payment, 1_500)
        with worker("money", IMPATIENT):
            until(lambda: Refund.objects.filter(pk=refund.pk, state=Refund.State.SUBMITTING).exists(), "the worker begins")
            restart(postgres)
            until(lambda: is_settled(refund), "the worker comes back and finishes", seconds=90)

        flows.settle(sandbox)
        assert_whole(payment, refunds=[1_500])


def restart(postgres) -> None:
    """The embedded server goes down fast and comes back; on a server that is somebody else's, its sessions are cut instead."""
    if postgres is None:
        cut_every_connection()
        return
    connections.close_all()
    postgres.restart()


class TestSandbox:
    def test_state_survives_so_that_the_chain_goes_on(self, tmp_path: Path, settings) -> None:
        state, port = tmp_path / "stripe.sqlite3", free_port()
        with Sandbox(state, port, deliver=False) as first:
            point_at(first, settings)
            payment = flows.paid(first)
            refund = ask(payment, 2_000)
        flows.drain()  # nobody answers at Stripe
        assert not is_settled(refund)

        with Sandbox(state, port, deliver=False) as second:
            flows.drain(delayed=True)
            flows.settle(second)
            assert is_settled(refund)
            assert_whole(payment, refunds=[2_000])
        gateway.cache_clear()


class TestWholeChain:
    def test_takes_an_event_that_comes_before_the_answer(self, settings, recorder) -> None:
        port = free_port()
        with Sandbox(observer=recorder.exchange) as sandbox:
            point_at(sandbox, settings, f"http://127.0.0.1:{port}/webhooks/stripe")
            with web(port=port), worker("money", IMPATIENT):
                payment = flows.bought(sandbox)
                until(lambda: Payment.objects.get(pk=payment.pk).is_captured, "the payment is booked", seconds=60)
                sandbox.control.delivery("early")
                refund = ask(payment, 3_000)
                until(lambda: is_settled(refund), "the refund is made", seconds=60)
                sandbox.control.delivery()
                sandbox.control.advance(30)
                until(lambda: Payment.objects.get(pk=payment.pk).stripe_fee is not None, "the fee is booked", seconds=60)
            flows.drain(delayed=True)
            assert_whole(Payment.objects.get(pk=payment.pk), refunds=[3_000])
        gateway.cache_clear()

    def test_survives_a_restart_of_web_and_worker(self, tmp_path: Path, settings, recorder) -> None:
        port = free_port()
        with Sandbox(tmp_path / "stripe.sqlite3", observer=recorder.exchange) as sandbox:
            point_at(sandbox, settings, f"http://127.0.0.1:{port}/webhooks/stripe")
            with web(port=port), worker("money", IMPATIENT):
                done = flows.registered(flows.open_event())
                assert done.payment_id is not None
                checkout.open(payment_id=done.payment_id)
                payment = Payment.objects.get(pk=done.payment_id)
            # nobody is at home while the buyer pays
            sandbox.control.pay(payment.checkout_sessions.get().stripe_session_id or "")
            with web(port=port) as address, worker("money", IMPATIENT):
                until(lambda: Payment.objects.get(pk=payment.pk).is_captured, "the payment is booked", seconds=60)
                refund = ask(payment, 10_000)
                until(lambda: is_settled(refund), "the refund is made", seconds=60)
                sandbox.control.advance(30)
                until(lambda: Payment.objects.get(pk=payment.pk).stripe_fee is not None, "the fee is booked", seconds=60)
                with urllib.request.urlopen(f"{address}/payments/{payment.public_id}/return") as page:  # noqa: S310  our own address
                    assert page.status == 200
            replay.sweep_missed()
            flows.drain(delayed=True)
            assert_whole(Payment.objects.get(pk=payment.pk), refunds=[10_000])
        gateway.cache_clear()
