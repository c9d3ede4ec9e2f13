"""What a form body means by its schema: Stripe reads numbers and booleans out of text."""

import re
from typing import Any
from urllib.parse import parse_qsl

from tests.contract.stripe.description import Description, Schema

_SEGMENT = re.compile(r"\[([^\]]*)\]")
_WHOLE = re.compile(r"-?\d+")


class Unreadable(Exception):
    """A text that is no value of its schema's type."""


def decoded(text: str) -> dict[str, Any]:
    """`a[b][0]=v` as nested dictionaries; lists stay dictionaries with numbers for keys until a schema says otherwise."""
    root: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        start = key.find("[")
        path = [key] if start < 0 else [key[:start], *_SEGMENT.findall(key[start:])]
        at = root
        for segment in path[:-1]:
            below = at.setdefault(segment or str(len(at)), {})
            at = below if isinstance(below, dict) else {}
        at[path[-1] or str(len(at))] = value
    return root


def typed(value: Any, schema: Schema, description: Description) -> Any:
    """The value as its schema reads it. Raises Unreadable; inside an object what cannot be read stays text, for the validator to name."""
    schema = description.resolved(schema)
    if "anyOf" in schema:
        return _first_that_fits(value, schema["anyOf"], description)
    kind = schema.get("type")
    if kind == "object":
        return _record(value, schema, description)
    if kind == "array":
        return _list(value, schema, description)
    if not isinstance(value, str):
        raise Unreadable
    return _scalar(value, str(kind))


def _scalar(value: str, kind: str) -> Any:
    if kind == "integer":
        if not _WHOLE.fullmatch(value):
            raise Unreadable
        return int(value)
    if kind == "number":
        try:
            return float(value)
        except ValueError as error:
            raise Unreadable from error
    if kind == "boolean":
        if value not in ("true", "false"):
            raise Unreadable
        return value == "true"
    return value


def _first_that_fits(value: Any, choices: list[Schema], description: Description) -> Any:
    readable = []
    for choice in choices:
        try:
            candidate = typed(value, choice, description)
        except Unreadable:
            continue
        if description.validator(id(choice), choice, answer=False).is_valid(candidate):
            return candidate
        readable.append(candidate)
    return readable[0] if readable else value


def _record(value: Any, schema: Schema, description: Description) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable
    others = schema.get("additionalProperties")
    out = {}
    for name, below in value.items():
        field = schema.get("properties", {}).get(name) or (others if isinstance(others, dict) else None)
        try:
            out[name] = typed(below, field, description) if field else below
        except Unreadable:
            out[name] = below
    return out


def _list(value: Any, schema: Schema, description: Description) -> list[Any]:
    if not isinstance(value, dict) or not all(key.isdigit() for key in value):
        raise Unreadable
    out = []
    for key in sorted(value, key=int):
        try:
            out.append(typed(value[key], schema.get("items", {}), description))
        except Unreadable:
            out.append(value[key])
    return out
