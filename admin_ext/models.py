"""Bulk runs: a frozen selection, what will happen to each row, and what did."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models

from audit.actor import Actor
from core.models import BaseModel
from core.money import Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models import Organization


class BulkRunQuerySet(models.QuerySet["BulkRun"]):
    def visible_to(self, by: Actor) -> Self:
        """Staff see all. Organizers see their own runs in the organization they work for: a colleague may see fewer rows than they do."""
        if by.sees_all:
            return self
        if by.user_id is None or by.organization_id is None:
            return self.none()
        return self.filter(asked_by_id=by.user_id, organization_id=by.organization_id)


class BulkRun(FSMModelMixin, BaseModel):
    """kind: which operation (console.bulk_kinds); values: what the person typed for all rows; organization: of the organizer console."""

    public_prefix = "blk"

    class State(models.TextChoices):
        FROZEN = "frozen", "Waiting for details"
        PREVIEWING = "previewing"
        READY = "ready", "Ready to confirm"
        RUNNING = "running"
        DONE = "done"
        DISCARDED = "discarded"

    kind = models.CharField(max_length=60)
    organization = models.ForeignKey(Organization, null=True, on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    as_staff = models.BooleanField(default=False)
    values = models.JSONField(default=dict)
    state = StateField(choices=State.choices, default=State.FROZEN)
    total = models.PositiveIntegerField(default=0)
    confirmed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = BulkRunQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["asked_by", "-id"], name="bulk_run_asked_by")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ').replace('.', ': ')}, {self.total} rows"

    @transition(field=state, source=State.FROZEN, target=State.PREVIEWING, operation="admin_ext.console.bulk_runs.describe")
    def preview(self) -> None: ...

    @transition(field=state, source=State.PREVIEWING, target=State.READY, operation="admin_ext.console.bulk_runs.plan")
    def make_ready(self) -> None: ...

    @transition(field=state, source=State.READY, target=State.RUNNING, operation="admin_ext.console.bulk_runs.confirm")
    def begin(self, *, at: datetime) -> None:
        self.confirmed_at = at

    @transition(field=state, source=State.RUNNING, target=State.DONE, operation="admin_ext.console.bulk_runs.work")
    def finish(self, *, at: datetime) -> None:
        self.finished_at = at

    @transition(
        field=state,
        source=[State.FROZEN, State.PREVIEWING, State.READY],
        target=State.DISCARDED,
        operation="admin_ext.console.bulk_runs.discard",
    )
    def discard(self, *, at: datetime) -> None:
        self.finished_at = at


class BulkItem(FSMModelMixin, models.Model):
    """One row of the selection. effect: what will happen, detail: in full; message: what did, or why not. amount: minor units that move."""

    class State(models.TextChoices):
        SELECTED = "selected"
        PLANNED = "planned"
        REFUSED = "refused"
        DONE = "done"
        FAILED = "failed"

    run = models.ForeignKey(BulkRun, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    object_id = models.UUIDField()
    state = StateField(choices=State.choices, default=State.SELECTED)
    label = models.CharField(max_length=300, blank=True)
    effect = models.CharField(max_length=300, blank=True)
    detail = models.TextField(blank=True)
    message = models.CharField(max_length=500, blank=True)
    amount = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "object_id"], name="bulk_item_once")]
        indexes = [models.Index(fields=["run", "state", "position"], name="bulk_item_next")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return self.label or str(self.object_id)

    @property
    def money(self) -> Money | None:
        return Money(self.amount, self.currency) if self.amount is not None and self.currency else None

    @transition(field=state, source=State.SELECTED, target=State.PLANNED, operation="admin_ext.console.bulk_runs.plan")
    def plan(self, *, label: str, effect: str, money: Money | None, detail: str = "") -> None:
        self.label, self.effect, self.detail = label[:300], effect[:300], detail
        self.amount, self.currency = (money.amount, money.currency) if money else (None, "")

    @transition(field=state, source=State.SELECTED, target=State.REFUSED, operation="admin_ext.console.bulk_runs.plan")
    def refuse(self, *, label: str, why: str) -> None:
        self.label, self.message = label[:300], why[:500]

    @transition(field=state, source=State.PLANNED, target=State.DONE, operation="admin_ext.console.bulk_runs.work")
    def finish(self, *, at: datetime, message: str) -> None:
        self.finished_at, self.message = at, message[:500]

    @transition(field=state, source=State.PLANNED, target=State.FAILED, operation="admin_ext.console.bulk_runs.work")
    def fail(self, *, at: datetime, why: str) -> None:
        """Refused by the operation although the preview expected otherwise: something changed in between."""
        self.finished_at, self.message = at, why[:500]
