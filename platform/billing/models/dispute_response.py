"""How we answer a dispute: the evidence that is gathered for it, and what was sent to Stripe."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.models.dispute import Dispute
from billing.querysets import DisputeFileQuerySet, DisputeResponseQuerySet
from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition


def _stored_as(file: "DisputeFile", _name: str) -> str:
    """By key alone: what a person called the file decides no path."""
    return f"disputes/{file.dispute_id}/{file.pk}"


class DisputeFile(BaseModel):
    """A document that belongs to a dispute's evidence. kind: Stripe's name of the evidence field that it is for; size: bytes."""

    public_prefix = "dsf"

    class Kind(models.TextChoices):
        CUSTOMER_COMMUNICATION = "customer_communication", "Communication with the customer"
        RECEIPT = "receipt", "Receipt"
        SERVICE_DOCUMENTATION = "service_documentation", "Proof that the service was provided"
        REFUND_POLICY = "refund_policy", "Refund policy"
        CANCELLATION_POLICY = "cancellation_policy", "Cancellation policy"
        DUPLICATE_CHARGE_DOCUMENTATION = "duplicate_charge_documentation", "Proof about the other charge"
        UNCATEGORIZED_FILE = "uncategorized_file", "Other"

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="files")
    kind = models.CharField(max_length=40, choices=Kind.choices)
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=40)
    size = models.PositiveIntegerField()
    stored = models.FileField(upload_to=_stored_as)
    stripe_file_id = models.CharField(max_length=255, null=True, unique=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    objects = DisputeFileQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dispute", "kind"], name="dispute_file_of_kind_once"),  # Stripe takes one file a field
            models.CheckConstraint(condition=Q(size__gt=0), name="dispute_file_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name


class DisputeResponse(FSMModelMixin, BaseModel):
    """One answer to a dispute: evidence, as it stood when it was submitted, or that it is accepted.

    attempt is part of the idempotency key; it rises only after Stripe's definite refusal, or when a look-up found that Stripe has
    nothing. At most one answer of a dispute is on its way.
    """

    public_prefix = "dsr"

    class Kind(models.TextChoices):
        EVIDENCE = "evidence"
        ACCEPT = "accept", "Accepted"

    class State(models.TextChoices):
        REQUESTED = "requested"
        SENDING = "sending"
        UNKNOWN = "unknown"
        DONE = "done", "Sent"
        FAILED = "failed"

    OPEN = (State.REQUESTED, State.SENDING, State.UNKNOWN)

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="responses")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = StateField(choices=State.choices, default=State.REQUESTED)
    evidence = models.JSONField(default=dict)
    submissions_before = models.PositiveSmallIntegerField(default=0)
    attempt = models.PositiveSmallIntegerField(default=1)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    failure_reason = models.CharField(max_length=500, blank=True)

    objects = DisputeResponseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dispute"], condition=Q(state__in=["requested", "sending", "unknown"]), name="dispute_one_answer_on_its_way"
            )
        ]
        indexes = [models.Index(fields=["state", "updated_at"], name="dispute_response_state")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return self.get_kind_display()

    @property
    def stripe_key(self) -> str:
        return f"dispute-{self.kind}-{self.pk}-{self.attempt}"

    def file_key(self, file_id: UUID) -> str:
        return f"dispute-file-{file_id}-{self.attempt}"

    @transition(
        field=state,
        source=[State.REQUESTED, State.SENDING, State.UNKNOWN],
        target=State.SENDING,
        operation="billing.dispute_submission.begin",
    )
    def begin(self, *, at: datetime) -> None:
        self.sent_at = at

    @transition(field=state, source=State.SENDING, target=State.UNKNOWN, operation="billing.dispute_submission.lose_answer")
    def lose_answer(self) -> None: ...

    @transition(field=state, source=[State.SENDING, State.UNKNOWN], target=State.DONE, operation="billing.dispute_submission.finish")
    def finish(self, *, at: datetime) -> None:
        self.ended_at, self.failure_reason = at, ""

    @transition(field=state, source=[State.SENDING, State.UNKNOWN], target=State.FAILED, operation="billing.dispute_submission.fail")
    def fail(self, *, at: datetime, why: str) -> None:
        self.ended_at, self.failure_reason = at, why[:500]

    @transition(field=state, source=State.FAILED, target=State.REQUESTED, operation="billing.dispute_responses.retry")
    def retry(self) -> None:
        self.attempt += 1
        self.sent_at = self.ended_at = None
