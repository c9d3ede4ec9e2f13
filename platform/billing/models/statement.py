"""What a payout was made of: every movement of the organization's earnings since the statement before, each on one statement."""

from django.db import models
from django.db.models import Q

from billing.models.payout import PayoutRequest
from billing.querysets import PayoutStatementQuerySet
from core.models import BaseModel, append_only
from ledger.models import LedgerEntry


class PayoutStatement(BaseModel):
    """opening + movements = closing, minor units of earnings. number: the payout's retry.

    residual: how much more Stripe held in the connected account, when this was made, than the books; named on the statement.
    """

    public_prefix = "pst"

    payout_request = models.ForeignKey(PayoutRequest, on_delete=models.PROTECT, related_name="statements")
    number = models.PositiveSmallIntegerField()
    organization_id = models.UUIDField()
    currency = models.CharField(max_length=3)
    opening = models.BigIntegerField()
    movements = models.BigIntegerField()
    closing = models.BigIntegerField()
    residual = models.BigIntegerField(default=0)
    period_from = models.DateTimeField(null=True, help_text="When the statement before was made; null for the first.")
    period_to = models.DateTimeField()

    objects = PayoutStatementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payout_request", "number"], name="statement_once"),
            models.CheckConstraint(condition=Q(closing=models.F("opening") + models.F("movements")), name="statement_adds_up"),
        ]
        indexes = [models.Index(fields=["organization_id", "currency", "-id"], name="statement_organization")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"Statement of {self.payout_request}"


class StatementLine(models.Model):
    """One ledger entry of the organization's earnings; it stands on one statement."""

    class Kind(models.TextChoices):
        SALE = "sale", "Sales"
        REFUND = "refund", "Refunds"
        DISPUTE = "dispute", "Disputes"
        PAYOUT = "payout", "Payouts"
        OTHER = "other", "Corrections"

    id = models.BigAutoField(primary_key=True)
    statement = models.ForeignKey(PayoutStatement, on_delete=models.PROTECT, related_name="lines")
    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)

    class Meta:
        triggers = append_only()

    def __str__(self) -> str:
        return self.get_kind_display()
