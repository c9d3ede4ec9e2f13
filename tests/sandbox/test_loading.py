"""Bulk load: the same objects as real calls make, at other times, without webhooks."""

from typing import Any

import pytest
import stripe

from sandbox.stripe.control import ControlRefused
from sandbox.stripe.server import Sandbox
from tests.sandbox.conftest import Endpoint
from tests.sandbox.paying import balance

JANUARY = 1_767_225_600
DAY = 86_400


def payment(suffix: str, **more: Any) -> dict[str, Any]:
    return {"type": "payment", "suffix": suffix, "amount": 5000, "currency": "usd", "created": JANUARY, **more}


class TestPayment:
    def test_makes_everything_with_given_ids_and_times(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        checkout = {"client_reference_id": "reg_1", "metadata": {"registration": "reg_1"}}
        record = payment("r1", metadata={"payment": "p1"}, customer_email="ana@example.com", checkout=checkout, fee=200)

        assert sandbox.control.load([record]) == {"payment": 1}
        sandbox.control.flush()

        session = client.v1.checkout.sessions.retrieve("cs_test_r1", {"expand": ["payment_intent.latest_charge.balance_transaction"]})
        intent: Any = session.payment_intent
        movement = intent.latest_charge.balance_transaction
        assert (session.payment_status, session.client_reference_id, session.created) == ("paid", "reg_1", JANUARY)
        assert (intent.id, intent.metadata["payment"], intent.latest_charge.id) == ("pi_r1", "p1", "ch_r1")
        assert (movement.id, movement.fee, movement.net, movement.created) == ("txn_r1", 200, 4800, JANUARY)
        assert movement.available_on == JANUARY + 2 * DAY
        assert endpoint.received == []
        assert "checkout.session.completed" in [e.type for e in client.v1.events.list({"created": JANUARY}).data]

    def test_makes_refunds_in_every_state(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        states = ["succeeded", "pending", "requires_action", "canceled", "failed", "failed"]
        refunds = [{"created": JANUARY + DAY, "amount": 100, "status": status} for status in states]
        refunds[-1]["failed_at"] = JANUARY + 5 * DAY
        refunds[0]["metadata"] = {"refund_id": "rf_1"}

        sandbox.control.load([payment("r1", refunds=refunds)])

        found = {r.id: r for r in client.v1.refunds.list().data}
        assert [found[f"re_r1r{n}"].status for n in range(1, 7)] == states
        assert found["re_r1r1"].to_dict()["metadata"] == {"refund_id": "rf_1"}
        assert found["re_r1r1"].balance_transaction == "txn_r1r1"
        assert found["re_r1r6"].failure_balance_transaction == "txn_r1r6f"
        assert client.v1.balance_transactions.retrieve("txn_r1r6f").created == JANUARY + 5 * DAY
        assert client.v1.charges.retrieve("ch_r1").amount_refunded == 300
        assert balance(client) == 4825 - 100

    def test_makes_a_dispute_and_its_end(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        lost = payment("r1", dispute={"created": JANUARY + DAY})
        won = payment("r2", dispute={"created": JANUARY + DAY, "outcome": "won", "closed_at": JANUARY + 9 * DAY})

        sandbox.control.load([lost, won])

        assert (client.v1.disputes.retrieve("du_r1d").status, client.v1.disputes.retrieve("du_r2d").status) == ("needs_response", "won")
        assert balance(client) == 2 * 4825 - 2 * 6500 + 5000

    def test_is_refunded_like_any_other(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.load([payment("r1")])

        assert client.v1.refunds.create({"payment_intent": "pi_r1"}).balance_transaction is not None

    def test_comes_all_or_none(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        with pytest.raises(ControlRefused, match="no record type"):
            sandbox.control.load([payment("r1"), {"type": "payout"}])

        assert client.v1.charges.list().data == []
        assert sandbox.control.load([payment("r1")]) == {"payment": 1}


class TestOthers:
    def test_sessions_nobody_paid(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        record = {
            "type": "checkout_session",
            "suffix": "s1",
            "amount": 5000,
            "currency": "usd",
            "created": JANUARY,
            "checkout": {},
            "status": "expired",
        }

        sandbox.control.load([record])

        assert client.v1.checkout.sessions.retrieve("cs_test_s1").status == "expired"
        assert client.v1.checkout.sessions.list({"status": "open"}).data == []

    def test_a_movement_that_nothing_explains(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        record = {
            "type": "balance_transaction",
            "suffix": "x1",
            "kind": "stripe_fee",
            "amount": -500,
            "currency": "usd",
            "created": JANUARY,
        }

        sandbox.control.load([record])

        assert client.v1.balance_transactions.retrieve("txn_x1").type == "stripe_fee"
        assert balance(client) == -500


class TestAccount:
    def test_is_onboarded_with_its_banks_and_nobody_is_told(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        record = {"type": "account", "created": JANUARY, "country": "DE", "currencies": ["eur", "jpy"]}

        assert sandbox.control.load([{**record, "suffix": "one"}, {**record, "suffix": "two", "restricted": True}]) == {"account": 2}

        one, two = (client.v1.accounts.retrieve(f"acct_{name}") for name in ("one", "two"))
        assert (one.created, one.country, one.default_currency, one.details_submitted) == (JANUARY, "DE", "eur", True)
        assert [(each.payouts_enabled, each.capabilities and each.capabilities.transfers) for each in (one, two)] == [
            (True, "active"),
            (False, "inactive"),
        ]
        assert one.external_accounts is not None
        assert [bank.currency for bank in one.external_accounts.data] == ["eur", "jpy"]
        assert two.requirements is not None
        assert two.requirements.past_due == ["individual.verification.document"]
