"""The checker finds what departs from Stripe's description, and nothing else."""

import json
from typing import Any

import pytest

from tests.contract.stripe.checking import Call, answer_violations, request_violations, violations, webhook_violations

REFUND = {
    "id": "re_1",
    "object": "refund",
    "amount": 1000,
    "created": 1767225600,
    "currency": "usd",
    "charge": "ch_1",
    "status": "succeeded",
}
EVENT = {
    "id": "evt_1",
    "object": "event",
    "created": 1767225600,
    "livemode": False,
    "pending_webhooks": 0,
    "type": "refund.created",
    "data": {"object": REFUND},
    "api_version": "2026-08-26.dahlia",
    "request": None,
}


def call(method: str = "POST", target: str = "/v1/refunds", request: str = "", answer: Any = REFUND, status: int = 200) -> Call:
    return Call(method, target, request, status, json.dumps(answer))


class TestRequest:
    @pytest.mark.parametrize(
        ("method", "target", "body"),
        [
            ("POST", "/v1/refunds", "payment_intent=pi_1&amount=500&metadata[a]=b&expand[0]=charge.customer"),
            ("POST", "/v1/refunds/re_1", "metadata="),
            ("GET", "/v1/balance_transactions?created[gte]=1&created[lt]=2&limit=3&type=charge", ""),
            ("GET", "/v1/events?types[0]=charge.updated&delivery_success=true", ""),
            ("GET", "/v1/account", ""),
            ("GET", "/c/pay/cs_test_1", ""),
            ("POST", "/_sandbox/reset", "{}"),
        ],
    )
    def test_as_described_is_clean(self, method: str, target: str, body: str) -> None:
        assert request_violations(call(method, target, body)) == []

    @pytest.mark.parametrize(
        ("method", "target", "body", "problem"),
        [
            ("POST", "/v1/refunds", "colour=red", "colour"),
            ("POST", "/v1/refunds", "amount=ten", "amount"),
            ("POST", "/v1/refunds", "reason=bored", "reason"),
            ("POST", "/v1/refunds", "expand[0]=charge.nope", "'nope' cannot be expanded"),
            ("POST", "/v1/checkout/sessions", "line_items[0][price_data][colour]=red", "line_items"),
            ("POST", "/v1/payment_intents", "amount=1", "currency"),
            ("GET", "/v1/balance_transactions?colour=red", "", "colour"),
            ("GET", "/v1/nothing", "", "no such route"),
            ("DELETE", "/v1/refunds/re_1", "", "no such route"),
        ],
    )
    def test_with_anything_else_is_named(self, method: str, target: str, body: str, problem: str) -> None:
        found = request_violations(call(method, target, body))

        assert found
        assert problem in " ".join(found)


class TestAnswer:
    def test_as_described_is_clean(self) -> None:
        assert violations(call(request="charge=ch_1")) == []
        refused = {"error": {"type": "invalid_request_error", "message": "No", "code": "resource_missing", "param": "id"}}
        assert answer_violations(call(answer=refused, status=404)) == []

    @pytest.mark.parametrize(
        ("answer", "status", "problem"),
        [
            ({**REFUND, "colour": "red"}, 200, "colour"),
            ({**REFUND, "amount": "1000"}, 200, "amount"),
            ({k: v for k, v in REFUND.items() if k != "currency"}, 200, "currency"),
            ({**REFUND, "charge": {"object": "charge", "id": "ch_1"}}, 200, "charge (charge)"),
            ({**REFUND, "balance_transaction": {"object": "colour", "id": "x"}}, 200, "no type of object"),
            ({"error": {"type": "bad_luck"}}, 400, "type"),
            ({"detail": "no"}, 404, "detail"),
        ],
    )
    def test_with_anything_else_is_named(self, answer: Any, status: int, problem: str) -> None:
        found = answer_violations(call(answer=answer, status=status))

        assert found
        assert problem in " ".join(found)

    def test_that_is_not_json_is_named(self) -> None:
        assert "not JSON" in answer_violations(Call("POST", "/v1/refunds", "", 500, "<html>"))[0]


class TestWebhook:
    def test_as_described_is_clean(self) -> None:
        assert webhook_violations(EVENT) == []

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            ({"type": "refund.vanished"}, "no type of event"),
            ({"colour": "red"}, "colour"),
            ({"data": {"object": {**REFUND, "colour": "red"}}}, "colour"),
            ({"data": {"object": {"id": "x"}}}, "carries no object"),
        ],
    )
    def test_with_anything_else_is_named(self, changed: dict[str, Any], problem: str) -> None:
        assert problem in " ".join(webhook_violations({**EVENT, **changed}))
