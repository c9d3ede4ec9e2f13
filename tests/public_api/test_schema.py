"""The committed description, and what the public may never read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from config.env import BASE_DIR
from core.errors import DomainError
from public_api.error_codes import DOMAIN, SURFACE, Code

SCHEMA = json.loads((BASE_DIR / "public_api/openapi.json").read_text(encoding="utf-8"))
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
OPERATIONS = [(method.upper(), path, operation) for path, item in SCHEMA["paths"].items() for method, operation in item.items()]
EXAMPLES = {
    "event": "evt_01m839vw98et780n0qqqctcsma",
    "event_id": "evt_01m839vw98et780n0qqqctcsma",
    "registration_id": "reg_01m839vwtmej1t59j6dja3kfqf",
    "session_id": "1",
    "organization_id": "org_01m839vwtmej1t59j6dja3kfqf",
    "check_in_id": "chi_01m839vwtmej1t59j6dja3kfqf",
    "payout_id": "pyt_01m839vwtmej1t59j6dja3kfqf",
    "document_id": "doc_01m839vw98et780n0qqqctcsma",
    "membership_id": "mem_01m839vwtmej1t59j6dja3kfqf",
    "invitation_id": "inv_01m839vwtmej1t59j6dja3kfqf",
    "organization": "nobody",
    "token": "x" * 43,
}
PRIVATE = {"password", "online_url", "guest_key_hash", "responsible_id", "host", "host_id", "staff_groups", "client_secret", "is_superuser"}
OF_PEOPLE = {"email", "user", "user_id", "ip"}


def test_committed_references_are_what_would_be_written() -> None:
    call_command("write_references", "--check")


def schemas_of(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every schema that an answer of this operation can show, errors aside."""
    waiting = [
        body["schema"]
        for status, response in operation["responses"].items()
        if status < "400"
        for body in response.get("content", {}).values()
    ]
    seen: set[str] = set()
    while waiting:
        schema = waiting.pop()
        name = schema.get("$ref", "").rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            waiting.append(SCHEMA["components"]["schemas"][name])
        yield schema
        waiting += [*schema.get("properties", {}).values(), *schema.get("anyOf", []), *schema.get("allOf", [])]
        waiting += [schema["items"]] if "items" in schema else []


def fields_of(operation: dict[str, Any]) -> set[str]:
    return {field for schema in schemas_of(operation) for field in schema.get("properties", {})}


class TestSchema:
    @pytest.mark.rule("S25")
    @pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
    def test_shows_nothing_private_and_nothing_of_stripes(self, method: str, path: str, operation: dict[str, Any]) -> None:
        fields = fields_of(operation)
        assert not fields & PRIVATE
        assert not {field for field in fields if "stripe" in field or "hash" in field or "secret" in field}

    @pytest.mark.rule("S19")
    @pytest.mark.parametrize(
        "operation_id", ["list_events", "get_event", "quote_event", "register", "list_organizers", "get_organizer", "get_invitation"]
    )
    def test_shows_the_public_nothing_about_people(self, operation_id: str) -> None:
        operation = next(operation for _, _, operation in OPERATIONS if operation["operationId"] == operation_id)
        assert not fields_of(operation) & OF_PEOPLE

    def test_promises_every_field_of_an_answer(self) -> None:
        for method, path, operation in OPERATIONS:
            for schema in schemas_of(operation):
                assert set(schema.get("required", [])) == set(schema.get("properties", {})), (method, path, schema)

    @pytest.mark.rule("S7")
    def test_refuses_fields_that_a_body_does_not_know(self) -> None:
        for _, _, operation in OPERATIONS:
            for body in operation.get("requestBody", {}).get("content", {}).values():
                name = body["schema"]["$ref"].rpartition("/")[2]
                assert SCHEMA["components"]["schemas"][name]["additionalProperties"] is False

    def test_names_each_operation_once(self) -> None:
        names = [operation["operationId"] for _, _, operation in OPERATIONS]
        assert len(names) == len(set(names))

    def test_asks_for_a_key_wherever_money_is_made_or_moved(self) -> None:
        for name in ("register", "cancel_registration", "cancel_my_registration", "refund_registration", "request_payout"):
            operation = next(operation for _, _, operation in OPERATIONS if operation["operationId"] == name)
            headers = {one["name"]: one["required"] for one in operation["parameters"] if one["in"] == "header"}
            assert headers == {"Idempotency-Key": True}


@pytest.mark.gap("8.2")
class TestErrorCodes:
    def test_are_all_written_down_with_their_status(self) -> None:
        written = {**{str(code): meaning for code, meaning in SURFACE.items()}, **DOMAIN}
        for refusal in _refusals(DomainError):
            if refusal.__module__.partition(".")[0] not in ("tests", "admin_ext"):  # a console's own refusals are answered as messages
                assert written[str(refusal.code)].status == refusal.http_status, refusal
        assert set(SURFACE) == set(Code)

    @pytest.mark.django_db
    @pytest.mark.parametrize("path", sorted(SCHEMA["paths"]))
    def test_stand_in_the_envelope_for_every_method_that_an_address_does_not_take(self, client: Client, path: str) -> None:
        taken = {method for method, other, _ in OPERATIONS if other == path}
        for method in set(METHODS) - taken:
            answer = client.generic(method, path.format(**EXAMPLES))
            assert answer.status_code == 405, (method, path)
            assert set(answer["Allow"].split(", ")) == taken
            if method != "HEAD":
                assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"

    @pytest.mark.django_db
    @pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
    def test_stand_in_the_envelope_for_whoever_may_not(self, client: Client, method: str, path: str, operation: dict[str, Any]) -> None:
        answer = client.generic(method, path.format(**EXAMPLES), b"", "application/json", headers={"Idempotency-Key": "k"})
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"code", "message", "details", "request_id"}


def _refusals(base: Any) -> Iterator[Any]:
    for refusal in base.__subclasses__():
        yield refusal
        yield from _refusals(refusal)
