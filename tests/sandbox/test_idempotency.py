"""Idempotency keys, as https://docs.stripe.com/api/idempotent_requests says."""

import threading
import urllib.error
import urllib.request

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.sandbox.conftest import client_of
from tests.sandbox.paying import paid_intent
from tests.sandbox.waiting import wait_until

KEY: stripe.RequestOptions = {"idempotency_key": "refund-1-1"}


class TestSameKey:
    def test_with_the_same_parameters_replays_the_answer(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)

        first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000}, KEY)
        second = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000}, KEY)

        assert first.id == second.id
        assert second.last_response is not None
        assert second.last_response.headers["Idempotent-Replayed"] == "true"
        assert len(client.v1.refunds.list().data) == 1
        assert len(client.v1.events.list({"type": "refund.created"}).data) == 1
        assert [r["replayed"] for r in sandbox.control.requests(method="POST", path="/v1/refunds")] == [False, True]

    def test_with_other_parameters_is_an_error(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000}, KEY)

        with pytest.raises(stripe.IdempotencyError) as refused:
            client.v1.refunds.create({"payment_intent": intent.id, "amount": 1001}, KEY)

        assert refused.value.http_status == 400
        assert len(client.v1.refunds.list().data) == 1

    def test_at_another_endpoint_is_an_error(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        client.v1.refunds.create({"payment_intent": intent.id}, KEY)

        with pytest.raises(stripe.IdempotencyError):
            client.v1.customers.create({}, KEY)

    def test_replays_a_refusal(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        client.v1.refunds.create({"payment_intent": intent.id})
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create({"payment_intent": intent.id}, KEY)

        with pytest.raises(stripe.InvalidRequestError) as replayed:
            client.v1.refunds.create({"payment_intent": intent.id}, KEY)

        assert replayed.value.code == "charge_already_refunded"
        assert replayed.value.headers is not None
        assert replayed.value.headers["Idempotent-Replayed"] == "true"

    def test_replays_a_declined_card_without_a_second_charge(self, client: stripe.StripeClient) -> None:
        for _ in range(2):
            with pytest.raises(stripe.CardError):
                client.v1.payment_intents.create(
                    {"amount": 5000, "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": True}, KEY
                )

        assert len(client.v1.charges.list().data) == 1

    def test_is_free_after_a_parameter_error(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create({"payment_intent": intent.id, "amount": 0}, KEY)

        assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 1}, KEY).amount == 1

    def test_is_forgotten_after_a_day(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        first = client.v1.customers.create({}, KEY)
        sandbox.control.advance(24 * 60 * 60 + 1)

        assert client.v1.customers.create({}, KEY).id != first.id

    def test_means_nothing_on_a_get(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        for method in ("GET", "GET"):
            request = urllib.request.Request(  # noqa: S310
                f"{sandbox.url}/v1/customers", method=method, headers={"Authorization": "Bearer sk_test_1234", "Idempotency-Key": "k"}
            )
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                assert "Idempotent-Replayed" not in answer.headers
            client.v1.customers.create({})


class TestInFlight:
    def test_is_refused_and_the_first_one_wins(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        sandbox.control.fault("slow", path="/v1/refunds", seconds=0.6)
        made: list[stripe.Refund] = []
        thread = threading.Thread(target=lambda: made.append(client.v1.refunds.create({"payment_intent": intent.id}, KEY)))
        thread.start()
        wait_until(lambda: sandbox.engine.in_flight("refund-1-1"))

        with pytest.raises(stripe.APIError) as refused:  # the SDK has no class of its own for a 409
            client_of(sandbox.url).v1.refunds.create({"payment_intent": intent.id}, KEY)
        thread.join()

        assert refused.value.error is not None
        assert (refused.value.http_status, refused.value.error.code) == (409, "idempotency_key_in_use")
        assert client.v1.refunds.create({"payment_intent": intent.id}, KEY).id == made[0].id
        assert len(client.v1.refunds.list().data) == 1
