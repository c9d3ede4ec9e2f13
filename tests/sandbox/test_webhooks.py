"""Webhooks over a real socket, proven genuine with the SDK: order, retries, and every way delivery goes wrong."""

import pytest
import stripe

from sandbox.stripe.control import ControlRefused
from sandbox.stripe.server import Sandbox
from tests.sandbox.conftest import Endpoint
from tests.sandbox.paying import booked_intent, paid_intent
from tests.sandbox.waiting import wait_until

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


class TestDelivery:
    def test_is_signed_and_in_order(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        booked_intent(sandbox, client)
        sandbox.control.flush()

        assert endpoint.types() == [*PAID, "charge.updated"]
        assert [d["responses"] for d in sandbox.control.deliveries()] == [[200]] * 4
        assert {e.api_version for e in endpoint.events()} == {"2026-08-26.dahlia"}

    def test_names_the_request_that_caused_it(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        client.v1.payment_intents.create({"amount": 5000, "currency": "usd"}, {"idempotency_key": "create-1"})
        sandbox.control.flush()

        request = endpoint.events()[0].to_dict()["request"]
        assert request["idempotency_key"] == "create-1"
        assert request["id"].startswith("req_")

    def test_counts_down_pending_webhooks(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        client.v1.payment_intents.create({"amount": 5000, "currency": "usd"})
        sandbox.control.flush()

        assert endpoint.events()[0].pending_webhooks == 1
        assert client.v1.events.list().data[0].pending_webhooks == 0
        assert client.v1.events.list({"delivery_success": False}).data == []

    def test_is_retried_until_answered_with_2xx(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        endpoint.answers = [500, 302]
        client.v1.payment_intents.create({"amount": 5000, "currency": "usd"})
        sandbox.control.flush()
        assert client.v1.events.list({"delivery_success": False}).data[0].type == "payment_intent.created"

        wait_until(lambda: sandbox.control.deliveries()[0]["state"] == "delivered")

        assert sandbox.control.deliveries()[0]["responses"] == [500, 302, 200]
        assert len({event.id for event in endpoint.events()}) == 1

    def test_sends_only_the_wanted_types_to_enabled_endpoints(
        self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint
    ) -> None:
        created = client.v1.webhook_endpoints.list().data[0]
        client.v1.webhook_endpoints.update(created.id, {"enabled_events": ["charge.succeeded"]})
        paid_intent(client)
        client.v1.webhook_endpoints.update(created.id, {"disabled": True})
        paid_intent(client)
        sandbox.control.flush()

        assert endpoint.types() == ["charge.succeeded"]

    def test_is_signed_with_a_chosen_secret(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        for secret in ("whsec_first", "whsec_chosen"):
            sandbox.control.endpoint(endpoint.url, secret=secret)
        endpoint.secret = "whsec_chosen"

        paid_intent(client)
        sandbox.control.flush()

        assert endpoint.types() == PAID
        assert len(client.v1.webhook_endpoints.list().data) == 1

    def test_tells_an_endpoint_for_connected_accounts_nothing_of_the_platform(
        self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint
    ) -> None:
        client.v1.webhook_endpoints.create({"url": endpoint.url, "enabled_events": ["*"], "connect": True})
        paid_intent(client)
        sandbox.control.flush()

        assert len(endpoint.received) == 3

    def test_stops_with_the_endpoint(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        sandbox.control.delivery("hold")
        paid_intent(client)
        client.v1.webhook_endpoints.delete(client.v1.webhook_endpoints.list().data[0].id)

        sandbox.control.release()
        sandbox.control.flush()

        assert endpoint.received == []


class TestModes:
    def test_hold_waits_for_release(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        sandbox.control.delivery("hold")
        paid_intent(client)
        sandbox.control.flush()
        assert endpoint.received == []

        assert sandbox.control.release() == 3
        sandbox.control.flush()

        assert endpoint.types() == PAID

    def test_duplicate_sends_the_same_event_twice(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        sandbox.control.delivery("duplicate", types=["payment_intent.succeeded"])
        paid_intent(client)
        sandbox.control.flush()

        assert endpoint.types() == [*PAID, "payment_intent.succeeded"]
        assert len({event.id for event in endpoint.events()}) == 3

    def test_reorder_sends_the_newest_of_a_batch_first(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        sandbox.control.delivery("reorder", batch=3)
        paid_intent(client)
        sandbox.control.flush()

        assert endpoint.types() == PAID[::-1]

    def test_early_arrives_before_the_answer(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        sandbox.control.delivery("early")

        paid_intent(client)

        assert endpoint.types() == PAID

    def test_late_arrives_after_its_delay(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        sandbox.control.delivery("late", seconds=0.4)
        paid_intent(client)
        sandbox.control.flush()
        assert endpoint.received == []

        wait_until(lambda: len(endpoint.received) == 3)

        assert endpoint.types() == PAID

    def test_lost_never_arrives_but_is_listed(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        sandbox.control.delivery("lost", count=1)
        paid_intent(client)
        sandbox.control.flush()

        assert endpoint.types() == PAID[1:]
        assert "payment_intent.created" in [e.type for e in client.v1.events.list().data]

    def test_resend_delivers_what_was_lost(self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint) -> None:
        sandbox.control.delivery("lost", count=1)
        paid_intent(client)
        lost = next(e for e in client.v1.events.list().data if e.type == "payment_intent.created")

        sandbox.control.resend(lost.id)
        sandbox.control.flush()

        assert endpoint.events()[-1].id == lost.id

    @pytest.mark.parametrize(("mode", "problem"), [("bad_signature", "No signatures found"), ("stale", "Timestamp outside")])
    def test_forged_and_stale_ones_do_not_verify_and_are_sent_once(
        self, sandbox: Sandbox, client: stripe.StripeClient, endpoint: Endpoint, mode: str, problem: str
    ) -> None:
        endpoint.answers = [400]
        sandbox.control.delivery(mode, count=1)
        client.v1.payment_intents.create({"amount": 5000, "currency": "usd"})
        sandbox.control.flush()

        with pytest.raises(stripe.SignatureVerificationError, match=problem):
            endpoint.events()
        assert sandbox.control.deliveries()[0]["state"] == "failed"


class TestDeliver:
    def test_hands_due_webhooks_to_a_function_in_the_callers_thread(self) -> None:
        with Sandbox(deliver=False) as sandbox:
            client = stripe.StripeClient("sk_test_1234", base_addresses={"api": sandbox.url})
            created = client.v1.webhook_endpoints.create({"url": "http://platform.test/stripe", "enabled_events": ["*"]})
            paid_intent(client)
            received: list[stripe.Event] = []

            def post(url: str, headers: dict[str, str], body: bytes) -> int:
                received.append(stripe.Webhook.construct_event(body, headers["Stripe-Signature"], str(created.secret)))
                return 200

            with pytest.raises(ControlRefused, match="delivers nothing by itself"):
                sandbox.control.flush()
            assert sandbox.deliver(post) == 3
            assert sandbox.deliver(post) == 0

        assert [event.type for event in received] == PAID
