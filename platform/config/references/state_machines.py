"""docs/reference/state-machines.md: one diagram and one table for each state machine."""

from collections import defaultdict

from django.apps import apps
from django.db import models

from config.references.markdown import code, first_line, page, table
from core.state_machine import StateField, StateMachine, moves, transitions


def render() -> str:
    parts = [
        "The database refuses every other move (`core/state_machine.py`). Each move is made by one operation.",
        *(_section(model, field) for model, field in _machines()),
    ]
    return page("State machines", *parts)


def _machines() -> list[tuple[type[models.Model], StateField]]:
    found = [(model, field) for model in apps.get_models() for field in model._meta.fields if isinstance(field, StateField)]
    return sorted(found, key=lambda pair: pair[0]._meta.label)


def _section(model: type[models.Model], field: StateField) -> str:
    by_operation = defaultdict(set)
    for move in transitions(model, field.name):
        by_operation[str(move.name), str(move.custom["operation"])].add((str(move.source), str(move.target)))
    rows = [
        (code(method), ", ".join(sorted({source for source, _ in pairs})), _targets(pairs), code(operation))
        for (method, operation), pairs in sorted(by_operation.items())
    ]
    parts = [f"## {model._meta.label}", first_line(model.__doc__), _diagram(model, field), table(("move", "from", "to", "operation"), rows)]
    return "\n\n".join(part for part in parts if part)


def _targets(pairs: set[tuple[str, str]]) -> str:
    return ", ".join(sorted({target for _, target in pairs}))


def _diagram(model: type[models.Model], field: StateField) -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    [*] --> {state}" for state in _initial(model, field)]
    lines += [f"    {source} --> {target}" for source, target in moves(model, field.name)]
    return "\n".join([*lines, "```"])


def _initial(model: type[models.Model], field: StateField) -> list[str]:
    for trigger in getattr(model._meta, "triggers", []):
        if isinstance(trigger, StateMachine) and trigger.field == field.name and trigger.initial:
            return [str(state) for state in trigger.initial]
    return [str(field.get_default())]
