"""What a piece of work writes, row by row, with everything taken back: PostgreSQL's own book-keeping says which rows it touched.

PostgreSQL stamps each version of a row with the transaction that wrote it, counts for each table what the running transaction inserted,
updated and deleted, and keeps the older versions until the end. So nothing has to be listened to while the work is done, and nothing that
writes can be overlooked: bulk updates, raw SQL, triggers and cascades leave the same stamps. See docs/adr/0022.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.models import Model, UUIDField

from core.public_ids import uuid7

type Row = dict[str, Any]
type Keys = dict[str, list[Any]]
_TOUCHED_IN_PASSING = frozenset(  # they say when we looked, not what is so
    {"created_at", "updated_at", "synced_at", "checked_at", "asked_at", "card_asked_at"}
)


@dataclass(frozen=True, slots=True)
class RowChange:
    """before, after: the row's columns as JSON values; before is None for a new row, after for one that is deleted."""

    model: type[Model]
    key: Any
    before: Row | None
    after: Row | None

    def fields(self) -> list[tuple[str, Any, Any]]:
        """(field, before, after) of each value that differs, in the model's order, without the moments of our own looking."""
        before, after = self.before or {}, self.after or {}
        columns = [str(one.column) for one in self.model._meta.concrete_fields if one.column not in _TOUCHED_IN_PASSING]
        return [(name, before.get(name), after.get(name)) for name in columns if before.get(name) != after.get(name)]


@dataclass(frozen=True, slots=True)
class Written:
    """What would have been written, parents first; violation: what PostgreSQL would have refused at the commit."""

    changes: list[RowChange] = field(default_factory=list)
    violation: str = ""


class NotCounted(RuntimeError):
    """PostgreSQL does not count what a transaction writes."""

    def __init__(self) -> None:
        super().__init__("A dry run needs PostgreSQL's setting track_counts; switch it on.")


class _TakeBack(Exception):
    """Ends the inner block, and with it everything that was done in it."""


@dataclass(slots=True)
class _Trial:
    """One run of the work. stamp, first_key: the transaction's number and the lowest key that was free at its beginning; deleting: tables
    that lost rows."""

    stamp: str = ""
    first_key: UUID = field(default_factory=lambda: UUID(int=uuid7().int >> 80 << 80))  # the millisecond alone
    after: dict[str, dict[Any, Row]] = field(default_factory=dict)
    deleting: set[str] = field(default_factory=set)
    gone: dict[str, set[Any]] = field(default_factory=dict)
    violation: str = ""


def of(work: Callable[[], None], *, marker: Model) -> Written:
    """Do the work in a transaction, see what it wrote, and take all of it back. `work` must raise nothing but what the caller catches.

    marker: a row that the work does not change; writing it as it is tells the transaction's number, and keeps others off it meanwhile.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '3s'")
        trial = _tried(work, marker, suspects={})
        if trial.deleting:  # a row that is gone cannot be seen any more: those that may be it are known now, and looked for in a second run
            trial = _tried(work, marker, suspects=_suspects(trial))
        changes = _compared(trial)
        transaction.set_rollback(True)
    return Written(changes, trial.violation)


def _tried(work: Callable[[], None], marker: Model, suspects: Keys) -> _Trial:
    trial = _Trial()
    try:
        with transaction.atomic():
            trial.stamp = _stamp(marker)
            counted = _counts()
            work()
            trial.violation = _violation()
            _look(trial, counted, suspects)
            raise _TakeBack
    except _TakeBack:
        return trial


def _stamp(marker: Model) -> str:
    table, key = marker._meta.db_table, marker._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(f'UPDATE "{table}" SET "{key}" = "{key}" WHERE "{key}" = %s RETURNING xmin::text', [marker.pk])
        return str(cursor.fetchone()[0])


def _violation() -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            transaction.set_rollback(True)  # where its own savepoint is released, PostgreSQL forgets to defer them again
    except DatabaseError as error:
        return str(error).splitlines()[0]
    return ""


def _models() -> dict[str, type[Model]]:
    """Every table of ours with its model, parents before those that point at them as far as apps are ordered."""
    return {model._meta.db_table: model for model in apps.get_models(include_auto_created=True) if model._meta.managed}


def _counts() -> dict[str, tuple[int, int, int]]:
    """Rows inserted, updated and deleted in each table up to now. Raises NotCounted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('track_counts')")
        if cursor.fetchone()[0] != "on":
            raise NotCounted
        cursor.execute("SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_user_tables WHERE schemaname = current_schema()")
        return {name: (inserted, updated, deleted) for name, inserted, updated, deleted in cursor.fetchall()}


def _look(trial: _Trial, counted: dict[str, tuple[int, int, int]], suspects: Keys) -> None:
    models, now = _models(), _counts()
    for table in models.keys() & now.keys():
        inserted, updated, deleted = (new - old for new, old in zip(now[table], counted.get(table, (0, 0, 0)), strict=True))
        if inserted or updated:
            trial.after[table] = _new(models[table], trial, inserted) if not updated else _stamped(models[table], trial)
        if deleted:
            trial.deleting.add(table)
    for table, keys in suspects.items():
        trial.gone[table] = set(keys) - _by_key(models[table], keys).keys()


def _new(model: type[Model], trial: _Trial, count: int) -> dict[Any, Row]:
    """The rows written since the stamp, all of them new: at the end of the key's index, where keys rise and all are found there."""
    if isinstance(model._meta.pk, UUIDField):
        found = _stamped(model, trial, since=trial.first_key)
        if len(found) == count:
            return found
    return _stamped(model, trial)


def _stamped(model: type[Model], trial: _Trial, since: UUID | None = None) -> dict[Any, Row]:
    """The rows written since the stamp; all of the table is read through, or what has a key from `since` on."""
    table, key = model._meta.db_table, model._meta.pk.column
    late = f'"{key}" >= %s AND ' if since is not None else ""
    query = f'SELECT "{key}", to_jsonb(t) FROM "{table}" t WHERE {late}age(t.xmin) <= age(%s::xid)'
    return _rows(query, [*([since] if since is not None else []), trial.stamp])


def _by_key(model: type[Model], keys: Iterable[Any]) -> dict[Any, Row]:
    table, key = model._meta.db_table, model._meta.pk.column
    return _rows(f'SELECT "{key}", to_jsonb(t) FROM "{table}" t WHERE "{key}" = ANY(%s)', [list(keys)])


def _suspects(trial: _Trial) -> Keys:
    """Rows that the transaction locked or deleted, in tables where it deleted some; PostgreSQL stamps both alike."""
    models, found = _models(), {}
    for table in trial.deleting:
        key = models[table]._meta.pk.column
        query = f'SELECT "{key}", to_jsonb(t) FROM "{table}" t WHERE t.xmax <> \'0\'::xid AND age(t.xmax) <= age(%s::xid)'
        found[table] = list(_rows(query, [trial.stamp]))
    return found


def _rows(query: str, values: list[Any]) -> dict[Any, Row]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return {key: json.loads(row) for key, row in cursor.fetchall()}


def _compared(trial: _Trial) -> list[RowChange]:
    """Called when everything is taken back: what is there now is what was there before."""
    changes = []
    for table, model in _models().items():
        after, gone = trial.after.get(table, {}), trial.gone.get(table, set())
        before = _by_key(model, [*after, *gone]) if after or gone else {}
        found = [RowChange(model, key, before.get(key), after.get(key)) for key in sorted([*after, *gone], key=str)]
        changes += [one for one in found if one.fields()]
    return changes
