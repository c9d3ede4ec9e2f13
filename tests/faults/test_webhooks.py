"""Webhooks duplicated, reordered, early, late, lost, forged and stale: the books end the same."""

import json
import time

import pytest

from audit.actor import StaffGroup
from billing import checkout, refunds
from billing.models import InboundEvent, Payment, Refund
from billing.webhooks import receiving, replay
from registrations.models import Registration
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.faults.books import assert_whole

pytestmark = [pytest.mark.django_db, pytest.mark.gap("6.2"), pytest.mark.rule("M8")]

LATE = 0.1  # seconds


def pay_and_refund(sandbox: Sandbox) -> Payment:
    """A place paid and refunded in two parts, with whatever delivery the test has chosen."""
    done = flows.registered(flows.open_event())
    assert done.payment_id is not None
    checkout.open(payment_id=done.payment_id)
    payment = Payment.objects.get(pk=done.payment_id)
    sandbox.control.pay(payment.checkout_sessions.get().stripe_session_id or "")
    settle(sandbox)
    finance = flows.staff(StaffGroup.FINANCE)
    for amount in (4_000, 6_000):
        refunds.request(payment_id=payment.pk, amount=amount, reason="other", source="console", by=finance)
    settle(sandbox)
    return Payment.objects.get(pk=payment.pk)


def settle(sandbox: Sandbox) -> None:
    for _ in range(3):
        time.sleep(LATE)
        sandbox.control.release()
        flows.settle(sandbox, seconds=30)


class TestDelivery:
    @pytest.mark.parametrize("mode", ["normal", "duplicate", "reorder", "late"])
    def test_ends_in_the_same_books(self, sandbox, mode: str) -> None:
        sandbox.control.delivery(mode, **({"seconds": LATE} if mode == "late" else {"batch": 4} if mode == "reorder" else {}))

        payment = pay_and_refund(sandbox)

        assert_whole(payment, refunds=[4_000, 6_000])
        assert Payment.objects.get(pk=payment.pk).state == Payment.State.REFUNDED
        assert not InboundEvent.objects.filter(state__in=["failed", "dead", "received", "processing"]).exists()

    def test_counts_repetitions_and_works_once(self, sandbox) -> None:
        sandbox.control.delivery("duplicate")

        payment = pay_and_refund(sandbox)

        assert InboundEvent.objects.filter(repeats__gte=1).exists()
        assert Registration.objects.get(payment=payment).state == Registration.State.CONFIRMED
        assert_whole(payment, refunds=[4_000, 6_000])


class TestLost:
    def test_events_are_fetched_from_stripes_list(self, sandbox, run_jobs, settings) -> None:
        payment = flows.paid(sandbox)
        sandbox.control.delivery("lost")
        sandbox.control.refund_from_dashboard(payment.stripe_payment_intent_id or "", amount=2_000)
        flows.settle(sandbox)
        assert not Refund.objects.exists()

        replay.sweep_missed()
        run_jobs()

        assert Refund.objects.get().source == Refund.Source.EXTERNAL
        assert_whole(payment, refunds=[2_000])

    def test_payment_is_found_by_the_return_page(self, sandbox, client, run_jobs) -> None:
        sandbox.control.delivery("lost")
        done = flows.registered(flows.open_event())
        assert done.payment_id is not None
        checkout.open(payment_id=done.payment_id)
        payment = Payment.objects.get(pk=done.payment_id)
        sandbox.control.pay(payment.checkout_sessions.get().stripe_session_id or "")

        page = client.get(f"/payments/{payment.public_id}/return")

        assert "You are registered" in page.content.decode()
        assert Payment.objects.get(pk=payment.pk).state == Payment.State.SUCCEEDED


class TestForged:
    @pytest.mark.parametrize("mode", ["bad_signature", "stale"])
    def test_and_stale_events_are_refused_without_a_row(self, sandbox, mode: str) -> None:
        payment = flows.paid(sandbox)
        before = InboundEvent.objects.count()
        sandbox.control.delivery(mode)
        sandbox.control.refund_from_dashboard(payment.stripe_payment_intent_id or "", amount=2_000)

        flows.settle(sandbox)

        assert InboundEvent.objects.count() == before
        assert not Refund.objects.exists()
        assert all(each["responses"] == [400] for each in sandbox.control.deliveries() if each["manner"] == mode)

    def test_bodies_with_a_signature_of_another_secret_are_refused_over_http(self, client, settings) -> None:
        settings.STRIPE_WEBHOOK_SECRETS = ["whsec_ours"]
        body = json.dumps({"id": "evt_1", "type": "charge.updated", "created": 1, "data": {"object": {}}})
        header = f"t={int(time.time())},v1={'0' * 64}"

        answer = client.generic("POST", "/webhooks/stripe", body, "application/json", headers={"Stripe-Signature": header})

        assert answer.status_code == 400
        assert "signing secret" in answer.content.decode()
        assert not InboundEvent.objects.exists()

    @pytest.mark.parametrize("header", ["", "t=,v1=", "v1=abc", "t=1e9,v1=00", "t=²,v1=00", "nonsense"])
    def test_headers_that_are_none_are_refused(self, client, header: str) -> None:
        answer = client.generic("POST", "/webhooks/stripe", "{}", "application/json", headers={"Stripe-Signature": header})

        assert answer.status_code == 400
        assert not InboundEvent.objects.exists()


class TestNoSecret:
    def test_refuses_everything(self, settings) -> None:
        settings.STRIPE_WEBHOOK_SECRETS = []
        with pytest.raises(receiving.BadSignature):
            receiving.receive(endpoint="platform", body=b"{}", signature=f"t={int(time.time())},v1={'0' * 64}")
