"""What can be done to many rows: each kind is one operation, called once per row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Model, QuerySet

from admin_ext.models import BulkItem
from audit.actor import Actor
from core.money import Money
from organizations.permissions import Permission


@dataclass(frozen=True, slots=True)
class Plan:
    """effect: one sentence about what will happen to this row; money: what moves; detail: all of it, in lines."""

    effect: str
    money: Money | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BulkKind:
    """rows: joins what plan reads, for a whole batch at once, so that plan need not query for each.

    plan(obj, values, by) raises a refusal where the row would be refused. apply(item, values, by) makes the
    operation's one call and returns what to say of it. undo: how to take it back, or that it cannot be.
    plans_outside: plan asks somebody outside, so it is called for each row by itself, with no transaction open.
    beside(obj, values, planned): after plan, raises a refusal where the row cannot be done once the planned ones of the run are.
    """

    name: str
    label: str
    model: type[Model]
    permission: Permission
    plan: Callable[[Any, dict[str, Any], Actor], Plan]
    apply: Callable[[BulkItem, dict[str, Any], Actor], str]
    undo: str
    rows: Callable[[QuerySet[Any], Actor], QuerySet[Any]] = lambda rows, by: rows
    form_class: type[forms.Form] | None = None
    plans_outside: bool = False
    beside: Callable[[Any, dict[str, Any], QuerySet[BulkItem]], None] | None = None


_kinds: dict[str, BulkKind] = {}


def register(kind: BulkKind) -> BulkKind:
    """Raises RuntimeError where the name is taken."""
    if kind.name in _kinds:
        raise RuntimeError(f"two bulk kinds called {kind.name!r}")
    _kinds[kind.name] = kind
    return kind


def kind_of(name: str) -> BulkKind:
    return _kinds[name]


def registered() -> list[BulkKind]:
    return [_kinds[name] for name in sorted(_kinds)]
