"""What organizations pay Stripe's subscriptions with and by: the customer, the subscription, its invoices. Stripe's word, mirrored."""

from django.db import models
from django.db.models import Q

from billing.models.plan import PlanPrice
from billing.querysets import BillingAccountQuerySet, InvoiceQuerySet, SubscriptionQuerySet
from core.models import BaseModel, append_only
from core.money import Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models import Organization

# Stripe's word may reach us in any of them.
SUBSCRIPTION_STATUSES = ("incomplete", "trialing", "active", "past_due", "unpaid", "paused", "canceled", "incomplete_expired")


class BillingAccount(BaseModel):
    """The organization as a customer of Stripe's; never found by an email, so nobody pays from another's account.

    number: how often a key for making the customer was given up because its answer was lost for a day. card_…: what pays, as Stripe
    said at card_asked_at; card_expires_on: the last day that it is good for.
    """

    public_prefix = "bac"

    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="billing_account")
    stripe_customer_id = models.CharField(max_length=255, null=True, unique=True)
    number = models.PositiveSmallIntegerField(default=1)
    stripe_payment_method_id = models.CharField(max_length=255, blank=True, db_index=True)
    card_brand = models.CharField(max_length=40, blank=True)
    card_last4 = models.CharField(max_length=4, blank=True)
    card_expires_on = models.DateField(null=True, db_index=True)
    card_asked_at = models.DateTimeField(null=True)

    objects = BillingAccountQuerySet.as_manager()

    def __str__(self) -> str:
        return self.organization.name

    @property
    def card(self) -> str:
        """ "Visa 4242, good until 12/2034"; empty where nothing is known."""
        until = f", good until {self.card_expires_on:%m/%Y}" if self.card_expires_on else ""
        return f"{self.card_brand.capitalize()} {self.card_last4}{until}" if self.card_last4 else ""


class Subscription(FSMModelMixin, BaseModel):
    """One subscription at Stripe. asked_at: when Stripe was asked for what stands here; an answer to an earlier question is old news.

    seat_quantity: further seats that Stripe bills, each at seat_price.
    """

    public_prefix = "sbs"

    class Status(models.TextChoices):
        INCOMPLETE = "incomplete"
        TRIALING = "trialing"
        ACTIVE = "active"
        PAST_DUE = "past_due"
        UNPAID = "unpaid"
        PAUSED = "paused"
        CANCELED = "canceled"
        INCOMPLETE_EXPIRED = "incomplete_expired"

    # what Stripe can move among, skips included
    LIVE = (Status.TRIALING, Status.ACTIVE, Status.PAST_DUE, Status.UNPAID, Status.PAUSED)
    _FROM = (Status.INCOMPLETE, *LIVE)

    account = models.ForeignKey(BillingAccount, on_delete=models.PROTECT, related_name="subscriptions")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="subscriptions")
    price = models.ForeignKey(PlanPrice, on_delete=models.PROTECT, related_name="subscriptions")
    stripe_subscription_id = models.CharField(max_length=255, unique=True)
    status = StateField(choices=Status.choices, default=Status.INCOMPLETE)
    period_starts_at = models.DateTimeField()
    period_ends_at = models.DateTimeField()
    trial_ends_at = models.DateTimeField(null=True)
    cancel_at_period_end = models.BooleanField(default=False)
    canceled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField()
    seat_price = models.ForeignKey(PlanPrice, null=True, on_delete=models.PROTECT, related_name="seat_subscriptions")
    seat_quantity = models.PositiveIntegerField(default=0)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(status__in=["trialing", "active", "past_due", "unpaid", "paused"]),
                name="subscription_live_once",
            ),
            models.CheckConstraint(condition=Q(period_ends_at__gte=models.F("period_starts_at")), name="subscription_period_in_order"),
        ]
        indexes = [models.Index(fields=["asked_at"], name="subscription_asked")]
        triggers = [StateMachine(field="status", initial=SUBSCRIPTION_STATUSES)]

    def __str__(self) -> str:
        return f"{self.price.plan} ({self.get_status_display()})"

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE

    @transition(field=status, source=_FROM, target=Status.TRIALING, operation="billing.subscription_sync.sync")
    def to_trialing(self) -> None: ...

    @transition(field=status, source=_FROM, target=Status.ACTIVE, operation="billing.subscription_sync.sync")
    def to_active(self) -> None: ...

    @transition(field=status, source=_FROM, target=Status.PAST_DUE, operation="billing.subscription_sync.sync")
    def to_past_due(self) -> None: ...

    @transition(field=status, source=_FROM, target=Status.UNPAID, operation="billing.subscription_sync.sync")
    def to_unpaid(self) -> None: ...

    @transition(field=status, source=_FROM, target=Status.PAUSED, operation="billing.subscription_sync.sync")
    def to_paused(self) -> None: ...

    @transition(field=status, source=_FROM, target=Status.CANCELED, operation="billing.subscription_sync.sync")
    def to_canceled(self) -> None: ...

    @transition(field=status, source=Status.INCOMPLETE, target=Status.INCOMPLETE_EXPIRED, operation="billing.subscription_sync.sync")
    def to_incomplete_expired(self) -> None: ...


class SubscriptionChange(BaseModel):
    """One change of a subscription: what was and what is, by whom, and by which event of Stripe's. Never changed."""

    public_prefix = "sch"

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="changes")
    old = models.JSONField(default=dict)
    new = models.JSONField(default=dict)
    source = models.CharField(max_length=120)
    event = models.CharField(max_length=255, blank=True)

    class Meta:
        indexes = [models.Index(fields=["subscription", "-id"], name="subscription_change")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.old.get('status', '')} → {self.new.get('status', '')}"


class Invoice(BaseModel):
    """An invoice of Stripe's, mirrored; amounts in minor units of `currency`. Its links run out, so they are asked for when wanted.

    attempts: how often Stripe tried to take it; needs_action: the last attempt waits for the bank's question to be answered.
    """

    public_prefix = "inv"

    class Status(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        PAID = "paid"
        VOID = "void"
        UNCOLLECTIBLE = "uncollectible"

    account = models.ForeignKey(BillingAccount, on_delete=models.PROTECT, related_name="invoices")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="invoices")
    stripe_invoice_id = models.CharField(max_length=255, unique=True)
    number = models.CharField(max_length=60, blank=True)
    status = models.CharField(max_length=15, choices=Status.choices)
    billing_reason = models.CharField(max_length=60, blank=True)
    total = models.BigIntegerField()
    amount_due = models.BigIntegerField()
    amount_paid = models.BigIntegerField()
    tax = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    stripe_payment_intent_id = models.CharField(max_length=255, null=True, unique=True)
    stripe_charge_id = models.CharField(max_length=255, null=True, unique=True)
    stripe_fee = models.BigIntegerField(null=True)
    period_starts_at = models.DateTimeField(null=True)
    period_ends_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    needs_action = models.BooleanField(default=False)
    issued_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField()

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_due__gte=0, amount_paid__gte=0, tax__gte=0), name="invoice_amounts_not_negative"),
            models.CheckConstraint(condition=Q(status__in=["draft", "open", "paid", "void", "uncollectible"]), name="invoice_status_known"),
        ]
        indexes = [
            models.Index(fields=["organization", "-issued_at"], name="invoice_organization"),
            models.Index(fields=["number"], name="invoice_number"),
        ]

    def __str__(self) -> str:
        return self.number or self.stripe_invoice_id

    @property
    def money(self) -> Money:
        return Money(self.total, self.currency)

    @property
    def reference(self) -> str:
        return f"invoice:{self.pk}"
