"""Faults: what the caller sees, and what had happened all the same."""

import time
from typing import Any

import pytest
import stripe

from sandbox.stripe.control import ControlRefused
from sandbox.stripe.server import Sandbox
from tests.sandbox.conftest import client_of
from tests.sandbox.paying import paid_intent

KEY: stripe.RequestOptions = {"idempotency_key": "refund-1-1"}


class TestLostAnswers:
    @pytest.mark.parametrize("kind", ["timeout_after_success", "reset_after"])
    def test_leave_the_work_done_for_the_same_key_to_find(self, sandbox: Sandbox, client: stripe.StripeClient, kind: str) -> None:
        intent = paid_intent(client)
        sandbox.control.fault(kind, method="POST", path="/v1/refunds", seconds=30)
        hasty = client_of(sandbox.url, timeout=0.3)

        with pytest.raises(stripe.APIConnectionError):
            hasty.v1.refunds.create({"payment_intent": intent.id}, KEY)

        done = client.v1.refunds.list({"payment_intent": intent.id}).data
        assert len(done) == 1
        assert client.v1.refunds.create({"payment_intent": intent.id}, KEY).id == done[0].id

    def test_reset_before_leaves_nothing_done(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        sandbox.control.fault("reset_before", path="/v1/refunds")

        with pytest.raises(stripe.APIConnectionError):
            client.v1.refunds.create({"payment_intent": intent.id}, KEY)

        assert client.v1.refunds.list().data == []
        assert client.v1.refunds.create({"payment_intent": intent.id}, KEY).status == "succeeded"

    def test_are_survived_by_the_sdks_own_retries(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        sandbox.control.fault("reset_after", path="/v1/refunds")

        refund = client_of(sandbox.url, retries=2).v1.refunds.create({"payment_intent": intent.id})

        assert [r.id for r in client.v1.refunds.list().data] == [refund.id]


class TestRefusals:
    def test_rate_limit_does_nothing_and_frees_the_key(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)
        sandbox.control.fault("rate_limit", path="/v1/refunds")

        with pytest.raises(stripe.RateLimitError):
            client.v1.refunds.create({"payment_intent": intent.id}, KEY)

        assert client.v1.refunds.create({"payment_intent": intent.id}, KEY).status == "succeeded"

    def test_rate_limit_comes_before_a_stored_answer(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        first = client.v1.customers.create({}, KEY)
        sandbox.control.fault("rate_limit")

        with pytest.raises(stripe.RateLimitError):
            client.v1.customers.create({}, KEY)

        assert client.v1.customers.create({}, KEY).id == first.id

    @pytest.mark.parametrize("status", [409, 429])
    def test_lock_timeout_does_nothing(self, sandbox: Sandbox, client: stripe.StripeClient, status: int) -> None:
        intent = paid_intent(client)
        sandbox.control.fault("lock_timeout", path="/v1/refunds", status=status)

        with pytest.raises(stripe.StripeError) as refused:
            client.v1.refunds.create({"payment_intent": intent.id})

        assert refused.value.error is not None  # the SDK leaves `code` itself empty for these statuses
        assert (refused.value.http_status, refused.value.error.code) == (status, "lock_timeout")
        assert client.v1.refunds.list().data == []

    @pytest.mark.parametrize("work", [True, False])
    def test_a_stored_500_is_replayed_and_may_have_done_the_work(self, sandbox: Sandbox, client: stripe.StripeClient, work: bool) -> None:
        intent = paid_intent(client)
        sandbox.control.fault("stored_500", path="/v1/refunds", work=work)

        for _ in range(2):
            with pytest.raises(stripe.APIError) as broken:
                client.v1.refunds.create({"payment_intent": intent.id}, KEY)

        assert broken.value.http_status == 500
        assert len(client.v1.refunds.list().data) == (1 if work else 0)


class TestArming:
    def test_meets_the_named_requests_only_and_counts_down(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.fault("rate_limit", method="POST", path="/v1/customers", count=2, skip=1)

        outcomes = []
        for _ in range(4):
            try:
                client.v1.customers.create({})
                outcomes.append("ok")
            except stripe.RateLimitError:
                outcomes.append("429")
            client.v1.customers.list()

        assert outcomes == ["ok", "429", "429", "ok"]
        assert [r["fault"] for r in sandbox.control.requests(method="POST", path="/v1/customers")] == [
            None,
            "rate_limit",
            "rate_limit",
            None,
        ]

    def test_can_be_undone(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.fault("rate_limit", count=100)

        sandbox.control.clear_faults()

        assert client.v1.customers.list().data == []

    def test_refuses_an_unknown_kind(self, sandbox: Sandbox) -> None:
        with pytest.raises(ControlRefused, match="Invalid kind"):
            sandbox.control.fault("explode")

    def test_names_what_is_missing_from_a_control_call(self, sandbox: Sandbox) -> None:
        with pytest.raises(ControlRefused, match="Missing required param: seconds"):
            sandbox.control.call("POST", "/clock/advance", {})

    def test_slow_answers_late(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.fault("slow", seconds=0.3)
        started = time.monotonic()

        client.v1.customers.list()

        assert time.monotonic() - started >= 0.3


class TestRequests:
    def test_lists_what_came_in(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        client.v1.customers.create({"metadata": {"user": "u1"}}, KEY)

        found: list[dict[str, Any]] = sandbox.control.requests()

        assert found == [
            {
                "method": "POST",
                "path": "/v1/customers",
                "idempotency_key": "refund-1-1",
                "params": {"metadata": {"user": "u1"}},
                "status": 200,
                "replayed": False,
                "fault": None,
            }
        ]
