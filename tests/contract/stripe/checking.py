"""Whether calls, answers and webhooks are what Stripe's published description says."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs

from tests.contract.stripe.description import FORM, Schema, description
from tests.contract.stripe.encoding import decoded, typed

UNDESCRIBED = ("application",)  # in the events of an account that took its access away; the description we hold leaves it out
OUTSIDE = ("/c/", "/_sandbox/")  # pages and control: the sandbox's own, Stripe's description has no word on them


@dataclass(frozen=True)
class Call:
    """One exchange with the API."""

    method: str
    target: str  # path with query
    request_body: str
    status: int
    response_body: str


def violations(call: Call) -> list[str]:
    """What the request and the answer break, one line each; empty when they are as described."""
    return [*request_violations(call), *answer_violations(call)]


def request_violations(call: Call) -> list[str]:
    """What our side sent that Stripe does not know: route, parameter, type, or a field that cannot be expanded."""
    parts = urlsplit(call.target)
    if parts.path.startswith(OUTSIDE):
        return []
    found = description().operation(call.method, parts.path)
    if found is None:
        return [f"{call.method} {parts.path}: Stripe has no such route"]
    path, operation = found
    where = f"{call.method} {path} request"
    schema = _body_schema(operation) if call.method == "POST" else _query_schema(operation)
    given = typed(decoded(call.request_body if call.method == "POST" else parts.query), schema, description())
    problems = [f"{where}: expand {name!r}: {segment!r} cannot be expanded" for name, segment in _unexpandable(operation, given)]
    validator = description().validator((call.method, path), schema, answer=False)
    return problems + [f"{where}: {_explained(error)}" for error in validator.iter_errors(given)]


def answer_violations(call: Call) -> list[str]:
    """What the answer has that Stripe's would not have, or lacks."""
    parts = urlsplit(call.target)
    found = description().operation(call.method, parts.path)
    if parts.path.startswith(OUTSIDE) or (found is None and call.status >= 400):
        return []
    if found is None:
        return [f"{call.method} {parts.path}: answered {call.status}, but Stripe has no such route"]
    path, operation = found
    where = f"{call.method} {path} {call.status} answer"
    try:
        body = json.loads(call.response_body)
    except ValueError:
        return [f"{where}: not JSON: {call.response_body[:60]!r}"]
    schema = operation["responses"]["200" if call.status < 400 else "default"]["content"]["application/json"]["schema"]
    validator = description().validator((call.method, path, call.status < 400), schema, answer=True)
    problems = [f"{where}: {_explained(error)}" for error in validator.iter_errors(body)]
    return problems + [f"{where}: {at} ({obj['object']}) {problem}" for at, obj in _objects(body) for problem in _object_problems(obj)]


def webhook_violations(event: dict[str, Any]) -> list[str]:
    """What a webhook's body breaks: the envelope, its type, the object it carries."""
    problems = [f"event: {_explained(error)}" for error in description().object_validator("event").iter_errors(event)]
    kind = str(event.get("type"))
    if kind not in description().event_types:
        problems.append(f"event: {kind!r} is no type of event")
    carried = (event.get("data") or {}).get("object") or {}
    if carried.get("object") in UNDESCRIBED:
        return problems
    if "object" not in carried:
        return [*problems, f"{kind}: carries no object"]
    return problems + [
        f"{kind} {at} ({obj['object']}) {problem}" for at, obj in _objects(carried, "object") for problem in _object_problems(obj)
    ]


def _query_schema(operation: Schema) -> Schema:
    fields = [p for p in operation.get("parameters", []) if p["in"] == "query"]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {p["name"]: p["schema"] for p in fields},
        "required": [p["name"] for p in fields if p.get("required")],
    }


def _body_schema(operation: Schema) -> Schema:
    content = operation.get("requestBody", {}).get("content", {})
    schema: Schema = content.get(FORM, content.get("multipart/form-data", {})).get("schema", {"type": "object"})
    return schema


def _unexpandable(operation: Schema, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    for name in given.get("expand") or []:
        at = [answer]
        for segment in str(name).split("."):
            at = [schema for below in at for schema in _expanded(below, segment)]
            if not at:
                yield name, segment
                break


def _expanded(schema: Schema, segment: str) -> Iterator[Schema]:
    """The schemas a segment of an expand path leads to, from the schemas this one stands for."""
    schema = description().resolved(schema)
    for choice in schema.get("anyOf", [schema]):
        resolved = description().resolved(choice)
        field = resolved.get("properties", {}).get(segment)
        if field is None:
            continue
        inner = field.get("items", field)
        resources = inner.get("x-expansionResources")
        if resources:
            yield from ({"$ref": f"#/{name}"} for name in resources if name in description().schemas)
        elif "$ref" in inner or "anyOf" in inner or inner.get("type") in ("object", "array"):
            yield inner


def _objects(body: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every Stripe object inside a body, with its place."""
    if isinstance(body, list):
        for index, item in enumerate(body):
            yield from _objects(item, f"{at}/{index}")
    elif isinstance(body, dict):
        if at and isinstance(body.get("object"), str) and body["object"] != "list":
            yield at, body
        for name, below in body.items():
            if name != "metadata":
                yield from _objects(below, f"{at}/{name}" if at else name)


def _object_problems(obj: dict[str, Any]) -> list[str]:
    names = description().names_of(obj["object"])
    if not names:
        return ["is no type of object"]
    tries = [[_explained(error) for error in description().object_validator(name).iter_errors(obj)] for name in names]
    return min(tries, key=len)


def _explained(error: jsonschema_rs.ValidationError) -> str:
    where = "/".join(str(step) for step in error.instance_path) or "."
    return f"{where}: {error.message[:200]}"
