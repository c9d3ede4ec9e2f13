"""A run from its start to its residuals, in small steps that commit their work together with their cursor.

A worker that is killed leaves each step done or not begun; the next one goes on from the cursor. Nothing is held beyond one step.
"""

import time
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing.models import ReconciliationPart, ReconciliationRun
from billing.reconciliation import accounts, stepping
from core import jobs
from core.errors import DomainError, NotFound
from organizations.permissions import Permission, require

BY = Actor.system("billing.reconciliation")
SECONDS = 20.0  # one job's share; then the next job goes on, so that other work gets its turn
STALLED = timedelta(minutes=10)


class AlreadyUnderWay(DomainError):
    code, http_status = "RECONCILIATION_UNDER_WAY", 409

    def __init__(self) -> None:
        super().__init__("A reconciliation is under way already; wait until it has ended.")


@transaction.atomic
def start(*, by: Actor) -> ReconciliationRun:
    """A new run over every account, queued on return. Raises PermissionRefused, AlreadyUnderWay."""
    require(by, Permission.RECONCILIATION_RUN)
    try:
        with transaction.atomic():  # two who ask at once: the database lets one through
            run = ReconciliationRun.objects.create(asked_by_id=by.user_id)
    except IntegrityError as error:
        raise AlreadyUnderWay from error
    ReconciliationPart.objects.bulk_create(
        ReconciliationPart(run=run, account=one.stripe_id, organization_id=one.organization_id) for one in accounts.every()
    )
    record(run, "reconciliation.started", by=by, after={"state": run.state, "accounts": run.parts.count()})
    jobs.enqueue(work, run_id=run.pk)
    return run


@transaction.atomic
def go_on(*, run_id: UUID, by: Actor) -> ReconciliationRun:
    """Take up a run again that failed or stands still, from where it is. Raises PermissionRefused, NotFound, AlreadyUnderWay."""
    run = ReconciliationRun.objects.visible_to(by).select_for_update().filter(pk=run_id).first()
    if run is None:
        raise NotFound("reconciliation run")
    require(by, Permission.RECONCILIATION_RUN)
    if run.state == ReconciliationRun.State.DONE:
        return run
    if run.state == ReconciliationRun.State.FAILED:
        for part in run.parts.select_for_update().filter(state=ReconciliationPart.State.FAILED):
            part.try_again()
            part.save(update_fields=["state", "error", "moved_at"])
        run.go_on()
        try:
            with transaction.atomic():
                run.save(update_fields=["state", "finished_at", "updated_at"])
        except IntegrityError as error:
            raise AlreadyUnderWay from error
    record(run, "reconciliation.continued", by=by, after={"state": run.state})
    jobs.enqueue(work, run_id=run.pk)
    return run


@jobs.task(queue="bulk")
def nightly() -> None:
    """Start a run; where one is under way, it is left alone, or taken up again if it has stood still."""
    run = ReconciliationRun.objects.under_way().first()
    if run is None:
        start(by=BY)
    elif is_stalled(run):
        jobs.enqueue(work, run_id=run.pk)


def is_stalled(run: ReconciliationRun) -> bool:
    last = run.parts.order_by("-moved_at").values_list("moved_at", flat=True).first()
    return run.is_under_way and timezone.now() - (last or run.created_at) > STALLED


@jobs.task(queue="bulk", outside=True)
def work(*, run_id: UUID) -> None:
    """Take steps for a while, then queue the rest. Repeatable; two at once do no step twice. Raises RetryLater where Stripe is busy."""
    if not begin(run_id=run_id):
        return
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        part = ReconciliationPart.objects.filter(run_id=run_id, state__in=ReconciliationPart.OPEN).order_by("pk").first()
        if part is None:
            finish(run_id=run_id)
            return
        _STEPS[ReconciliationPart.State(part.state)](part)
    with transaction.atomic():
        jobs.enqueue(work, run_id=run_id)


@transaction.atomic
def begin(*, run_id: UUID) -> bool:
    """Whether there is something to do."""
    run = ReconciliationRun.objects.select_for_update().filter(pk=run_id).first()
    if run is None or not run.is_under_way:
        return False
    if run.state == ReconciliationRun.State.QUEUED:
        run.begin(at=timezone.now())
        run.save(update_fields=["state", "started_at", "updated_at"])
    return True


@transaction.atomic
def finish(*, run_id: UUID) -> None:
    """Every part has ended. A part that failed makes the run a failed one; what the others found stays."""
    run = ReconciliationRun.objects.select_for_update().get(pk=run_id)
    if run.state != ReconciliationRun.State.RUNNING:
        return
    parts = list(run.parts.order_by("pk"))
    if any(part.state == ReconciliationPart.State.FAILED for part in parts):
        run.fail(at=timezone.now())
    else:
        run.finish(at=timezone.now())
    run.save(update_fields=["state", "finished_at", "updated_at"])
    residuals = {str(part): {row["currency"]: row["residual"] for row in part.residuals} for part in parts}
    after = {"state": run.state, "found": sum(part.found for part in parts), "residuals": residuals}
    record(run, "reconciliation.finished", by=BY, after=after)


_State = ReconciliationPart.State
_STEPS = {
    _State.WAITING: stepping.begin_part,
    _State.IMPORTING: stepping.import_page,
    _State.CHECKING_STRIPE: stepping.check_stripe,
    _State.CHECKING_BOOKS: stepping.check_books,
}
