"""Money between the platform's balance and an organization's at Stripe: transfers there, reversals back."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from billing.models.account import ConnectedAccount
from billing.models.payout import PayoutRequest
from billing.querysets import TransferQuerySet, TransferReversalQuerySet
from core.models import BaseModel
from core.money import Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition


class Transfer(FSMModelMixin, BaseModel):
    """What one try of a payout request lacked in the connected account, decided once and stored before Stripe is asked.

    number: the request's retry. amount_reversed: what Stripe says came back of it; minor units as amount.
    """

    public_prefix = "trf"

    class State(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    payout_request = models.ForeignKey(PayoutRequest, on_delete=models.PROTECT, related_name="transfers")
    account = models.ForeignKey(ConnectedAccount, on_delete=models.PROTECT, related_name="transfers")
    number = models.PositiveSmallIntegerField()
    state = StateField(choices=State.choices, default=State.PENDING)
    amount = models.BigIntegerField()
    amount_reversed = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    attempt = models.PositiveSmallIntegerField(default=1)
    stripe_account_id = models.CharField(max_length=255)
    stripe_transfer_id = models.CharField(max_length=255, null=True, unique=True)
    stripe_balance_transaction_id = models.CharField(max_length=255, null=True, unique=True)
    failure_reason = models.CharField(max_length=500, blank=True)
    submitted_at = models.DateTimeField(null=True)

    objects = TransferQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payout_request", "number"], name="transfer_number_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(
                condition=Q(amount_reversed__gte=0, amount_reversed__lte=F("amount")), name="transfer_reversed_within_amount"
            ),
            models.CheckConstraint(condition=~Q(state="succeeded") | ~Q(stripe_transfer_id=None), name="transfer_succeeded_at_stripe"),
        ]
        indexes = [models.Index(fields=["account", "currency", "-id"], name="transfer_account")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"Transfer of {self.money}"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def stripe_key(self) -> str:
        return f"transfer-{self.pk}-{self.attempt}"

    @property
    def group(self) -> str:
        """Stripe's transfer_group: by it a transfer whose answer was lost is found again."""
        return self.payout_request.public_id

    def renew_key(self, *, at: datetime) -> None:
        self.attempt += 1
        self.submitted_at = at

    @transition(field=state, source=State.PENDING, target=State.SUCCEEDED, operation="billing.transfer_sync.sync")
    def succeed(self, *, stripe_transfer_id: str, balance_transaction_id: str | None) -> None:
        self.stripe_transfer_id, self.stripe_balance_transaction_id = stripe_transfer_id, balance_transaction_id

    @transition(field=state, source=State.PENDING, target=State.FAILED, operation="billing.transfer_sync.fail")
    def fail(self, *, why: str) -> None:
        self.failure_reason = why[:500]


class TransferReversal(FSMModelMixin, BaseModel):
    """Money fetched back from a connected account. amount: what was asked for; amount_reversed: what Stripe says it took."""

    public_prefix = "trr"

    class State(models.TextChoices):
        REQUESTED = "requested"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    class Source(models.TextChoices):
        RECOVERY = "recovery", "Earnings were given back after the transfer"
        EXTERNAL = "external", "Made at Stripe"

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="reversals")
    state = StateField(choices=State.choices, default=State.REQUESTED)
    source = models.CharField(max_length=10, choices=Source.choices)
    amount = models.BigIntegerField()
    amount_reversed = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    attempt = models.PositiveSmallIntegerField(default=1)
    stripe_reversal_id = models.CharField(max_length=255, null=True, unique=True)
    stripe_balance_transaction_id = models.CharField(max_length=255, null=True, unique=True)
    failure_reason = models.CharField(max_length=500, blank=True)
    submitted_at = models.DateTimeField(null=True)

    objects = TransferReversalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transfer"], condition=Q(state="requested"), name="reversal_one_open"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="reversal_amount_positive"),
            models.CheckConstraint(
                condition=~Q(state="succeeded") | (~Q(stripe_reversal_id=None) & ~Q(amount_reversed=None)),
                name="reversal_succeeded_at_stripe",
            ),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"Reversal of {Money(self.amount, self.currency)}"

    @property
    def stripe_key(self) -> str:
        return f"reversal-{self.pk}-{self.attempt}"

    def renew_key(self, *, at: datetime) -> None:
        self.attempt += 1
        self.submitted_at = at

    @transition(field=state, source=State.REQUESTED, target=State.SUCCEEDED, operation="billing.transfer_sync.record_reversal")
    def succeed(self, *, stripe_reversal_id: str, amount: int, balance_transaction_id: str | None) -> None:
        self.stripe_reversal_id, self.amount_reversed, self.stripe_balance_transaction_id = (
            stripe_reversal_id,
            amount,
            balance_transaction_id,
        )

    @transition(field=state, source=State.REQUESTED, target=State.FAILED, operation="billing.transfer_sync.fail_reversal")
    def fail(self, *, why: str) -> None:
        self.failure_reason = why[:500]
