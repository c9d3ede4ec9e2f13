"""A bulk run from selection to result: freeze -> plan (preview) -> confirm -> work.

Every row is one transaction that holds both the operation and the row's own "done": a worker that is killed leaves each row either
done and marked, or neither, and whoever goes on takes the next one. Nothing is held in memory beyond one batch.
"""

import time
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from admin_ext.console.bulk_kinds import BulkKind, Plan, kind_of
from admin_ext.console.refusals import REFUSALS, in_words
from admin_ext.console.scope import visible
from admin_ext.models import BulkItem, BulkRun
from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from core.money import Money
from organizations.acting import actor_for
from organizations.permissions import require

MOST = 100_000
BATCH = 200
_PLANNED = ["state", "label", "effect", "message", "amount", "currency", "detail"]
SECONDS = 20.0  # one job's share; then the next job goes on, so that other work gets its turn


class SelectionTooLarge(DomainError):
    code, http_status = "SELECTION_TOO_LARGE", 422

    def __init__(self) -> None:
        super().__init__(f"Select at most {MOST:,} rows at a time; narrow the list with its filters.")


@transaction.atomic
def freeze(*, kind: str, rows: QuerySet[Any], as_staff: bool, by: Actor) -> BulkRun:
    """Keep the selection as it is now, on the server; nothing else has happened on return. rows: already scoped to the actor.

    Raises PermissionRefused, StepUpRequired, InvalidInput where nothing is selected, SelectionTooLarge.
    """
    chosen = kind_of(kind)
    require(by, chosen.permission)
    if by.user_id is None:
        raise NotFound("account")
    run = BulkRun.objects.create(kind=kind, organization_id=by.organization_id, asked_by_id=by.user_id, as_staff=as_staff)
    run.total = _insert(run, rows)
    if run.total == 0:
        raise InvalidInput("Nothing is selected any more; select rows and try again.")
    if run.total > MOST:
        raise SelectionTooLarge
    run.save(update_fields=["total", "updated_at"])
    if chosen.form_class is None:
        describe(run_id=run.pk, values={}, by=by)
    return BulkRun.objects.get(pk=run.pk)


def _insert(run: BulkRun, rows: QuerySet[Any]) -> int:
    """Copy the keys inside the database, in the list's order: a hundred thousand of them never pass through this process."""
    order: list[Any] = list(rows.query.order_by) or ["pk"]
    keys = rows.order_by(*order).values_list("pk", Window(RowNumber(), order_by=order))[: MOST + 1]
    sql, parameters = keys.query.sql_with_params()
    table = BulkItem._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (run_id, position, object_id, state, label, effect, message, currency, detail) "
            f"SELECT %s, chosen.position, chosen.id, 'selected', '', '', '', '', '' FROM ({sql}) AS chosen (id, position)",
            [run.pk, *parameters],
        )
        return int(cursor.rowcount)


def locked(run_id: UUID, by: Actor) -> BulkRun:
    """Raises NotFound, and PermissionRefused or StepUpRequired where this person may not do that any more."""
    run = BulkRun.objects.visible_to(by).select_for_update(of=("self",)).filter(pk=run_id).first()
    if run is None:
        raise NotFound("bulk run")
    require(by, kind_of(run.kind).permission)
    return run


@transaction.atomic
def describe(*, run_id: UUID, values: dict[str, Any], by: Actor) -> BulkRun:
    """Say what is to be done to all rows; the preview is queued on return. Raises NotFound, PermissionRefused, TransitionNotAllowed."""
    run = locked(run_id, by)
    run.preview()
    run.values = values
    run.save(update_fields=["state", "values", "updated_at"])
    jobs.enqueue(plan, run_id=run.pk)
    return run


@transaction.atomic
def confirm(*, run_id: UUID, by: Actor) -> BulkRun:
    """Do what the preview showed; queued on return. Raises NotFound, PermissionRefused, StepUpRequired, TransitionNotAllowed."""
    run = locked(run_id, by)
    if run.asked_by_id != by.user_id:
        raise NotFound("bulk run")
    run.begin(at=timezone.now())
    run.save(update_fields=["state", "confirmed_at", "updated_at"])
    planned = counts(run).get(BulkItem.State.PLANNED, 0)
    record(run, "bulk_run.confirmed", by=by, after={"kind": run.kind, "rows": planned, "values": run.values, "state": run.state})
    jobs.enqueue(work, run_id=run.pk)
    return run


@transaction.atomic
def discard(*, run_id: UUID, by: Actor) -> BulkRun:
    """Nothing will be done. Raises NotFound, PermissionRefused, TransitionNotAllowed."""
    run = locked(run_id, by)
    run.discard(at=timezone.now())
    run.save(update_fields=["state", "finished_at", "updated_at"])
    record(run, "bulk_run.discarded", by=by, after={"kind": run.kind, "state": run.state})
    return run


@transaction.atomic
def go_on(*, run_id: UUID, by: Actor) -> BulkRun:
    """Queue a run again whose worker died; rows that are done stay done. No-op where it has ended."""
    run = locked(run_id, by)
    if run.state == BulkRun.State.PREVIEWING:
        jobs.enqueue(plan, run_id=run.pk)
    elif run.state == BulkRun.State.RUNNING:
        jobs.enqueue(work, run_id=run.pk)
    return run


def counts(run: BulkRun) -> dict[str, int]:
    """Rows by state."""
    return dict(run.items.order_by().values_list("state").annotate(rows=Count("pk")))


def totals(run: BulkRun, *states: str) -> list[tuple[int, Money]]:
    """For each currency: rows and what they move, of rows in these states."""
    sums = run.items.filter(state__in=states).exclude(currency="").order_by("currency").values_list("currency")
    return [(rows, Money(amount, currency)) for currency, rows, amount in sums.annotate(rows=Count("pk"), amount=Sum("amount"))]


def acting(run: BulkRun) -> Actor:
    """Whoever asked, with what they may do at this moment: a membership or group that has ended gives nothing.

    Their second factor counts as just used: they confirmed this run with a fresh one, and a long run is still that one decision.
    """
    return actor_for(run.asked_by, second_factor_at=timezone.now(), as_staff=run.as_staff, organization_id=run.organization_id)


@jobs.task(queue="bulk", outside=True)
def plan(*, run_id: UUID) -> None:
    """Work out what will happen to each row. Repeatable: only rows that have no plan yet are looked at."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if not (_plan_outside(run_id) or _plan_batch(run_id)):
            return
    with transaction.atomic():
        jobs.enqueue(plan, run_id=run_id)


def _plan_outside(run_id: UUID) -> bool:
    """The next row of a kind whose plan asks somebody outside; no lock is held meanwhile. Whether there was one."""
    run = BulkRun.objects.select_related("asked_by").filter(pk=run_id, state=BulkRun.State.PREVIEWING).first()
    if run is None or not kind_of(run.kind).plans_outside:
        return False
    item = run.items.filter(state=BulkItem.State.SELECTED).order_by("position").first()
    if item is None:
        return False
    kind, by = kind_of(run.kind), acting(run)
    _plan_item(kind, item, kind.rows(visible(kind.model, by), by).filter(pk=item.object_id).first(), run, by)
    with transaction.atomic():
        if run.items.select_for_update().filter(pk=item.pk, state=BulkItem.State.SELECTED).exists():  # no other worker was quicker
            item.save(update_fields=_PLANNED)
    return True


@transaction.atomic
def _plan_batch(run_id: UUID) -> bool:
    """Whether there may be more."""
    run = BulkRun.objects.select_for_update(of=("self",)).select_related("asked_by").filter(pk=run_id).first()
    if run is None or run.state != BulkRun.State.PREVIEWING:
        return False
    kind, by = kind_of(run.kind), acting(run)
    items = list(run.items.filter(state=BulkItem.State.SELECTED).order_by("position")[:BATCH])
    if not items:
        run.make_ready()
        run.save(update_fields=["state", "updated_at"])
        return False
    found = kind.rows(visible(kind.model, by), by).in_bulk([item.object_id for item in items])
    for item in items:
        _plan_item(kind, item, found.get(item.object_id), run, by)
        if kind.beside is not None:
            item.save(update_fields=_PLANNED)  # the next row counts it
    if kind.beside is None:
        BulkItem.objects.bulk_update(items, _PLANNED)
    return True


def _plan_item(kind: BulkKind, item: BulkItem, obj: Any, run: BulkRun, by: Actor) -> None:
    if obj is None:
        item.refuse(label=str(item.object_id), why="It does not exist any more, or you may not see it.")
        return
    try:
        planned: Plan = kind.plan(obj, run.values, by)
        if kind.beside is not None:
            kind.beside(obj, run.values, run.items.filter(state=BulkItem.State.PLANNED))
    except REFUSALS as refusal:
        item.refuse(label=str(obj), why=in_words(refusal))
    else:
        item.plan(label=str(obj), effect=planned.effect, money=planned.money, detail=planned.detail)


@jobs.task(queue="bulk", outside=True)
def work(*, run_id: UUID) -> None:
    """Do the planned rows, one transaction each. Repeatable: a row that is done is never done again."""
    run = BulkRun.objects.select_related("asked_by").filter(pk=run_id, state=BulkRun.State.RUNNING).first()
    if run is None:
        return
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        batch = run.items.filter(state=BulkItem.State.PLANNED).order_by("position").values_list("pk", flat=True)[:BATCH]
        keys = list(batch)
        if not keys:
            _close(run_id)
            return
        by = acting(run)
        for key in keys:
            _do(key, run, by)
    with transaction.atomic():
        jobs.enqueue(work, run_id=run_id)


@transaction.atomic
def _do(item_id: int, run: BulkRun, by: Actor) -> None:
    """The operation and the row's "done" commit together; a row in another worker's hands is left to it."""
    items = BulkItem.objects.select_for_update(skip_locked=True)
    item = items.filter(pk=item_id, state=BulkItem.State.PLANNED).first()
    if item is None:
        return
    try:
        with transaction.atomic():
            message = kind_of(run.kind).apply(item, run.values, by)
    except REFUSALS as refusal:
        item.fail(at=timezone.now(), why=in_words(refusal))
    else:
        item.finish(at=timezone.now(), message=message)
    item.save(update_fields=["state", "message", "finished_at"])


@transaction.atomic
def _close(run_id: UUID) -> None:
    run = BulkRun.objects.select_for_update().get(pk=run_id)
    if run.state != BulkRun.State.RUNNING or run.items.filter(state=BulkItem.State.PLANNED).exists():
        return
    run.finish(at=timezone.now())
    run.save(update_fields=["state", "finished_at", "updated_at"])
    done = counts(run)
    after = {"done": done.get(BulkItem.State.DONE, 0), "failed": done.get(BulkItem.State.FAILED, 0), "state": run.state}
    record(run, "bulk_run.finished", by=Actor.system("console.bulk_runs.work"), organization_id=run.organization_id, after=after)
