"""Every move of every state machine belongs to one operation, which really makes it."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.utils.module_loading import import_string

from core.state_machine import StateField, StateMachine, transitions


def machines() -> list[tuple[type[models.Model], str]]:
    return [(model, field.name) for model in apps.get_models() for field in model._meta.fields if isinstance(field, StateField)]


def moves() -> list[tuple[str, str, str]]:
    """(model, method, operation) of every transition, each once."""
    found = {
        (model._meta.label, str(move.name), str(move.custom["operation"]))
        for model, field in machines()
        for move in transitions(model, field)
    }
    return sorted(found)


def names_used(function: Any, seen: set[str]) -> Iterator[str]:
    """Attributes and texts in the function's body and in the private functions of its module that it calls."""
    plain = inspect.unwrap(function)
    module = inspect.getmodule(plain)
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(plain)))):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # a table of states to moves names them as texts
        elif isinstance(node, ast.Name) and node.id.startswith("_") and node.id not in seen:
            seen.add(node.id)
            helper = getattr(module, node.id, None)
            if inspect.isfunction(helper):
                yield from names_used(helper, seen)
            elif isinstance(helper, dict):
                yield from (str(value) for value in helper.values())


def test_there_are_state_machines() -> None:
    assert len(machines()) >= 5


@pytest.mark.parametrize(("model", "method", "operation"), moves(), ids=lambda text: str(text))
class TestEveryTransition:
    @pytest.mark.rule("C10")
    def test_is_made_by_the_operation_that_it_names(self, model: str, method: str, operation: str) -> None:
        function = import_string(operation)
        assert method in set(names_used(function, set())), f"{operation} never calls {model}.{method}"


@pytest.mark.rule("C10")
@pytest.mark.parametrize(("model", "field"), machines(), ids=lambda part: getattr(part, "__name__", str(part)))
class TestEveryStateMachine:
    def test_is_held_by_the_database(self, model: type[models.Model], field: str) -> None:
        triggers = [trigger for trigger in model._meta.triggers if isinstance(trigger, StateMachine)]  # type: ignore[attr-defined]
        assert [trigger.field for trigger in triggers if trigger.field == field] == [field]
