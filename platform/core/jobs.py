"""The one door to the queue: a Job row and its queue message in the caller's transaction.

Delivery is at least once: `run` takes the row under a lock with a lease, so a message that comes twice does nothing the second time.
A task that stays in the database runs in one transaction with its "done"; a task that calls outside (`outside=True`) owns its steps,
must be repeatable, and is marked done when it returns.
"""

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.exceptions import TimeoutException
from django_q.models import OrmQ
from django_q.tasks import async_task

from core.errors import NotFound
from core.models import Job

QUEUES = ("money", "default", "bulk")
type Id = UUID | str | int | None


@dataclass(frozen=True, slots=True)
class Task:
    function: Callable[..., None]
    queue: str
    outside: bool
    max_attempts: int


_tasks: dict[str, Task] = {}


class RetryLater(Exception):
    """Raised by a task that could not finish now for a reason that is nobody's fault (a lost answer, a busy server)."""


def name_of(function: Callable[..., None]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def task[**P](*, queue: str = "default", outside: bool = False, max_attempts: int = 8) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Register a function as work for `queue`. outside: it calls outside the database, so no transaction is opened around it."""
    if queue not in QUEUES:
        raise ValueError(f"no queue called {queue!r}")

    def register(function: Callable[P, None]) -> Callable[P, None]:
        _tasks[name_of(function)] = Task(function, queue, outside, max_attempts)
        return function

    return register


def registered() -> dict[str, Task]:
    return dict(_tasks)


class _At(ORM):  # type: ignore[misc]
    """Delivers not before `when`: the ORM broker skips rows whose lock lies in the future."""

    def __init__(self, when: datetime, queue: str) -> None:
        super().__init__(list_key=queue)
        self.when = when

    def enqueue(self, task: str) -> int:
        pk: int = OrmQ.objects.create(key=self.list_key, payload=task, lock=self.when).pk
        return pk


def _send(job: Job) -> None:
    async_task("core.jobs.run", str(job.pk), broker=_At(job.run_after, job.queue), save=False, task_name=job.name[:100])


def nudge(function: str, *arguments: str, queue: str, when: datetime) -> None:
    """A bare queue message for work whose own row counts its attempts; in the caller's transaction, delivered not before `when`."""
    async_task(function, *arguments, broker=_At(when, queue), save=False, task_name=function[-100:])


def _json_safe(value: Id) -> str | int | None:
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, UUID):
        return str(value)
    raise TypeError("A task takes ids, texts and whole numbers; pass the id of an object, not the object.")


def enqueue(function: Callable[..., None], *, run_after: datetime | None = None, **ids: Id) -> Job:
    """Have a worker run `function(**ids)`; the work exists if and only if the caller's transaction commits."""
    known = _tasks[name_of(function)]
    job = Job.objects.create(
        name=name_of(function),
        queue=known.queue,
        ids={key: _json_safe(value) for key, value in ids.items()},
        max_attempts=known.max_attempts,
        run_after=run_after or timezone.now(),
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )
    _send(job)
    return job


def has_open(function: Callable[..., None], **ids: Id) -> bool:
    """Whether a worker will still run, or runs, `function(**ids)`; False once its job is done or was given up."""
    wanted = {key: _json_safe(value) for key, value in ids.items()}
    return Job.objects.filter(name=name_of(function), ids=wanted, state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists()


def enqueue_scheduled(name: str) -> None:
    """What a django-q2 schedule calls: one Job for the task called `name`, so that a clock-driven run is seen like any other.

    Nothing where the last one is still open, so that a queue that stands still does not fill up. `sweep` is always queued: it is
    what gives a lost message back to all the others.
    """
    with transaction.atomic():
        if name == name_of(sweep) or not has_open(_tasks[name].function):
            enqueue(_tasks[name].function)


def backoff(attempt: int) -> timedelta:
    return timedelta(seconds=min(settings.JOB_BACKOFF_BASE * 2 ** (attempt - 1), 3600))


def _lease(queue: str) -> timedelta:
    conf = {**settings.Q_CLUSTER, **settings.Q_CLUSTER["ALT_CLUSTERS"].get(queue, {})}
    return timedelta(seconds=conf["timeout"] + 5)


def _arguments(task: Task, ids: dict[str, Any]) -> dict[str, Any]:
    kinds = {name: parameter.annotation for name, parameter in inspect.signature(task.function).parameters.items()}
    return {name: UUID(value) if kinds.get(name) is UUID else value for name, value in ids.items()}


@transaction.atomic
def take(*, job_id: UUID) -> Job | None:
    """Lease the job and count the attempt, before its body runs; None where it is done, dead, or in another worker's hands."""
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    now = timezone.now()
    if job is None or job.state in (Job.State.DONE, Job.State.DEAD):
        return None
    if job.state == Job.State.RUNNING and job.leased_until is not None and job.leased_until > now:
        return None
    if job.attempts >= job.max_attempts:
        bury(job=job, error=job.error or "The worker died in every attempt.")
        return None
    job.start(at=now, lease=_lease(job.queue))
    job.save(update_fields=["state", "attempts", "leased_until", "updated_at"])
    return job


def finish(*, job: Job) -> None:
    locked = Job.objects.select_for_update().get(pk=job.pk)
    if locked.state == Job.State.RUNNING and locked.attempts == job.attempts:
        locked.finish(at=timezone.now())
        locked.save(update_fields=["state", "finished_at", "leased_until", "error", "updated_at"])


def bury(*, job: Job, error: str) -> None:
    job.bury(at=timezone.now(), error=error[-4000:])
    job.save(update_fields=["state", "finished_at", "leased_until", "error", "updated_at"])


@transaction.atomic
def put_back(*, job: Job, error: str) -> None:
    """After a failed attempt: wait and try again, or bury it where that was the last attempt."""
    locked = Job.objects.select_for_update().get(pk=job.pk)
    if locked.state != Job.State.RUNNING or locked.attempts != job.attempts:
        return
    if locked.attempts >= locked.max_attempts:
        bury(job=locked, error=error)
        return
    locked.put_back(at=timezone.now() + backoff(locked.attempts), error=error[-4000:])
    locked.save(update_fields=["state", "run_after", "leased_until", "error", "updated_at"])
    _send(locked)


@transaction.atomic
def retry(*, job_id: UUID) -> Job:
    """Queue a dead job again. Raises NotFound, TransitionNotAllowed. The caller checks who may."""
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise NotFound("job")
    job.revive(at=timezone.now())
    job.save(update_fields=["state", "run_after", "max_attempts", "finished_at", "updated_at"])
    _send(job)
    return job


def run(job_id: str) -> str:
    """What a worker calls for a queue message; repeatable. Returns the state the job was left in."""
    job = take(job_id=UUID(job_id))
    if job is None:
        return "nothing to do"
    with structlog.contextvars.bound_contextvars(job_id=job.public_id, job=job.name, request_id=job.request_id):
        try:
            _perform(job)
        except (Exception, TimeoutException) as error:  # this loop must outlive any task; q2's time-out is a SystemExit
            level = "info" if isinstance(error, RetryLater) else "exception"
            getattr(structlog.get_logger(), level)("job.failed", error=str(error), attempt=job.attempts)
            put_back(job=job, error=traceback.format_exc())
            return "failed"
    return "done"


def _perform(job: Job) -> None:
    known = _tasks[job.name]
    if known.outside:
        known.function(**_arguments(known, job.ids))
        with transaction.atomic():
            finish(job=job)
        return
    with transaction.atomic():  # the body and "done" commit together: its database effects happen once
        known.function(**_arguments(known, job.ids))
        finish(job=job)


@task()
def sweep() -> None:
    """Send the message of open jobs again that lost it (a purged queue, a dead worker): those due for twice the queue's patience."""
    late = timezone.now() - 2 * timedelta(seconds=settings.Q_CLUSTER["retry"])
    for job in Job.objects.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING], run_after__lt=late).order_by("run_after")[:500]:
        job.run_after = timezone.now()
        job.save(update_fields=["run_after", "updated_at"])
        _send(job)


@task()
def purge() -> None:
    """Remove jobs that are done: those of the clock after two days, the others after ninety. Dead ones stay until a person decides."""
    now = timezone.now()
    of_the_clock = Q(ids={}, finished_at__lt=now - timedelta(days=2))
    Job.objects.filter(of_the_clock | Q(finished_at__lt=now - timedelta(days=90)), state=Job.State.DONE).delete()
