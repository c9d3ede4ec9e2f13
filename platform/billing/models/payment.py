"""A payment: what is due, what Stripe captured, and the terms that were frozen when it was made."""

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from billing.querysets import PaymentQuerySet
from core.full_text import Words
from core.models import BaseModel
from core.money import CURRENCIES, Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models import Organization


class Payment(FSMModelMixin, BaseModel):
    """amount: what is due, minor units, tax and fees included. amount_captured and amount_refunded: what Stripe has confirmed.

    purpose, subject and group are opaque to this app: what was bought and its public ids. refund_terms: tiers frozen at purchase,
    [{"hours_before": 168, "percent": 100}, …], counted from service_starts_at. The states mirror Stripe's payment intent where Stripe
    decides, so every pair that Stripe's graph can reach is allowed.
    """

    public_prefix = "pay"

    class State(models.TextChoices):
        PENDING = "pending"
        REQUIRES_ACTION = "requires_action"
        PROCESSING = "processing"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"
        EXPIRED = "expired"
        PARTIALLY_REFUNDED = "partially_refunded"
        REFUNDED = "refunded"

    OPEN = (State.PENDING, State.REQUIRES_ACTION, State.PROCESSING, State.FAILED)
    UNPAID = (*OPEN, State.CANCELLED, State.EXPIRED)
    CAPTURED = (State.SUCCEEDED, State.PARTIALLY_REFUNDED, State.REFUNDED)

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="payments", help_text="The payee.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="payments")
    responsible_id = models.UUIDField(null=True, help_text="The member who answers for what was sold.")
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=300)
    purpose = models.CharField(max_length=30)
    subject = models.CharField(max_length=40)
    group = models.CharField(max_length=40)
    state = StateField(choices=State.choices, default=State.PENDING)
    amount = models.BigIntegerField()
    amount_captured = models.BigIntegerField(default=0)
    amount_refunded = models.BigIntegerField(default=0)
    amount_disputed = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    earned = models.BigIntegerField(default=0, help_text="What the books hold of it for the payee now; kept by billing.earnings.")
    refund_terms = models.JSONField(default=list)
    refund_fee_policy = models.CharField(max_length=10, choices=Organization.RefundFeePolicy.choices, default="platform")
    service_starts_at = models.DateTimeField(null=True)
    release_at = models.DateTimeField(null=True, help_text="When the earnings become available to the payee.")
    stripe_payment_intent_id = models.CharField(max_length=255, null=True, unique=True)
    stripe_charge_id = models.CharField(max_length=255, null=True, unique=True)
    stripe_balance_transaction_id = models.CharField(max_length=255, null=True, unique=True)
    stripe_fee = models.BigIntegerField(null=True, help_text="Minor units; null until Stripe's balance transaction exists.")
    failure_message = models.CharField(max_length=500, blank=True)
    paid_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True, help_text="When Stripe was last asked about it.")
    documents_due_at = models.DateTimeField(null=True, help_text="Since when a receipt or credit note is due; null when all are issued.")

    objects = PaymentQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="payment_organization"),
            models.Index(fields=["state", "-id"], name="payment_state"),
            models.Index(fields=["email"], name="payment_email"),
            GinIndex(Words("email", "name", "description"), name="payment_words"),
            models.Index(fields=["subject"], name="payment_subject"),
            models.Index(fields=["group"], name="payment_group"),
            models.Index(fields=["organization", "release_at"], condition=~Q(paid_at=None), name="payment_reserved"),
            models.Index(fields=["paid_at"], condition=Q(stripe_fee=None), name="payment_fee_missing"),
            models.Index(fields=["documents_due_at"], condition=~Q(documents_due_at=None), name="payment_documents_due"),
            models.Index(fields=["paid_at"], condition=~Q(paid_at=None), name="payment_paid"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(condition=Q(amount_captured__gte=0, amount_disputed__gte=0), name="payment_amounts_not_negative"),
            models.CheckConstraint(
                condition=Q(amount_refunded__gte=0, amount_refunded__lte=F("amount_captured")), name="payment_refunded_within_captured"
            ),
            models.CheckConstraint(condition=Q(currency__in=sorted(CURRENCIES)), name="payment_currency_known"),
            models.CheckConstraint(
                condition=~Q(state="refunded") | Q(amount_refunded=F("amount_captured")), name="payment_refunded_is_all"
            ),
            models.CheckConstraint(
                condition=~Q(state="partially_refunded") | Q(amount_refunded__gt=0, amount_refunded__lt=F("amount_captured")),
                name="payment_partially_refunded_is_part",
            ),
            models.CheckConstraint(
                condition=~Q(state="succeeded") | Q(amount_refunded=0, amount_captured__gt=0), name="payment_succeeded_is_whole"
            ),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"{self.due} from {self.email}"

    @property
    def due(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def is_captured(self) -> bool:
        return self.state in self.CAPTURED

    @transition(
        field=state, source=[State.PENDING, State.FAILED, State.PROCESSING], target=State.REQUIRES_ACTION, operation="billing.payments.sync"
    )
    def require_action(self) -> None: ...

    @transition(
        field=state, source=[State.PENDING, State.REQUIRES_ACTION, State.FAILED], target=State.PROCESSING, operation="billing.payments.sync"
    )
    def process(self) -> None: ...

    @transition(
        field=state, source=[State.PENDING, State.REQUIRES_ACTION, State.PROCESSING], target=State.FAILED, operation="billing.payments.sync"
    )
    def fail(self, *, message: str) -> None:
        self.failure_message = message[:500]

    @transition(field=state, source=UNPAID, target=State.SUCCEEDED, operation="billing.payments.capture")
    def succeed(self, *, at: datetime, captured: int) -> None:
        """Late money counts too: cancelled and expired are left behind. at: when Stripe captured it."""
        self.paid_at, self.amount_captured, self.failure_message = at, captured, ""

    @transition(
        field=state, source=[State.PENDING, State.REQUIRES_ACTION, State.FAILED], target=State.EXPIRED, operation="billing.payments.expire"
    )
    def expire(self) -> None: ...

    @transition(field=state, source=[*OPEN, State.EXPIRED], target=State.CANCELLED, operation="billing.payments.cancel")
    def cancel(self) -> None: ...

    @transition(field=state, source=CAPTURED, target=State.PARTIALLY_REFUNDED, operation="billing.payments.restate")
    def part_refunded(self, *, refunded: int) -> None:
        self.amount_refunded = refunded

    @transition(
        field=state, source=[State.SUCCEEDED, State.PARTIALLY_REFUNDED], target=State.REFUNDED, operation="billing.payments.restate"
    )
    def all_refunded(self, *, refunded: int) -> None:
        self.amount_refunded = refunded

    @transition(
        field=state, source=[State.PARTIALLY_REFUNDED, State.REFUNDED], target=State.SUCCEEDED, operation="billing.payments.restate"
    )
    def none_refunded(self) -> None:
        """Every refund failed after it had succeeded, which Stripe does days later."""
        self.amount_refunded = 0


class PaymentLine(models.Model):
    """One line of the quote that the buyer accepted. amount: minor units, > 0 (a discount is < 0).

    payer: the attendee's lines add up to the payment; the organizer's fees are taken from what the organization earns. inclusive: tax
    that the price already holds; it is part of the price line and adds nothing. basis_points: the tax's rate, null for other lines.
    """

    class Kind(models.TextChoices):
        PRICE = "price"
        DISCOUNT = "discount"
        SERVICE_FEE = "service_fee"
        PROCESSING_FEE = "processing_fee"
        TAX = "tax"

    class Payer(models.TextChoices):
        ATTENDEE = "attendee"
        ORGANIZER = "organizer"

    payment = models.ForeignKey(Payment, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    payer = models.CharField(max_length=10, choices=Payer.choices, default=Payer.ATTENDEE)
    description = models.CharField(max_length=200)
    jurisdiction = models.CharField(max_length=10, blank=True)
    inclusive = models.BooleanField(default=False)
    basis_points = models.PositiveIntegerField(null=True)
    amount = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payment", "position"], name="payment_line_position"),
            models.CheckConstraint(
                condition=(Q(amount__gt=0) & ~Q(kind="discount")) | Q(amount__lt=0, kind="discount"), name="payment_line_sign"
            ),
            models.CheckConstraint(condition=~Q(kind="tax") | ~Q(jurisdiction=""), name="payment_line_tax_jurisdiction"),
        ]

    def __str__(self) -> str:
        return self.description


class CheckoutSession(FSMModelMixin, BaseModel):
    """One attempt to pay at Stripe's Checkout; a payment has at most one open. number: 1, 2, …, part of the idempotency key."""

    public_prefix = "chk"

    class State(models.TextChoices):
        OPENING = "opening"
        OPEN = "open"
        COMPLETE = "complete"
        EXPIRED = "expired"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="checkout_sessions")
    number = models.PositiveSmallIntegerField()
    state = StateField(choices=State.choices, default=State.OPENING)
    stripe_session_id = models.CharField(max_length=255, null=True, unique=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payment", "number"], name="checkout_number_once"),
            models.UniqueConstraint(fields=["payment"], condition=Q(state__in=["opening", "open"]), name="checkout_one_open"),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(state__in=["opening", "open"]), name="checkout_open")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"Checkout {self.number}"

    @property
    def stripe_key(self) -> str:
        return f"checkout-{self.payment_id}-{self.number}"

    @transition(field=state, source=State.OPENING, target=State.OPEN, operation="billing.checkout.opened")
    def open(self, *, stripe_session_id: str, expires_at: datetime) -> None:
        self.stripe_session_id, self.expires_at = stripe_session_id, expires_at

    @transition(field=state, source=[State.OPENING, State.OPEN, State.EXPIRED], target=State.COMPLETE, operation="billing.checkout.closed")
    def complete(self) -> None: ...

    @transition(field=state, source=[State.OPENING, State.OPEN], target=State.EXPIRED, operation="billing.checkout.closed")
    def expire(self) -> None: ...
