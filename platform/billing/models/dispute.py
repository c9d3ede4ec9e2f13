"""A dispute: the buyer asked their bank for the money back. Stripe's word, mirrored, and what it did to the balance."""

from datetime import datetime

from django.db import models
from django.db.models import Q

from billing.models.payment import Payment
from billing.querysets import DisputeQuerySet
from core.models import BaseModel, append_only
from core.money import Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models import Organization

_STATUSES = (
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "prevented",
    "won",
    "lost",
)


class Dispute(FSMModelMixin, BaseModel):
    """Stripe's dispute of a payment. While one is open, or was lost, the payment cannot be refunded.

    status follows Stripe, in Stripe's words, skips included; only a lost one can still turn (won in arbitration). borne_by: frozen from
    the organization when the dispute came. submission_count: how often Stripe took evidence; it tells an older answer from a newer one.
    """

    public_prefix = "dsp"

    class Status(models.TextChoices):
        WARNING_NEEDS_RESPONSE = "warning_needs_response", "Inquiry, needs response"
        WARNING_UNDER_REVIEW = "warning_under_review", "Inquiry, under review"
        WARNING_CLOSED = "warning_closed", "Inquiry closed"
        NEEDS_RESPONSE = "needs_response", "Needs response"
        UNDER_REVIEW = "under_review", "Under review"
        PREVENTED = "prevented", "Prevented"
        WON = "won", "Won"
        LOST = "lost", "Lost"

    ANSWERABLE = (Status.WARNING_NEEDS_RESPONSE, Status.NEEDS_RESPONSE)
    INQUIRIES = (Status.WARNING_NEEDS_RESPONSE, Status.WARNING_UNDER_REVIEW)
    OPEN = (*INQUIRIES, Status.NEEDS_RESPONSE, Status.UNDER_REVIEW)
    HOLDING = (*OPEN, Status.LOST)
    FINAL = (Status.WARNING_CLOSED, Status.PREVENTED, Status.WON, Status.LOST)

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    stripe_dispute_id = models.CharField(max_length=255, unique=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = StateField(choices=Status.choices, default=Status.NEEDS_RESPONSE)
    reason = models.CharField(max_length=60)
    due_by = models.DateTimeField(null=True)
    submission_count = models.PositiveSmallIntegerField(default=0)
    borne_by = models.CharField(max_length=10, choices=Organization.DisputePolicy.choices, default=Organization.DisputePolicy.ORGANIZER)
    evidence = models.JSONField(default=dict, help_text="The draft, by Stripe's names; nothing of it is sent until it is submitted.")
    opened_at = models.DateTimeField(null=True, help_text="When the bank opened it, by Stripe's clock.")
    closed_at = models.DateTimeField(null=True)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["status", "-id"], name="dispute_status"),
            models.Index(fields=["due_by"], condition=Q(status__in=["warning_needs_response", "needs_response"]), name="dispute_due"),
        ]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="dispute_amount_positive")]
        triggers = [StateMachine(field="status", initial=_STATUSES)]  # the first we hear of it may be its end

    def __str__(self) -> str:
        return f"Dispute of {self.money}"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def is_inquiry(self) -> bool:
        return self.status in self.INQUIRIES

    @transition(field=status, source=Status.WARNING_UNDER_REVIEW, target=Status.WARNING_NEEDS_RESPONSE, operation="billing.disputes.sync")
    def ask_again(self) -> None: ...

    @transition(field=status, source=Status.WARNING_NEEDS_RESPONSE, target=Status.WARNING_UNDER_REVIEW, operation="billing.disputes.sync")
    def review_inquiry(self) -> None: ...

    @transition(field=status, source=INQUIRIES, target=Status.WARNING_CLOSED, operation="billing.disputes.sync")
    def close_inquiry(self, *, at: datetime) -> None:
        self.closed_at = at

    @transition(field=status, source=[*INQUIRIES, Status.UNDER_REVIEW], target=Status.NEEDS_RESPONSE, operation="billing.disputes.sync")
    def need_response(self) -> None: ...

    @transition(field=status, source=[*INQUIRIES, Status.NEEDS_RESPONSE], target=Status.UNDER_REVIEW, operation="billing.disputes.sync")
    def review(self) -> None: ...

    @transition(field=status, source=OPEN, target=Status.PREVENTED, operation="billing.disputes.sync")
    def prevent(self, *, at: datetime) -> None:
        self.closed_at = at

    @transition(field=status, source=[*OPEN, Status.LOST], target=Status.WON, operation="billing.disputes.sync")
    def win(self, *, at: datetime) -> None:
        self.closed_at = at

    @transition(field=status, source=OPEN, target=Status.LOST, operation="billing.disputes.sync")
    def lose(self, *, at: datetime) -> None:
        self.closed_at = at


class DisputeMovement(models.Model):
    """One balance transaction of a dispute: money that Stripe withdrew or gave back. Append-only.

    amount: minor units of `currency` as Stripe has it, negative when withdrawn; fee: what Stripe kept with it (negative: gave back).
    reference: the ledger transaction that books it.
    """

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="movements")
    stripe_balance_transaction_id = models.CharField(max_length=255, unique=True)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=120, unique=True)
    happened_at = models.DateTimeField()

    class Meta:
        triggers = append_only()

    def __str__(self) -> str:
        return f"{Money(self.amount, self.currency)} ({self.stripe_balance_transaction_id})"
