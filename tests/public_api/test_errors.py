import json
from typing import Any

import pytest
from django.test import Client

from public_api.api import api

pytestmark = pytest.mark.django_db


def envelope_of(response: Any) -> dict[str, Any]:
    body = json.loads(response.content)
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details", "request_id"}
    assert body["error"]["message"].endswith(".")
    assert body["error"]["request_id"] == response["X-Request-Id"]
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.gap("8.2")
class TestEnvelope:
    def test_covers_an_unknown_path(self, client: Client) -> None:
        response = client.get("/api/v1/nothing/here")
        assert response.status_code == 404
        assert envelope_of(response)["code"] == "NOT_FOUND"

    def test_covers_a_method_that_is_not_there_and_names_those_that_are(self, client: Client) -> None:
        response = client.delete("/api/v1/events")
        assert response.status_code == 405
        assert response["Allow"] == "GET"
        assert envelope_of(response)["code"] == "METHOD_NOT_ALLOWED"

    def test_covers_a_filter_of_the_wrong_type_and_names_it(self, client: Client) -> None:
        response = client.get("/api/v1/events?limit=many")
        assert response.status_code == 422
        assert envelope_of(response)["details"]["fields"][0]["field"] == "limit"

    def test_covers_a_body_that_is_not_json(self, client: Client) -> None:
        response = client.post("/api/v1/auth/app/v1/auth/login", "email=a", content_type="application/x-www-form-urlencoded")
        assert response.status_code == 415
        assert envelope_of(response)["code"] == "UNSUPPORTED_MEDIA_TYPE"

    def test_covers_a_body_that_is_too_large_before_reading_it(self, client: Client) -> None:
        response = client.generic("POST", "/api/v1/events", b"x", "application/json", CONTENT_LENGTH="99999999")
        assert response.status_code == 413
        assert envelope_of(response)["code"] == "BODY_TOO_LARGE"

    def test_covers_an_unforeseen_exception(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def explode(_filters: Any) -> None:
            raise RuntimeError("secret detail")

        monkeypatch.setattr("public_api.event_pages.rows", explode)
        response = Client(raise_request_exception=False).get("/api/v1/events")
        assert response.status_code == 500
        assert envelope_of(response)["code"] == "INTERNAL_ERROR"
        assert b"secret detail" not in response.content


def test_every_operation_has_an_id_and_refuses_in_the_envelope() -> None:
    for path, item in api.get_openapi_schema()["paths"].items():
        for method, operation in item.items():
            assert operation["operationId"], (method, path)
            assert 422 in operation["responses"], (method, path)
