"""What went to Stripe and what came from it: commands with their keys, events as they arrived."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from billing.querysets import InboundEventQuerySet, StripeCommandQuerySet
from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition


class StripeCommand(FSMModelMixin, BaseModel):
    """One mutating call, stored with key and parameters before it is made; a lost answer is unknown, never failed."""

    public_prefix = "cmd"

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        UNKNOWN = "unknown"

    operation = models.CharField(max_length=60)
    key = models.CharField(max_length=255, unique=True)
    parameters = models.JSONField()
    subject_type = models.CharField(max_length=60)
    subject_id = models.UUIDField()
    organization_id = models.UUIDField(null=True)
    state = StateField(choices=State.choices, default=State.PENDING)
    calls = models.PositiveSmallIntegerField(default=0)
    stripe_object_id = models.CharField(max_length=255, blank=True)
    error = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)

    objects = StripeCommandQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["subject_id", "-id"], name="command_subject"),
            models.Index(fields=["state", "-id"], name="command_state"),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"

    @transition(field=state, source=[State.PENDING, State.SENT, State.UNKNOWN], target=State.SENT, operation="billing.commands.sending")
    def send(self, *, at: datetime) -> None:
        self.sent_at = at
        self.calls += 1

    @transition(field=state, source=[State.SENT, State.UNKNOWN], target=State.SUCCEEDED, operation="billing.commands.answered")
    def succeed(self, *, at: datetime, stripe_object_id: str) -> None:
        self.answered_at, self.stripe_object_id, self.error = at, stripe_object_id, ""

    @transition(field=state, source=[State.SENT, State.UNKNOWN], target=State.FAILED, operation="billing.commands.refused")
    def fail(self, *, at: datetime, error: str) -> None:
        self.answered_at, self.error = at, error

    @transition(field=state, source=State.SENT, target=State.UNKNOWN, operation="billing.commands.lost")
    def lose(self, *, error: str) -> None:
        self.error = error


class InboundEvent(FSMModelMixin, BaseModel):
    """A signed event as it arrived, stored before any work; Stripe's id is unique, so a repetition is counted, not worked."""

    public_prefix = "inb"

    class State(models.TextChoices):
        RECEIVED = "received"
        PROCESSING = "processing"
        PROCESSED = "processed"
        FAILED = "failed"
        DEAD = "dead"
        IGNORED = "ignored"

    class Endpoint(models.TextChoices):
        PLATFORM = "platform"
        CONNECT = "connect", "Connected accounts"

    provider = models.CharField(max_length=20, default="stripe")
    endpoint = models.CharField(max_length=20, choices=Endpoint.choices)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100)
    api_version = models.CharField(max_length=60, blank=True)
    account = models.CharField(max_length=255, blank=True)
    object_id = models.CharField(max_length=255, blank=True)
    body = models.TextField()
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    repeats = models.PositiveIntegerField(default=0)
    state = StateField(choices=State.choices, default=State.RECEIVED)
    attempts = models.PositiveSmallIntegerField(default=0)
    run_after = models.DateTimeField(default=timezone.now)
    processed_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    objects = InboundEventQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="inbound_event_once")]
        indexes = [
            models.Index(
                fields=["run_after"], condition=models.Q(state__in=["received", "failed", "processing"]), name="inbound_event_due"
            ),
            models.Index(fields=["state", "-id"], name="inbound_event_state"),
            models.Index(fields=["object_id"], name="inbound_event_object"),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

    @transition(
        field=state,
        source=[State.RECEIVED, State.FAILED, State.PROCESSING],
        target=State.PROCESSING,
        operation="billing.webhooks.processing.claim",
    )
    def start(self, *, lease_until: datetime) -> None:
        self.attempts += 1
        self.run_after = lease_until

    @transition(field=state, source=State.PROCESSING, target=State.PROCESSED, operation="billing.webhooks.processing.finish")
    def finish(self, *, at: datetime) -> None:
        self.processed_at, self.error = at, ""

    @transition(field=state, source=State.PROCESSING, target=State.IGNORED, operation="billing.webhooks.processing.finish")
    def ignore(self, *, at: datetime) -> None:
        self.processed_at = at

    @transition(field=state, source=State.PROCESSING, target=State.FAILED, operation="billing.webhooks.processing.fail")
    def fail(self, *, retry_at: datetime, error: str) -> None:
        self.run_after, self.error = retry_at, error

    @transition(field=state, source=[State.PROCESSING, State.FAILED], target=State.DEAD, operation="billing.webhooks.processing.fail")
    def bury(self, *, error: str) -> None:
        self.error = error

    @transition(
        field=state,
        source=[State.DEAD, State.FAILED, State.PROCESSED, State.IGNORED],
        target=State.RECEIVED,
        operation="billing.webhooks.replay.replay",
    )
    def replay(self, *, at: datetime) -> None:
        self.attempts, self.run_after, self.error, self.processed_at = 0, at, "", None
