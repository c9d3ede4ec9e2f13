"""What an event leads to: its object is read anew from Stripe, and what belongs to nobody here is left alone."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import stripe

from billing import checkout
from billing.gateway.base import GatewayRefused
from billing.models import CheckoutSession, InboundEvent
from billing.webhooks import handlers, replay
from core.jobs import RetryLater
from ledger.models import LedgerTransaction
from tests.billing.conftest import Shop, Till
from tests.factories.billing import again, checkout_session, payment_at_stripe, pending_payment, requested_refund

pytestmark = [pytest.mark.django_db, pytest.mark.gap("6.2")]


@pytest.fixture
def client(till: Till) -> stripe.StripeClient:
    """Somebody else who uses the same Stripe account."""
    return stripe.StripeClient("sk_test_somebody", base_addresses={"api": till.sandbox.url})


def foreign_intent(client: stripe.StripeClient, **values: Any) -> Any:
    given: Any = {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, **values}
    return client.v1.payment_intents.create(given)


class TestOrder:
    def test_does_not_matter(self, till: Till, shop: Shop, books: Callable[[], None]) -> None:
        payment = pending_payment()
        till.control.delivery("hold")
        till.pay(payment)
        intent = till.sandbox.world.store.select("payment_intent")[0]["id"]
        till.control.advance(2)
        till.control.refund_from_dashboard(intent, amount=2000)
        till.control.delivery("hold", types=["none"])
        for kind in ("refund.created", "charge.refunded", "charge.updated", "payment_intent.succeeded", "checkout.session.completed"):
            till.control.resend(next(row["event"] for row in till.control.deliveries() if row["type"] == kind))
            till.work()
            assert again(payment).state == "partially_refunded"
        till.control.release()
        till.settle()
        assert (again(payment).amount_refunded, shop.words()) == (2000, ["paid", "refunded 2000 of 2000"])
        books()


class TestNotOurs:
    @pytest.mark.parametrize("metadata", [{}, {"payment_id": "pay_x"}, {"payment_id": str(uuid4())}])
    def test_leaves_foreign_payments_refunds_and_disputes_alone(
        self, till: Till, client: stripe.StripeClient, metadata: dict[str, str]
    ) -> None:
        intent = foreign_intent(client, metadata=metadata)
        till.settle()
        till.control.open_dispute(intent.id, inquiry=True)
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 100, "metadata": {"refund_id": "mine"}})
        till.settle()
        assert set(InboundEvent.objects.values_list("state", flat=True)) == {"ignored"}
        assert InboundEvent.objects.count() >= 5
        assert not LedgerTransaction.objects.exists()

    @pytest.mark.parametrize("metadata", [None, {"checkout": "chk_nonsense"}, {"checkout": "chk_" + "0" * 26}])
    def test_leaves_foreign_sessions_alone(self, till: Till, client: stripe.StripeClient, metadata: dict[str, str] | None) -> None:
        given: Any = {
            "mode": "payment",
            "success_url": "https://elsewhere.example/",
            "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 900, "product_data": {"name": "Mug"}}}],
            **({"metadata": metadata} if metadata else {}),
        }
        session = client.v1.checkout.sessions.create(given)
        client.v1.checkout.sessions.expire(session.id)
        till.work()
        assert list(InboundEvent.objects.values_list("type", "state")) == [("checkout.session.expired", "ignored")]
        assert not CheckoutSession.objects.exists()

    def test_leaves_a_charge_without_an_intent_alone(self) -> None:
        with pytest.raises(handlers.NotOurs):
            handlers.charge({"id": "ch_1", "payment_intent": None})

    def test_leaves_a_refund_of_a_charge_without_an_intent_alone(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        payment = payment_at_stripe(till.sandbox)
        refund = till.control.refund_from_dashboard(payment.stripe_payment_intent_id or "")
        monkeypatch.setitem(refund, "payment_intent", None)
        till.sandbox.world.store.save(refund)
        with pytest.raises(handlers.NotOurs):
            handlers.refund({"id": refund["id"]})

    def test_leaves_a_dispute_without_an_intent_alone(self, till: Till, client: stripe.StripeClient) -> None:
        intent = foreign_intent(client)
        dispute = till.control.open_dispute(intent.id)
        dispute["payment_intent"] = None
        till.sandbox.world.store.save(dispute)
        with pytest.raises(handlers.NotOurs):
            handlers.dispute({"id": dispute["id"]})

    def test_leaves_a_dispute_alone_whose_intent_shows_another_charge(self, till: Till) -> None:
        payment = payment_at_stripe(till.sandbox)
        dispute = till.control.open_dispute(payment.stripe_payment_intent_id or "")
        dispute["charge"] = "ch_earlier"
        till.sandbox.world.store.save(dispute)
        with pytest.raises(handlers.NotOurs):
            handlers.dispute({"id": dispute["id"]})


class TestLostAnswer:
    def test_is_made_good_by_the_sessions_event(self, till: Till, shop: Shop) -> None:
        payment = pending_payment()
        till.control.fault("reset_after", method="POST", path="/v1/checkout/sessions")
        checkout.open(payment_id=payment.pk)
        session = till.sandbox.world.store.select("checkout.session")[0]["id"]
        till.control.delivery("lost", types=["payment_intent.succeeded", "charge.updated", "charge.succeeded", "payment_intent.created"])
        till.control.pay(session)
        till.work()
        row = payment.checkout_sessions.get()
        assert (row.state, row.stripe_session_id, again(payment).state) == ("complete", session, "succeeded")
        assert shop.words() == ["paid"]

    def test_never_gives_one_sessions_event_to_another(self, till: Till) -> None:
        payment = pending_payment()
        till.control.fault("stored_500", method="POST", path="/v1/checkout/sessions", work=True)
        checkout.open(payment_id=payment.pk)
        orphan = till.sandbox.world.store.select("checkout.session")[0]["id"]
        till.control.fault("reset_before", method="POST", path="/v1/checkout/sessions")
        checkout.open(payment_id=payment.pk)
        assert [row.state for row in payment.checkout_sessions.order_by("number")] == ["expired", "opening"]

        stripe.StripeClient("sk_test_x", base_addresses={"api": till.sandbox.url}).v1.checkout.sessions.expire(orphan)
        till.work()
        assert [row.state for row in payment.checkout_sessions.order_by("number")] == ["expired", "opening"]
        assert checkout_session(payment) != orphan


class TestRefund:
    def test_finds_ours_by_its_metadata_before_the_answer_came(self, till: Till) -> None:
        payment = payment_at_stripe(till.sandbox)
        refund = requested_refund(payment, 2000)
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": till.sandbox.url})
        made = client.v1.refunds.create(
            {
                "payment_intent": payment.stripe_payment_intent_id or "",
                "amount": 2000,
                "metadata": {"refund_id": str(refund.pk), "attempt": "1"},
            }
        )
        till.deliver()
        for row in InboundEvent.objects.all():
            handlers.HANDLERS.get(row.type, lambda found: None)({"id": row.object_id, "payment_intent": payment.stripe_payment_intent_id})
        assert (again(refund).state, again(refund).stripe_refund_id) == ("succeeded", made.id)
        assert payment.refunds.count() == 1


class TestOvertaken:
    @pytest.mark.parametrize("kind", ["refund.created", "charge.refunded"])
    def test_hears_first_that_an_earlier_refund_failed(self, till: Till, kind: str, books: Callable[[], None]) -> None:
        payment = payment_at_stripe(till.sandbox)
        ours = requested_refund(payment)
        till.settle()
        till.control.delivery("lost")
        till.control.fail_refund(again(ours).stripe_refund_id or "")
        till.control.refund_from_dashboard(payment.stripe_payment_intent_id or "")
        till.control.delivery("normal")
        till.control.resend([row["event"] for row in till.control.deliveries() if row["type"] == kind][-1])
        till.work()
        assert [(row.source, row.state) for row in payment.refunds.order_by("id")] == [("console", "failed"), ("external", "succeeded")]
        assert (again(payment).state, again(payment).amount_refunded) == ("refunded", 5000)
        assert set(InboundEvent.objects.values_list("state", flat=True)) == {"processed"}
        books()


class TestMissed:
    def test_finds_what_never_arrived(self, till: Till, shop: Shop, books: Callable[[], None]) -> None:
        payment = pending_payment()
        till.control.delivery("lost")
        till.pay(payment)
        till.control.advance(5)
        till.work()
        assert (InboundEvent.objects.count(), again(payment).state) == (0, "pending")

        for _ in range(2):
            replay.sweep_missed()
        count = InboundEvent.objects.count()
        till.settle()
        assert (again(payment).state, shop.words()) == ("succeeded", ["paid"])
        assert InboundEvent.objects.count() == count
        assert set(InboundEvent.objects.values_list("repeats", flat=True)) == {0}
        books()

    @pytest.mark.parametrize("kind", ["rate_limit", "reset_before"])
    def test_comes_back_while_stripe_does_not_answer(self, till: Till, kind: str) -> None:
        till.control.fault(kind, method="GET", path="/v1/events")
        with pytest.raises(RetryLater):
            replay.sweep_missed()

    def test_says_what_stripe_refuses(self, till: Till) -> None:
        with pytest.raises(GatewayRefused):
            handlers.payment_intent({"id": "pi_unknown"})
