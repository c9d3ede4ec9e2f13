"""Checkout through the real SDK: sessions, payment, decline, expiry."""

from typing import Any

import pytest
import stripe

from sandbox.stripe.control import ControlRefused
from sandbox.stripe.server import Sandbox


def session_params(amount: int = 5000, currency: str = "usd", **more: Any) -> Any:
    price = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Spring workshop"}}
    return {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "success_url": "http://example.test/back?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://example.test/cancelled",
        **more,
    }


class TestPay:
    def test_completes_the_session_and_charges_the_card(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        created = client.v1.checkout.sessions.create(session_params(payment_intent_data={"metadata": {"payment": "pay_1"}}))

        assert sandbox.control.pay(created.id)["error"] is None

        session = client.v1.checkout.sessions.retrieve(created.id, {"expand": ["payment_intent.latest_charge"]})
        assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
        intent = session.payment_intent
        assert isinstance(intent, stripe.PaymentIntent)
        assert intent.metadata is not None
        assert intent.metadata.to_dict() == {"payment": "pay_1"}
        assert isinstance(intent.latest_charge, stripe.Charge)
        assert intent.latest_charge.amount == 5000

    def test_leaves_the_session_open_when_the_card_is_declined(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        created = client.v1.checkout.sessions.create(session_params())

        error = sandbox.control.pay(created.id, card="4000000000009995")["error"]

        assert error["decline_code"] == "insufficient_funds"
        assert client.v1.checkout.sessions.retrieve(created.id).status == "open"
        assert client.v1.balance_transactions.list().data == []

    def test_refuses_an_expired_session(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        created = client.v1.checkout.sessions.create(session_params())
        client.v1.checkout.sessions.expire(created.id)

        with pytest.raises(ControlRefused, match="expired"):
            sandbox.control.pay(created.id)


class TestBalanceTransaction:
    def test_comes_late_and_says_so(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        session = sandbox.control.pay(client.v1.checkout.sessions.create(session_params()).id)["session"]
        intent = client.v1.payment_intents.retrieve(session["payment_intent"])
        assert client.v1.charges.retrieve(str(intent.latest_charge)).balance_transaction is None

        sandbox.control.advance(2)

        charge = client.v1.charges.retrieve(str(intent.latest_charge), {"expand": ["balance_transaction"]})
        assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
        assert (charge.balance_transaction.amount, charge.balance_transaction.fee, charge.balance_transaction.net) == (5000, 175, 4825)
        updated = client.v1.events.list({"type": "charge.updated"}).data[0]
        assert updated.to_dict()["data"]["previous_attributes"] == {"balance_transaction": None}
