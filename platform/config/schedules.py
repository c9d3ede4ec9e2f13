"""Every clock-driven task, in one table. `manage.py sync_schedules` makes django-q2's schedules agree with it.

A schedule only writes a Job row (core.jobs.enqueue_scheduled), in the queue of its task and by a worker of that queue: a queue that
stands still takes no other queue's clock with it. django-q2 looks at its schedules every 30 seconds.
"""

from croniter import croniter
from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule as Row

from config.clock import Schedule, events, money, organizations, plans, system
from core import jobs

RUNNER = "core.jobs.enqueue_scheduled"


SCHEDULES: tuple[Schedule, ...] = (
    *system.SCHEDULES,
    *organizations.SCHEDULES,
    *money.SCHEDULES,
    *plans.SCHEDULES,
    *events.SCHEDULES,
)


@transaction.atomic
def sync(table: tuple[Schedule, ...] = SCHEDULES) -> dict[str, int]:
    """django-q2's schedules are exactly the table; how many were added, changed and removed. Repeatable, safe beside running workers.

    Raises ValueError where an entry names no registered task or no cron expression.
    """
    known = jobs.registered()
    for entry in table:
        if entry.task not in known:
            raise ValueError(f"schedule {entry.name}: there is no task {entry.task}")
        if not croniter.is_valid(entry.cron):
            raise ValueError(f"schedule {entry.name}: {entry.cron!r} is no cron expression")
    rows = {row.name: row for row in Row.objects.select_for_update().order_by("pk")}
    gone = [row.pk for row in Row.objects.exclude(pk__in=[rows[entry.name].pk for entry in table if entry.name in rows])]
    removed, _ = Row.objects.filter(pk__in=gone).delete()
    done = [_put(rows.get(entry.name), entry, queue=known[entry.task].queue) for entry in table]
    return {"added": done.count("added"), "changed": done.count("changed"), "removed": removed}


def _put(row: Row | None, entry: Schedule, *, queue: str) -> str:
    wanted = {
        "func": RUNNER,
        "args": repr((entry.task,)),
        "kwargs": repr({"q_options": {"save": False}}),  # the Job row is the record of the run
        "schedule_type": Row.CRON,
        "cron": entry.cron,
        "cluster": queue,
        "repeats": -1,
    }
    if row is None:
        Row.objects.create(name=entry.name, **wanted)
        return "added"
    if all(getattr(row, field) == value for field, value in wanted.items()):
        return "kept"
    for field, value in wanted.items():
        setattr(row, field, value)
    row.next_run = row.calculate_next_run(timezone.now())
    row.save()
    return "changed"
