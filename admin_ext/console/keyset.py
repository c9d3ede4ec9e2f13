"""Pages by the key of their first or last row: the last page costs what the first does, and nobody is shown twice when rows are added."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.utils.dateparse import parse_datetime


@dataclass(frozen=True, slots=True)
class Place:
    """A row's values in the order of the list; backwards: the page wanted is the one that ends before it."""

    values: list[Any]
    backwards: bool


@dataclass(frozen=True, slots=True)
class Page:
    """rows in the list's order; earlier, later: the token of the page before and after, None where there is none."""

    rows: list[Any]
    earlier: str | None
    later: str | None


def names_of(ordering: list[Any]) -> list[str] | None:
    """The ordering as names of columns, None where it holds anything else and cannot be continued from a row."""
    return [str(name) for name in ordering] if all(isinstance(name, str) and name != "?" for name in ordering) else None


def page(rows: QuerySet[Any], names: list[str], size: int, token: str) -> Page:
    """The page that the token names, the first one where it names none (or is not one of ours)."""
    place = _read(token, rows.model, names)
    backwards = place is not None and place.backwards
    wanted = _flipped(names) if backwards else names
    found = rows.order_by(*wanted)
    if place is not None:
        found = found.filter(_beyond(wanted, place.values, rows.model))
    shown = list(found[: size + 1])
    more = len(shown) > size
    shown = shown[:size]
    if backwards:
        shown.reverse()
    before, after = (more, True) if backwards else (place is not None, more)
    return Page(
        shown,
        _token(shown[0], names, backwards=True) if before and shown else None,
        _token(shown[-1], names, backwards=False) if after and shown else None,
    )


def _flipped(names: list[str]) -> list[str]:
    return [name[1:] if name.startswith("-") else f"-{name}" for name in names]


def _beyond(names: list[str], values: list[Any], model: type[Model]) -> Q:
    """Rows after the given one: greater in the first column that differs. PostgreSQL puts NULL above everything."""
    wanted, same = Q(), Q()
    for name, value in zip(names, values, strict=True):
        column = name.lstrip("-")
        if name.startswith("-"):
            further = Q(**{f"{column}__isnull": False}) if value is None else Q(**{f"{column}__lt": value})
        elif value is None:
            further = None
        else:
            further = Q(**{f"{column}__gt": value}) | (Q(**{f"{column}__isnull": True}) if _field(model, column).null else Q(pk__in=[]))
        if further is not None:
            wanted |= same & further
        same &= Q(**{f"{column}__isnull": True}) if value is None else Q(**{column: value})
    return wanted


def _field(model: type[Model], path: str) -> "Field[Any, Any]":
    field: Any = None
    for part in path.split("__"):
        field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        model = getattr(field, "related_model", None) or model
    found: Field[Any, Any] = field
    return found


def _value(row: Any, path: str) -> Any:
    for part in path.split("__"):
        row = getattr(row, part) if row is not None else None
    return row


def _token(row: Any, names: list[str], *, backwards: bool) -> str:
    values = [_value(row, name.lstrip("-")) for name in names]
    plain = [value if value is None or isinstance(value, (int, bool)) else _text(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(["b" if backwards else "a", *plain]).encode()).decode().rstrip("=")


def _text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _read(token: str, model: type[Model], names: list[str]) -> Place | None:
    """The place that a token of ours names for this ordering; a page number, or anything else, names none."""
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if not isinstance(found, list) or found[:1] not in (["a"], ["b"]) or len(found) != len(names) + 1:
            return None
        values = [_parsed(_field(model, name.lstrip("-")), value) for name, value in zip(names, found[1:], strict=True)]
    except (ValueError, TypeError, binascii.Error, ValidationError, FieldDoesNotExist, RecursionError, OverflowError):
        return None
    return Place(values, backwards=found[0] == "b")


def _parsed(field: "Field[Any, Any]", value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("a text with a zero in it")
        moment = parse_datetime(value) if field.get_internal_type() == "DateTimeField" else None
        return moment if moment is not None else field.to_python(value)
    if isinstance(value, (int, bool)):
        return field.to_python(value)
    raise ValueError("neither text nor number")
