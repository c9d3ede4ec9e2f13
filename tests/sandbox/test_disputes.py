"""Disputes: what they withdraw and bring back, and how they stop refunds."""

import pytest
import stripe

from sandbox.stripe.control import ControlRefused
from sandbox.stripe.server import Sandbox
from tests.sandbox.paying import balance, booked_intent


def dispute_events(client: stripe.StripeClient) -> list[str]:
    found = [str(event.type) for event in client.v1.events.list({"type": "charge.dispute.*"}).data]
    return found[::-1]


class TestOpen:
    def test_withdraws_the_amount_and_a_fee_and_stops_refunds(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)

        dispute = sandbox.control.open_dispute(intent.id, reason="product_not_received")

        assert (dispute["status"], dispute["balance_transactions"][0]["net"]) == ("needs_response", -6500)
        assert balance(client) == 4825 - 6500
        assert client.v1.charges.retrieve(intent.latest_charge).disputed is True
        assert dispute_events(client) == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.refunds.create({"payment_intent": intent.id})
        assert refused.value.code == "charge_disputed"

    def test_moves_nothing_for_an_inquiry_until_it_escalates(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        inquiry = sandbox.control.open_dispute(intent.id, inquiry=True)
        assert (inquiry["status"], balance(client)) == ("warning_needs_response", 4825)
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})

        sandbox.control.decide_dispute(inquiry["id"], "escalate")

        assert client.v1.disputes.retrieve(inquiry["id"]).status == "needs_response"
        assert balance(client) == 4825 - 100 - 6500

    @pytest.mark.parametrize("card", ["pm_card_createDispute", "pm_card_createDisputeInquiry"])
    def test_follows_the_test_card(self, sandbox: Sandbox, client: stripe.StripeClient, card: str) -> None:
        booked_intent(sandbox, client, card=card)

        assert len(client.v1.disputes.list().data) == 1


class TestDecide:
    def test_brings_back_the_amount_of_a_won_one(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        dispute = sandbox.control.open_dispute(intent.id)

        won = sandbox.control.decide_dispute(dispute["id"], "won")

        assert (won["status"], [m["net"] for m in won["balance_transactions"]]) == ("won", [-6500, 5000])
        assert balance(client) == 4825 - 1500
        assert dispute_events(client)[2:] == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
        assert client.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"

    def test_brings_back_nothing_of_a_lost_one_and_closes_once(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        dispute = sandbox.control.open_dispute(intent.id)

        assert client.v1.disputes.close(dispute["id"]).status == "lost"

        assert balance(client) == 4825 - 6500
        assert "charge.dispute.funds_reinstated" not in dispute_events(client)
        with pytest.raises(ControlRefused, match="already closed"):
            sandbox.control.decide_dispute(dispute["id"], "won")

    def test_reviews_submitted_evidence(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        dispute = sandbox.control.open_dispute(intent.id)

        updated = client.v1.disputes.update(dispute["id"], {"evidence": {"uncategorized_text": "They came."}, "submit": True})

        assert (updated.status, updated.evidence_details.submission_count) == ("under_review", 1)
        assert client.v1.disputes.list({"payment_intent": intent.id}).data[0].id == dispute["id"]
