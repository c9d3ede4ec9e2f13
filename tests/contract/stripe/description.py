"""Stripe's OpenAPI description as JSON Schema: routes, request and answer schemas, objects by their `object` field."""

import gzip
import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jsonschema_rs

FILE = Path(__file__).parent / "openapi-2026-08-26.json.gz"
FORM = "application/x-www-form-urlencoded"
ALIASES = {"/v1/account": "/v1/accounts/{account}"}  # the own account: same object, the description names only the other path
_COPIED = ("type", "enum", "maxLength", "minLength", "pattern", "maximum", "minimum", "maxItems", "minItems", "required")

type Schema = dict[str, Any]


class Description:
    """Strict: an answer may not have a key that the description lacks."""

    def __init__(self, document: Schema) -> None:
        self.paths: Schema = document["paths"]
        self.schemas: Schema = document["components"]["schemas"]
        self._validators: dict[object, jsonschema_rs.Draft202012Validator] = {}

    @cached_property
    def _routes(self) -> list[tuple[list[str], str]]:
        routes = [(path.strip("/").split("/"), path) for path in self.paths]
        return sorted(routes, key=lambda route: [segment.startswith("{") for segment in route[0]])  # literal segments win

    @cached_property
    def _definitions(self) -> Schema:
        return {name: json_schema(schema, answer=True) for name, schema in self.schemas.items()}

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, schema in self.schemas.items():
            for kind in schema.get("properties", {}).get("object", {}).get("enum", []):
                found.setdefault(kind, []).append(name)
        return found

    @cached_property
    def event_types(self) -> frozenset[str]:
        body = self.paths["/v1/webhook_endpoints"]["post"]["requestBody"]["content"][FORM]["schema"]
        return frozenset(body["properties"]["enabled_events"]["items"]["enum"])

    def operation(self, method: str, path: str) -> tuple[str, Schema] | None:
        """The described path and operation of a call."""
        path = ALIASES.get(path, path)
        segments = path.strip("/").split("/")
        for pattern, described in self._routes:
            same = len(pattern) == len(segments) and all(p == s or p.startswith("{") for p, s in zip(pattern, segments, strict=True))
            if same and method.lower() in self.paths[described]:
                return described, self.paths[described][method.lower()]
        return None

    def resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self.schemas[_name(schema)]
        return schema

    def names_of(self, kind: str) -> list[str]:
        """The schemas of an object type, deleted ones too."""
        return self._names.get(kind, [])

    def validator(self, key: object, schema: Schema, *, answer: bool) -> jsonschema_rs.Draft202012Validator:
        """The compiled validator of a schema, kept under `key`."""
        found = self._validators.get(key)
        if found is None:
            converted = json_schema(schema, answer=answer)
            found = jsonschema_rs.Draft202012Validator({"$defs": self._reachable(converted), **converted})
            self._validators[key] = found
        return found

    def object_validator(self, name: str) -> jsonschema_rs.Draft202012Validator:
        return self.validator(("object", name), {"$ref": f"#/components/schemas/{name}"}, answer=True)

    def _reachable(self, schema: Schema) -> Schema:
        found: Schema = {}
        waiting: list[Any] = [schema]
        while waiting:
            at = waiting.pop()
            if isinstance(at, dict):
                if isinstance(at.get("$ref"), str) and _name(at) not in found:
                    found[_name(at)] = self._definitions[_name(at)]
                    waiting.append(found[_name(at)])
                waiting.extend(at.values())
            elif isinstance(at, list):
                waiting.extend(at)
        return found


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).rsplit("/", 1)[1]


def json_schema(schema: Schema, *, answer: bool) -> Schema:
    """OpenAPI 3.0 as JSON Schema. In answers an expandable field is an id or any object: objects are checked on their own."""
    if answer and "x-expansionResources" in schema:
        return {"type": ["string", "object", *(["null"] if schema.get("nullable") else [])]}
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{_name(schema)}"}
    out: Schema = {key: schema[key] for key in _COPIED if key in schema}
    if "properties" in schema:
        out["properties"] = {name: json_schema(below, answer=answer) for name, below in schema["properties"].items()}
    if "items" in schema:
        out["items"] = json_schema(schema["items"], answer=answer)
    if "anyOf" in schema:
        out["anyOf"] = [json_schema(below, answer=answer) for below in schema["anyOf"]]
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        out["additionalProperties"] = json_schema(others, answer=answer)
    elif schema.get("properties") or others is False:
        out["additionalProperties"] = False
    return _nullable(out) if schema.get("nullable") else out


def _nullable(schema: Schema) -> Schema:
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema


@cache
def description() -> Description:
    """The description, read once."""
    return Description(json.loads(gzip.decompress(FILE.read_bytes())))
