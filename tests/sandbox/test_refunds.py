"""Refunds: amounts, states, late and failing outcomes, and what each does to the balance."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.sandbox.conftest import client_of
from tests.sandbox.paying import balance, booked_intent, paid_intent


def event_types(client: stripe.StripeClient, *, since: int) -> list[str]:
    """Types of the events after the first `since`, oldest first."""
    found = [str(event.type) for event in client.v1.events.list({"limit": 100}).data][::-1]
    return found[since:]


class TestCreate:
    def test_takes_part_and_then_the_rest_out_of_the_balance(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)

        part = client.v1.refunds.create({"payment_intent": intent.id, "amount": 2000, "metadata": {"refund_id": "r1"}})
        rest = client.v1.refunds.create({"charge": intent.latest_charge, "reason": "requested_by_customer"})

        charge = client.v1.charges.retrieve(intent.latest_charge)
        assert (part.amount, rest.amount, part.status) == (2000, 3000, "succeeded")
        assert (charge.amount_refunded, charge.refunded) == (5000, True)
        assert balance(client) == 4825 - 5000
        assert [r.id for r in client.v1.refunds.list({"payment_intent": intent.id}).data] == [rest.id, part.id]
        assert [r.id for r in client.v1.refunds.list({"charge": intent.latest_charge}).data] == [rest.id, part.id]

    def test_tells_of_the_refund_and_of_the_charge(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        before = len(client.v1.events.list({"limit": 100}).data)

        client.v1.refunds.create({"payment_intent": intent.id})

        assert event_types(client, since=before) == ["refund.created", "charge.refunded"]

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"amount": 5001}, "amount_too_large"),
            ({"amount": 0}, "parameter_invalid_integer"),
            ({"amount": "ten"}, "parameter_invalid_integer"),
        ],
    )
    def test_refuses_a_wrong_amount(self, client: stripe.StripeClient, params: Any, code: str) -> None:
        intent = paid_intent(client)

        given: Any = {"payment_intent": intent.id, **params}
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.refunds.create(given)

        assert (refused.value.code, refused.value.param) == (code, "amount")
        assert client.v1.refunds.list().data == []

    def test_refuses_a_charge_that_is_already_refunded(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        client.v1.refunds.create({"payment_intent": intent.id})

        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.refunds.create({"payment_intent": intent.id})

        assert refused.value.code == "charge_already_refunded"
        assert len(client.v1.refunds.list().data) == 1

    def test_refuses_an_unpaid_and_an_unknown_payment(self, client: stripe.StripeClient) -> None:
        unpaid = client.v1.payment_intents.create({"amount": 5000, "currency": "usd"})

        with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
            client.v1.refunds.create({"payment_intent": unpaid.id})
        with pytest.raises(stripe.InvalidRequestError) as unknown:
            client.v1.refunds.create({"payment_intent": "pi_unknown"})
        with pytest.raises(stripe.InvalidRequestError) as missing:
            client.v1.refunds.create({})

        assert (unknown.value.code, unknown.value.param) == ("resource_missing", "payment_intent")
        assert missing.value.code == "parameter_missing"

    def test_refuses_an_amount_off_the_currencys_step(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client, 25_000, "kwd")

        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.refunds.create({"payment_intent": intent.id, "amount": 1005})

        assert refused.value.code == "invalid_charge_amount"


class TestAtOnce:
    def test_never_takes_more_than_was_paid(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)

        def refund(_: int) -> bool:
            try:
                client_of(sandbox.url).v1.refunds.create({"payment_intent": intent.id, "amount": 900})
            except stripe.InvalidRequestError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(refund, range(12)))

        assert sum(outcomes) == 5
        assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 4500
        assert balance(client) == 4825 - 4500


class TestBalanceTransaction:
    def test_waits_for_that_of_the_charge(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        refund = client.v1.refunds.create({"payment_intent": intent.id})
        assert (refund.status, refund.balance_transaction) == ("succeeded", None)

        sandbox.control.advance(2)

        booked = client.v1.refunds.retrieve(refund.id, {"expand": ["balance_transaction"]})
        assert isinstance(booked.balance_transaction, stripe.BalanceTransaction)
        assert (booked.balance_transaction.net, booked.balance_transaction.source) == (-5000, refund.id)
        assert "refund.updated" in event_types(client, since=0)
        assert balance(client) == -175

    def test_comes_late_when_asked_to(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.settings(refund_transaction_delay=3600)
        intent = booked_intent(sandbox, client)
        refund = client.v1.refunds.create({"payment_intent": intent.id})
        assert refund.balance_transaction is None

        sandbox.control.advance(3601)

        assert client.v1.refunds.retrieve(refund.id).balance_transaction is not None
        assert len(client.v1.balance_transactions.list({"source": refund.id}).data) == 1


class TestOutcomes:
    def test_pending_succeeds_when_settled(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        sandbox.control.next_refunds("pending")
        refund = client.v1.refunds.create({"payment_intent": intent.id})
        assert (refund.status, refund.balance_transaction, balance(client)) == ("pending", None, 4825)

        sandbox.control.settle_refund(refund.id)

        assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
        assert balance(client) == -175

    def test_applies_to_the_next_refund_only(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        sandbox.control.next_refunds("requires_action")

        first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
        second = client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})

        assert (first.status, second.status) == ("requires_action", "succeeded")

    def test_can_be_cancelled_while_it_waits(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        sandbox.control.next_refunds("requires_action", "succeeded")
        waiting = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})

        assert client.v1.refunds.cancel(waiting.id).status == "canceled"

        assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 0
        done = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})
        with pytest.raises(stripe.InvalidRequestError, match="status of succeeded"):
            client.v1.refunds.cancel(done.id)

    def test_failing_at_once_gives_nothing_back_to_book(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        sandbox.control.next_refunds("failed")

        refund = client.v1.refunds.create({"payment_intent": intent.id})

        assert (refund.status, refund.failure_reason) == ("failed", "lost_or_stolen_card")
        assert "failure_balance_transaction" not in refund.to_dict()
        assert balance(client) == 4825
        assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 0

    def test_failing_after_success_brings_the_money_back(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        refund = client.v1.refunds.create({"payment_intent": intent.id})
        before = len(client.v1.events.list({"limit": 100}).data)

        sandbox.control.fail_refund(refund.id, reason="expired_or_canceled_card")

        failed = client.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
        assert isinstance(failed.failure_balance_transaction, stripe.BalanceTransaction)
        assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
        assert (failed.failure_balance_transaction.type, failed.failure_balance_transaction.net) == ("refund_failure", 5000)
        assert balance(client) == 4825
        assert event_types(client, since=before) == ["refund.updated", "refund.failed"]

    @pytest.mark.parametrize(
        ("card", "first", "then"), [("pm_card_pendingRefund", "pending", "succeeded"), ("pm_card_refundFail", "succeeded", "failed")]
    )
    def test_follows_the_test_card(self, sandbox: Sandbox, client: stripe.StripeClient, card: str, first: str, then: str) -> None:
        intent = booked_intent(sandbox, client, card=card)
        refund = client.v1.refunds.create({"payment_intent": intent.id})
        assert refund.status == first

        sandbox.control.advance(6)

        assert client.v1.refunds.retrieve(refund.id).status == then

    def test_waits_for_balance_when_asked_to(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.settings(refunds_wait_for_balance=True)
        intent = booked_intent(sandbox, client)
        refund = client.v1.refunds.create({"payment_intent": intent.id})
        assert (refund.status, refund.pending_reason) == ("pending", "insufficient_funds")

        booked_intent(sandbox, client, 1000)

        assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
        assert balance(client) == 4825 + 941 - 5000


class TestDashboard:
    def test_makes_a_refund_without_metadata(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)

        made = sandbox.control.refund_from_dashboard(intent.id, amount=700)

        refund = client.v1.refunds.retrieve(made["id"])
        assert (refund.amount, refund.to_dict()["metadata"], refund.status) == (700, {}, "succeeded")
        event = client.v1.events.list({"type": "refund.created"}).data[0]
        assert event.to_dict()["request"]["id"] is None


class TestUpdate:
    def test_changes_metadata_only(self, client: stripe.StripeClient) -> None:
        refund = client.v1.refunds.create({"payment_intent": paid_intent(client).id})

        assert client.v1.refunds.update(refund.id, {"metadata": {"note": "x"}}).to_dict()["metadata"] == {"note": "x"}
        wrong: Any = {"amount": 1}
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.refunds.update(refund.id, wrong)

        assert refused.value.code == "parameter_unknown"
