"""What every table shares, and the queue's own row."""

from datetime import datetime, timedelta
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.public_ids import encode, uuid7
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition


class BaseModel(models.Model):
    """uuid7 key, shown with the model's prefix; when it was made and last saved."""

    public_prefix: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    @property
    def public_id(self) -> str:
        return encode(self.public_prefix, self.id)


def append_only() -> list[pgtrigger.Trigger]:
    """Triggers for a table whose rows nobody changes: no UPDATE, no DELETE, no TRUNCATE."""
    return [
        pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        pgtrigger.Trigger(
            name="no_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func="RAISE EXCEPTION 'append-only'; RETURN NULL;",
        ),
    ]


class Job(FSMModelMixin, BaseModel):
    """One piece of work for a worker; its queue message is only a nudge, this row is what counts.

    attempts rises before the body runs, so a worker that dies leaves its attempt behind.
    """

    public_prefix = "job"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        DEAD = "dead"

    name = models.CharField(max_length=120)
    queue = models.CharField(max_length=20, default="default")
    ids = models.JSONField(default=dict)
    state = StateField(choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=8)
    run_after = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["run_after"], condition=Q(state__in=["queued", "running"]), name="job_open"),
            models.Index(fields=["-id"], condition=Q(state="dead"), name="job_dead"),
        ]
        constraints = [models.CheckConstraint(condition=Q(attempts__lte=models.F("max_attempts")), name="job_attempts_bounded")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return self.name

    @transition(field=state, source=[State.QUEUED, State.RUNNING], target=State.RUNNING, operation="core.jobs.take")
    def start(self, *, at: datetime, lease: timedelta) -> None:
        self.attempts += 1
        self.leased_until = at + lease

    @transition(field=state, source=State.RUNNING, target=State.DONE, operation="core.jobs.finish")
    def finish(self, *, at: datetime) -> None:
        self.finished_at, self.leased_until, self.error = at, None, ""

    @transition(field=state, source=State.RUNNING, target=State.QUEUED, operation="core.jobs.put_back")
    def put_back(self, *, at: datetime, error: str) -> None:
        self.run_after, self.leased_until, self.error = at, None, error

    @transition(field=state, source=[State.QUEUED, State.RUNNING], target=State.DEAD, operation="core.jobs.bury")
    def bury(self, *, at: datetime, error: str) -> None:
        self.finished_at, self.leased_until, self.error = at, None, error

    @transition(field=state, source=State.DEAD, target=State.QUEUED, operation="core.jobs.retry")
    def revive(self, *, at: datetime) -> None:
        self.run_after, self.finished_at = at, None
        self.max_attempts = self.attempts + 8
