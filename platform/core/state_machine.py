"""State machines: django-fsm's decorators with types, and a database trigger that holds everybody to them.

A transition is a method of the model: it sets the state and its timestamps, and never saves, queries or calls out. Its `operation`
names the one function that applies it, checked by tests/architecture. The trigger's table is read from the decorators, so `update()`,
raw SQL and an upsert cannot make a move that no decorator names.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import django_fsm
import pgtrigger
from django.apps import apps
from django.db import models
from django_fsm import FSMField, FSMModelMixin, TransitionNotAllowed

__all__ = ["FSMModelMixin", "StateField", "StateMachine", "TransitionNotAllowed", "allows", "moves", "transition", "transitions"]


class StateField(FSMField):
    """The state column of a model: protected against assignment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 30)
        kwargs["protected"] = True
        super().__init__(*args, **kwargs)


def transition[**P](
    *,
    field: Any,
    source: str | Sequence[str],
    target: str,
    operation: str,
    conditions: Sequence[Callable[[Any], bool]] = (),
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Declare a move of the state machine in `field`.

    operation: dotted path of the one operation that applies it, e.g. "billing.refunds.approve".
    conditions: guards on the model, without side effects; the move raises TransitionNotAllowed where one is false.
    """
    source = list(source) if not isinstance(source, str) else source
    decorated: Callable[[Callable[P, None]], Callable[P, None]] = django_fsm.transition(
        field=field, source=source, target=target, conditions=list(conditions), custom={"operation": operation}
    )
    return decorated


def transitions(model: type[models.Model], field_name: str = "state") -> Iterator[django_fsm.Transition]:
    real = apps.get_model(model._meta.label)  # a migration's historical model has no methods: always ask the real one
    field: Any = real._meta.get_field(field_name)
    yield from field.get_all_transitions(real)


def allows(obj: models.Model, name: str) -> bool:
    """Whether the state machine would let `obj` take the move called `name` now."""
    return bool(django_fsm.can_proceed(getattr(obj, name)))


def moves(model: type[models.Model], field_name: str = "state") -> list[tuple[str, str]]:
    """Every (from, to) pair that the decorators allow, sorted, conditions left out. Raises ValueError where there is none."""
    pairs = {(str(move.source), str(move.target)) for move in transitions(model, field_name)}
    if not pairs:
        raise ValueError(f"{model._meta.label}.{field_name}: no transitions found")
    return sorted(pair for pair in pairs if pair[0] != pair[1])


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class StateMachine(pgtrigger.Trigger):
    """Refuses an INSERT outside `initial` and an UPDATE outside the transition table, whoever writes."""

    when = pgtrigger.Before
    operation = pgtrigger.Insert | pgtrigger.Update

    def __init__(self, *, name: str = "state_machine", field: str = "state", initial: Sequence[str] = ()) -> None:
        self.field, self.initial = field, tuple(initial)
        super().__init__(name=name)

    def get_func(self, model: Any) -> str:
        field: Any = model._meta.get_field(self.field)
        initial = ", ".join(_quote(str(state)) for state in (self.initial or [field.get_default()]))
        column, table = field.column, model._meta.db_table
        legal = " OR ".join(f"(OLD.{column} = {_quote(a)} AND NEW.{column} = {_quote(b)})" for a, b in moves(model, self.field))
        error = f"USING ERRCODE = 'check_violation', CONSTRAINT = '{table}_{self.field}_machine', TABLE = TG_TABLE_NAME"
        sql: str = self.format_sql(f"""
            IF TG_OP = 'INSERT' THEN
                IF NEW.{column} NOT IN ({initial}) THEN
                    RAISE EXCEPTION '%: may not start in state "%"', TG_TABLE_NAME, NEW.{column} {error};
                END IF;
            ELSIF OLD.{column} IS DISTINCT FROM NEW.{column} AND NOT ({legal}) THEN
                RAISE EXCEPTION '%: no move from "%" to "%"', TG_TABLE_NAME, OLD.{column}, NEW.{column} {error};
            END IF;
            RETURN NEW;
        """)
        return sql
