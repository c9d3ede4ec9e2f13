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


class TestCreate:
    def test_adds_up_its_lines_and_shows_what_it_was_given(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        params = session_params(1500, client_reference_id="pay_1", metadata={"a": "b"}, customer_email="ana@example.com")
        params["line_items"][0]["quantity"] = 3
        params["line_items"].append({"price_data": {"currency": "usd", "unit_amount": 0, "product_data": {"name": "Free extra"}}})

        session = client.v1.checkout.sessions.create(params)

        assert (session.amount_total, session.currency, session.status) == (4500, "usd", "open")
        assert (session.client_reference_id, session.to_dict()["metadata"]) == ("pay_1", {"a": "b"})
        assert session.payment_intent is None
        items = client.v1.checkout.sessions.line_items.list(session.id).data
        assert [(i.description, i.quantity, i.amount_total) for i in items] == [("Spring workshop", 3, 4500), ("Free extra", 1, 0)]
        expanded = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]}).line_items
        assert expanded is not None
        assert [item.id for item in expanded.data] == [item.id for item in items]
        assert session.url == f"{sandbox.url}/c/pay/{session.id}"

    def test_takes_the_email_of_a_customer(self, client: stripe.StripeClient) -> None:
        customer = client.v1.customers.create({"email": "ana@example.com"})

        session = client.v1.checkout.sessions.create(session_params(customer=customer.id))

        assert session.customer_details is not None
        assert (session.customer, session.customer_details.email, session.customer_creation) == (customer.id, "ana@example.com", None)
        assert [s.id for s in client.v1.checkout.sessions.list({"customer": customer.id}).data] == [session.id]

    @pytest.mark.parametrize(
        ("given", "param", "code"),
        [
            ({"success_url": None}, "success_url", "parameter_missing"),
            ({"success_url": "example.test/back"}, "success_url", "url_invalid"),
            ({"line_items": None}, "line_items", "parameter_missing"),
            ({"mode": "setup"}, "mode", None),
            ({"mode": None}, "mode", "parameter_missing"),
            ({"customer_email": "nobody"}, "customer_email", "email_invalid"),
            ({"customer": "cus_unknown"}, "customer", "resource_missing"),
            ({"customer": "cus_unknown", "customer_email": "a@example.com"}, "customer", None),
            ({"payment_method_types": ["paypal"]}, "payment_method_types[0]", None),
            ({"subscription_data": {"trial_period_days": 3}}, "subscription_data[trial_period_days]", "parameter_unknown"),
        ],
    )
    def test_refuses_wrong_parameters(self, client: stripe.StripeClient, given: Any, param: str, code: str | None) -> None:
        params = {name: value for name, value in {**session_params(), **given}.items() if value is not None}

        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.checkout.sessions.create(params)  # type: ignore[arg-type]

        assert (refused.value.param, refused.value.code) == (param, code)
        assert client.v1.checkout.sessions.list().data == []

    @pytest.mark.parametrize(
        ("amounts", "code"),
        [
            ([("usd", 49)], "amount_too_small"),
            ([("usd", 0)], None),
            ([("kwd", 5005)], "invalid_charge_amount"),
            ([("usd", 5000), ("eur", 5000)], None),
        ],
    )
    def test_refuses_lines_that_cannot_be_charged(self, client: stripe.StripeClient, amounts: Any, code: str | None) -> None:
        lines = [{"quantity": 1, "price_data": {"currency": c, "unit_amount": a, "product_data": {"name": "x"}}} for c, a in amounts]

        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.checkout.sessions.create(session_params(line_items=lines))

        assert refused.value.code == code

    @pytest.mark.parametrize(("seconds", "allowed"), [(29 * 60, False), (31 * 60, True), (24 * 3600, True), (24 * 3600 + 120, False)])
    def test_bounds_how_long_it_stays_open(self, sandbox: Sandbox, client: stripe.StripeClient, seconds: int, allowed: bool) -> None:
        expires_at = int(sandbox.control.now()) + seconds

        if allowed:
            assert client.v1.checkout.sessions.create(session_params(expires_at=expires_at)).expires_at == expires_at
        else:
            with pytest.raises(stripe.InvalidRequestError, match="expires_at"):
                client.v1.checkout.sessions.create(session_params(expires_at=expires_at))


class TestUpdate:
    def test_merges_metadata(self, client: stripe.StripeClient) -> None:
        session = client.v1.checkout.sessions.create(session_params(metadata={"a": "1"}))

        assert client.v1.checkout.sessions.update(session.id, {"metadata": {"b": "2"}}).to_dict()["metadata"] == {"a": "1", "b": "2"}
        assert client.v1.checkout.sessions.update(session.id, {"metadata": ""}).to_dict()["metadata"] == {}


class TestExpire:
    def test_ends_the_session_and_its_payment_intent(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        session = client.v1.checkout.sessions.create(session_params())
        sandbox.control.pay(session.id, card="4000000000000002")

        expired = client.v1.checkout.sessions.expire(session.id)

        assert (expired.status, expired.url) == ("expired", None)
        assert client.v1.payment_intents.retrieve(str(expired.payment_intent)).status == "canceled"
        assert [e.type for e in client.v1.events.list({"limit": 2}).data] == ["checkout.session.expired", "payment_intent.canceled"]

    def test_refuses_a_session_that_is_not_open(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        session = client.v1.checkout.sessions.create(session_params())
        sandbox.control.pay(session.id)

        with pytest.raises(stripe.InvalidRequestError, match="status of complete"):
            client.v1.checkout.sessions.expire(session.id)

    def test_happens_by_itself_at_its_time_and_once(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        session = client.v1.checkout.sessions.create(session_params(expires_at=int(sandbox.control.now()) + 1860))
        sandbox.control.advance(1800)
        assert client.v1.checkout.sessions.retrieve(session.id).status == "open"

        sandbox.control.advance(61)
        sandbox.control.advance(24 * 3600)

        assert [s.id for s in client.v1.checkout.sessions.list({"status": "expired"}).data] == [session.id]
        assert len(client.v1.events.list({"type": "checkout.session.expired"}).data) == 1


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

    def test_refuses_an_unknown_outcome_and_an_unknown_session(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        session = client.v1.checkout.sessions.create(session_params())

        with pytest.raises(ControlRefused, match="Invalid outcome"):
            sandbox.control.pay(session.id, outcome="perhaps")
        with pytest.raises(ControlRefused, match=r"No such checkout\.session"):
            sandbox.control.pay("cs_test_unknown")

    def test_asks_for_3d_secure_and_goes_on(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        passed, failed = (client.v1.checkout.sessions.create(session_params()).id for _ in range(2))

        assert sandbox.control.pay(passed, card="pm_card_authenticationRequired", challenge="pass")["session"]["status"] == "complete"
        answer = sandbox.control.pay(failed, card="pm_card_authenticationRequired", challenge="fail")
        assert (answer["session"]["status"], answer["error"]["code"]) == ("open", "payment_intent_authentication_failure")

    def test_waits_for_the_bank_until_it_is_settled(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        session = sandbox.control.pay(client.v1.checkout.sessions.create(session_params()).id, outcome="processing_until_settled")[
            "session"
        ]
        sandbox.control.advance(3600)
        assert client.v1.payment_intents.retrieve(session["payment_intent"]).status == "processing"

        assert sandbox.control.settle_payment(session["payment_intent"])["status"] == "succeeded"

        with pytest.raises(ControlRefused, match="status of succeeded"):
            sandbox.control.settle_payment(session["payment_intent"])
        assert client.v1.checkout.sessions.retrieve(session["id"]).payment_status == "paid"

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
