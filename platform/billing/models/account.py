"""An organization's account at Stripe, mirrored, and what Stripe held when it was last asked."""

from datetime import datetime

from django.db import models
from django.db.models import Q

from billing.querysets import ConnectedAccountQuerySet, StripeBalanceQuerySet
from core.models import BaseModel
from core.money import CURRENCIES
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models import Organization


class ConnectedAccount(FSMModelMixin, BaseModel):
    """Where an organization's earnings are paid out to; it has at most one. Everything about its payouts queues at this row.

    number: 1, 2, …, part of the idempotency key; rises when an account is made anew. country: the organization's when it was made.
    currencies: of the bank accounts at Stripe, upper case. requirements: Stripe's lists of what is still missing, by its names.
    """

    public_prefix = "cac"

    class State(models.TextChoices):
        OPENING = "opening"
        OPEN = "open"
        DEAUTHORIZED = "deauthorized"

    class Schedule(models.TextChoices):
        MANUAL = "manual", "When somebody asks"
        WEEKLY = "weekly", "Every Monday"
        MONTHLY = "monthly", "On the first of the month"

    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="connected_account")
    state = StateField(choices=State.choices, default=State.OPENING)
    number = models.PositiveSmallIntegerField(default=1)
    stripe_account_id = models.CharField(max_length=255, null=True, unique=True)
    country = models.CharField(max_length=2)
    default_currency = models.CharField(max_length=3, blank=True)
    currencies = models.JSONField(default=list)
    charges_enabled = models.BooleanField(default=False)
    transfers_enabled = models.BooleanField(default=False)
    payouts_enabled = models.BooleanField(default=False)
    details_submitted = models.BooleanField(default=False)
    requirements = models.JSONField(default=dict)
    disabled_reason = models.CharField(max_length=100, blank=True)
    payout_schedule = models.CharField(max_length=10, choices=Schedule.choices, default=Schedule.MANUAL)
    opening_since = models.DateTimeField(null=True, help_text="When Stripe was first asked for it under this number.")
    synced_at = models.DateTimeField(null=True)
    deauthorized_at = models.DateTimeField(null=True)

    objects = ConnectedAccountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(state="open") | ~Q(stripe_account_id=None), name="account_open_at_stripe"),
            models.CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="account_country_iso"),
        ]
        indexes = [models.Index(fields=["payout_schedule"], condition=~Q(payout_schedule="manual"), name="account_scheduled")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"Account of {self.organization}"

    @property
    def stripe_key(self) -> str:
        return f"account-{self.pk}-{self.number}"

    @property
    def missing(self) -> list[str]:
        """What Stripe still asks for, in its words, the overdue first."""
        lists = [self.requirements.get(name, []) for name in ("past_due", "currently_due")]
        return list(dict.fromkeys(name for names in lists for name in names))

    @property
    def is_usable(self) -> bool:
        return self.state == self.State.OPEN and self.transfers_enabled and self.payouts_enabled

    def is_usable_in(self, currency: str) -> bool:
        """Whether money in this currency can go to a bank account of the organization without being converted."""
        return self.is_usable and currency in self.currencies

    @transition(field=state, source=State.OPENING, target=State.OPEN, operation="billing.connect.opened")
    def open(self, *, stripe_account_id: str) -> None:
        self.stripe_account_id = stripe_account_id

    @transition(field=state, source=State.OPEN, target=State.DEAUTHORIZED, operation="billing.connect.deauthorize")
    def deauthorize(self, *, at: datetime) -> None:
        """The organization took its account away from us: nothing can be sent there any more."""
        self.deauthorized_at = at
        self.charges_enabled = self.transfers_enabled = self.payouts_enabled = False

    @transition(field=state, source=State.DEAUTHORIZED, target=State.OPENING, operation="billing.connect.begin")
    def reopen(self) -> None:
        """Another account at Stripe takes the place of the one that is gone."""
        self.number += 1
        self.stripe_account_id = self.opening_since = self.deauthorized_at = None
        self.default_currency, self.currencies, self.requirements, self.disabled_reason = "", [], {}, ""
        self.details_submitted = False


class StripeBalance(models.Model):
    """What Stripe held in one currency when it was last asked; account null: the platform's own. Minor units."""

    account = models.ForeignKey(ConnectedAccount, null=True, on_delete=models.CASCADE, related_name="balances")
    currency = models.CharField(max_length=3)
    available = models.BigIntegerField()
    pending = models.BigIntegerField()
    read_at = models.DateTimeField()

    objects = StripeBalanceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "currency"], nulls_distinct=False, name="stripe_balance_once"),
            models.CheckConstraint(condition=Q(currency__in=sorted(CURRENCIES)), name="stripe_balance_currency_known"),
        ]

    def __str__(self) -> str:
        return f"{self.available} {self.currency}"
