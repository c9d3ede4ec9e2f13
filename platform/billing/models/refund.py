"""A refund: requested by a person, made by Stripe; the row exists before the call."""

from datetime import datetime
from uuid import UUID

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing.models.payment import Payment
from billing.querysets import RefundQuerySet
from core.models import BaseModel
from core.money import Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition

# Refunds of ours never add up to more than was captured, whoever writes; the payment's row is locked, so two inserts see each other.
# A refund made at Stripe is Stripe's word and is recorded whatever it does to the sum.
_WITHIN_CAPTURED = """
    IF NEW.source <> 'external' AND NEW.state NOT IN ('failed', 'cancelled')
            AND (TG_OP = 'INSERT' OR OLD.state IN ('failed', 'cancelled') OR NEW.amount <> OLD.amount) THEN
        PERFORM 1 FROM billing_payment WHERE id = NEW.payment_id FOR UPDATE;
        IF (SELECT sum(amount) FROM billing_refund WHERE payment_id = NEW.payment_id AND state NOT IN ('failed', 'cancelled'))
                > (SELECT amount_captured FROM billing_payment WHERE id = NEW.payment_id) THEN
            RAISE EXCEPTION 'refunds of payment % exceed what was captured', NEW.payment_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_within_captured', TABLE = TG_TABLE_NAME;
        END IF;
    END IF;
    RETURN NULL;
"""


class Refund(FSMModelMixin, BaseModel):
    """amount: minor units of the payment's currency, tax and fees included.

    attempt is part of the idempotency key: it rises only when a person retries after a definite failure, or after a look-up found
    nothing at Stripe. retries counts the former alone: each has postings of its own in the ledger.
    requested_by is never approved_by: the database says so.
    """

    public_prefix = "rfd"

    class State(models.TextChoices):
        REQUESTED = "requested"
        AWAITING_APPROVAL = "awaiting_approval"
        APPROVED = "approved"
        SUBMITTING = "submitting"
        UNKNOWN = "unknown"
        PENDING = "pending"
        REQUIRES_ACTION = "requires_action"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Reason(models.TextChoices):
        REQUESTED_BY_CUSTOMER = "requested_by_customer", "Requested by the attendee"
        DUPLICATE = "duplicate", "Paid twice"
        FRAUDULENT = "fraudulent", "Fraudulent"
        EVENT_CANCELLED = "event_cancelled", "Event cancelled"
        LATE_PAYMENT = "late_payment", "Paid after the place was gone"
        OTHER = "other", "Other"

    class Source(models.TextChoices):
        CONSOLE = "console"
        API = "api"
        AUTOMATIC = "automatic"
        EXTERNAL = "external", "Made at Stripe"

    AT_STRIPE = (State.SUBMITTING, State.UNKNOWN, State.PENDING, State.REQUIRES_ACTION)
    ENDED_WITHOUT_MONEY = (State.FAILED, State.CANCELLED)

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    state = StateField(choices=State.choices, default=State.REQUESTED)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=30, choices=Reason.choices)
    note = models.TextField(blank=True)
    source = models.CharField(max_length=10, choices=Source.choices)
    releases_place = models.BooleanField(default=False, help_text="Whether a full refund gives the place back.")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    request_token = models.CharField(
        max_length=80, null=True, unique=True, help_text="Of the dialog or the request: a second one with it is the same refund."
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    retries = models.PositiveSmallIntegerField(default=0)
    stripe_refund_id = models.CharField(max_length=255, null=True, unique=True)
    stripe_balance_transaction_id = models.CharField(max_length=255, null=True, unique=True)
    failure_balance_transaction_id = models.CharField(max_length=255, null=True, unique=True)
    failure_reason = models.CharField(max_length=500, blank=True)
    submitted_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["payment", "id"], name="refund_payment"),
            models.Index(fields=["state", "-id"], name="refund_state"),
            models.Index(fields=["succeeded_at"], condition=Q(state="succeeded"), name="refund_succeeded"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(approved_by=None) | Q(requested_by=None) | ~Q(approved_by=F("requested_by")), name="refund_second_person"
            ),
            models.CheckConstraint(condition=~Q(state="approved", retries=0) | ~Q(approved_by=None), name="refund_approved_by_someone"),
            models.CheckConstraint(condition=~Q(state="succeeded") | ~Q(stripe_refund_id=None), name="refund_succeeded_at_stripe"),
        ]
        triggers = [
            StateMachine(),
            pgtrigger.Trigger(
                name="within_captured",
                when=pgtrigger.After,
                level=pgtrigger.Row,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func=_WITHIN_CAPTURED,
            ),
        ]

    def __str__(self) -> str:
        return f"Refund of {self.money}"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def stripe_key(self) -> str:
        return f"refund-{self.pk}-{self.attempt}"

    def reference(self, fact: str = "", *, retry: int | None = None) -> str:
        """The ledger's name for a fact about this refund: "refund:<id>", "refund:<id>:requested"; a retry adds its number."""
        number = self.retries if retry is None else retry
        return ":".join(["refund", str(self.pk), *([fact] if fact else []), *([f"retry-{number}"] if number else [])])

    def references(self, *facts: str) -> list[str]:
        """The ledger's names for these facts in every retry so far."""
        return [self.reference(fact, retry=number) for fact in facts for number in range(self.retries + 1)]

    def known_to_stripe(self) -> bool:
        return self.stripe_refund_id is not None

    @transition(field=state, source=State.REQUESTED, target=State.AWAITING_APPROVAL, operation="billing.refunds.request")
    def await_approval(self) -> None: ...

    @transition(field=state, source=State.AWAITING_APPROVAL, target=State.APPROVED, operation="billing.refund_approval.approve")
    def approve(self, *, user_id: UUID | None) -> None:
        self.approved_by_id = user_id

    @transition(field=state, source=State.AWAITING_APPROVAL, target=State.CANCELLED, operation="billing.refund_approval.reject")
    def reject(self, *, at: datetime, why: str) -> None:
        self.failed_at, self.failure_reason = at, why[:500]

    @transition(
        field=state,
        source=[State.REQUESTED, State.APPROVED, State.SUBMITTING, State.UNKNOWN],
        target=State.SUBMITTING,
        operation="billing.refund_submission.begin",
    )
    def begin(self, *, at: datetime) -> None:
        self.submitted_at = at

    def renew_key(self, *, at: datetime) -> None:
        """A new idempotency key for the same refund, after a look-up found nothing under the old one."""
        self.attempt += 1
        self.submitted_at = at

    @transition(field=state, source=State.SUBMITTING, target=State.UNKNOWN, operation="billing.refund_submission.lose_answer")
    def lose_answer(self) -> None: ...

    @transition(
        field=state,
        source=[State.REQUESTED, State.SUBMITTING, State.UNKNOWN, State.REQUIRES_ACTION],
        target=State.PENDING,
        operation="billing.refund_sync.sync",
    )
    def wait(self) -> None: ...

    @transition(
        field=state,
        source=[State.REQUESTED, State.SUBMITTING, State.UNKNOWN, State.PENDING],
        target=State.REQUIRES_ACTION,
        operation="billing.refund_sync.sync",
    )
    def require_action(self) -> None: ...

    @transition(
        field=state,
        source=[State.REQUESTED, *AT_STRIPE],
        target=State.SUCCEEDED,
        conditions=[known_to_stripe],
        operation="billing.refund_sync.settle",
    )
    def succeed(self, *, at: datetime) -> None:
        self.succeeded_at = at

    @transition(
        field=state, source=[State.REQUESTED, *AT_STRIPE, State.SUCCEEDED], target=State.FAILED, operation="billing.refund_sync.fail"
    )
    def fail(self, *, at: datetime, why: str) -> None:
        self.failed_at, self.failure_reason = at, why[:500]

    @transition(field=state, source=[State.REQUESTED, *AT_STRIPE], target=State.CANCELLED, operation="billing.refund_sync.cancel")
    def cancel(self, *, at: datetime) -> None:
        self.failed_at = at

    @transition(field=state, source=State.FAILED, target=State.APPROVED, operation="billing.refund_approval.retry")
    def retry(self) -> None:
        self.attempt += 1
        self.retries += 1
        self.stripe_refund_id = self.stripe_balance_transaction_id = self.failure_balance_transaction_id = None
        self.succeeded_at = self.failed_at = self.submitted_at = None
        self.failure_reason = ""
