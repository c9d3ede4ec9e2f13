"""Stripe's balance transactions, kept as Stripe has them, and what earlier tries of a refund left there."""

from django.db import models
from django.db.models import Q

from billing.models.refund import Refund
from billing.querysets import BalanceTransactionQuerySet
from core.money import Money


class BalanceTransaction(models.Model):
    """One movement of a Stripe balance, mirrored. amount, fee: minor units as Stripe says, signed; what the balance changes by is `net`.

    account: "" for the platform's own, else the connected account (acct_…). about: the ledger reference that books it, "" while
    nothing here is known to. claim: which payment or refund of ours the source's metadata names; a claim, since anybody with access
    to Stripe's dashboard can write one.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.CharField(max_length=255, blank=True)
    stripe_id = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=60)
    reporting_category = models.CharField(max_length=60)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    source = models.CharField(max_length=255, blank=True)
    claim = models.CharField(max_length=60, blank=True)
    about = models.CharField(max_length=120, blank=True)
    description = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(help_text="At Stripe.")
    available_at = models.DateTimeField()

    objects = BalanceTransactionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["account", "created_at", "id"], name="balance_tx_walk"),
            models.Index(fields=["account", "about"], condition=~Q(about=""), name="balance_tx_about"),
            models.Index(fields=["source"], name="balance_tx_source"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.stripe_id}"

    @property
    def net(self) -> int:
        return self.amount - self.fee

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class RefundAttempt(models.Model):
    """What a try that failed left at Stripe: a person tried again, so the refund's own ids are those of a later one. retry: 0, 1, …"""

    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, related_name="attempts_before")
    retry = models.PositiveSmallIntegerField()
    stripe_refund_id = models.CharField(max_length=255, unique=True)
    stripe_balance_transaction_id = models.CharField(max_length=255, null=True, unique=True)
    failure_balance_transaction_id = models.CharField(max_length=255, null=True, unique=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["refund", "retry"], name="refund_attempt_once")]

    def __str__(self) -> str:
        return self.stripe_refund_id


class ChargeFee(BalanceTransaction):
    """The same rows as a screen of their own: charges with what Stripe took of each."""

    class Meta:
        proxy = True
