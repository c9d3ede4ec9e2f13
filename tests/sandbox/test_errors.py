"""Stripe's error envelope, whatever is wrong with a request."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from sandbox.stripe.server import Sandbox


def raw(sandbox: Sandbox, method: str, path: str, *, key: str | None = "sk_test_1234", body: str = "") -> tuple[int, dict[str, Any], str]:
    """(status, body, request id) of a call without the SDK."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(sandbox.url).port)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection.request(method, path, body.encode(), headers)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read()), str(answer.headers["Request-Id"])
    connection.close()
    return found


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "message"),
        [
            (None, "You did not provide an API key"),
            ("sk_live_1234", "live key"),
            ("pk_test_1", "Invalid API Key"),
            ("sk_test_", "Invalid API Key"),
        ],
    )
    def test_are_refused_unless_they_are_test_keys(self, sandbox: Sandbox, key: str | None, message: str) -> None:
        status, body, request_id = raw(sandbox, "POST", "/v1/customers", key=key)

        assert (status, body["error"]["type"]) == (401, "invalid_request_error")
        assert message in body["error"]["message"]
        assert request_id.startswith("req_")
        assert raw(sandbox, "GET", "/v1/customers")[1]["data"] == []

    def test_may_come_by_basic_authentication(self, sandbox: Sandbox) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(sandbox.url).port)
        connection.request("GET", "/v1/balance", headers={"Authorization": "Basic c2tfdGVzdF8xMjM0Og=="})

        assert connection.getresponse().status == 200
        connection.close()


class TestHeaders:
    def test_refuse_another_version_of_the_api(self, client: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version: 2020-08-27"):
            client.v1.balance.retrieve(options={"stripe_version": "2020-08-27"})

    def test_refuse_another_account(self, client: stripe.StripeClient) -> None:
        with pytest.raises(stripe.PermissionError, match="does not have access to account 'acct_other'"):
            client.v1.balance.retrieve(options={"stripe_account": "acct_other"})


class TestRequests:
    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "/v1/nothing"), ("POST", "/v1/refunds/re_1/approve"), ("DELETE", "/v1/refunds/re_1"), ("GET", "/")]
    )
    def test_to_an_unknown_url_are_not_found(self, sandbox: Sandbox, method: str, path: str) -> None:
        status, body, _ = raw(sandbox, method, path)

        assert status == 404
        assert body["error"]["message"].startswith(f"Unrecognized request URL ({method}: {path})")

    def test_for_an_unknown_object_are_not_found(self, client: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.refunds.retrieve("re_unknown")

        assert (refused.value.http_status, refused.value.code, refused.value.param) == (404, "resource_missing", "id")
        assert refused.value.user_message == "No such refund: 're_unknown'"

    def test_do_not_find_an_object_under_another_type(self, client: stripe.StripeClient) -> None:
        customer = client.v1.customers.create({})

        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.retrieve(customer.id)

    @pytest.mark.parametrize(
        ("body", "code", "param"),
        [
            ("amount=5000&currency=usd&colour=red", "parameter_unknown", "colour"),
            (
                "amount=5000&currency=usd&automatic_payment_methods[enabled]=true&automatic_payment_methods[x]=1",
                "parameter_unknown",
                "automatic_payment_methods[x]",
            ),
            ("amount=ten&currency=usd", "parameter_invalid_integer", "amount"),
            ("amount=50.5&currency=usd", "parameter_invalid_integer", "amount"),
            ("amount=\u0665\u0660&currency=usd", "parameter_invalid_integer", "amount"),
            ("currency=usd", "parameter_missing", "amount"),
            ("amount=5000", "parameter_missing", "currency"),
            ("amount=&currency=usd", "parameter_invalid_empty", "amount"),
            ("amount=5000&currency=usd&confirm=maybe", None, "confirm"),
            ("amount=5000&currency=usd&metadata=x", None, "metadata"),
            ("amount=5000&currency=usd&metadata[a][b]=x", None, "metadata[a]"),
            (f"amount=5000&currency=usd&metadata[a]={'x' * 501}", None, "metadata[a]"),
            (f"amount=5000&currency=usd&description={'x' * 1001}", "parameter_invalid_string_too_long", "description"),
            ("amount=5000&currency=usd&expand=x", None, "expand"),
        ],
    )
    def test_with_wrong_parameters_are_refused(self, sandbox: Sandbox, body: str, code: str | None, param: str) -> None:
        status, answer, _ = raw(sandbox, "POST", "/v1/payment_intents", body=body)

        assert (status, answer["error"].get("code"), answer["error"]["param"]) == (400, code, param)
        assert raw(sandbox, "GET", "/v1/payment_intents")[1]["data"] == []

    def test_keep_what_was_written_in_any_script(self, client: stripe.StripeClient) -> None:
        name = "Zoë 🎓 אבג " + "x" * 200

        assert client.v1.customers.retrieve(client.v1.customers.create({"name": name}).id).name == name
