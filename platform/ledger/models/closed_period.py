"""Up to when an account's books are closed."""

from django.db import models

from core.models import append_only
from core.public_ids import uuid7


class ClosedPeriod(models.Model):
    """Nothing that touches this account in this currency can be booked any more with a moment before ends_at."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.CharField(max_length=40)
    owner = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3)
    ends_at = models.DateTimeField()
    closed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "owner", "currency", "ends_at"], name="ledger_period_closed_once"),
            models.CheckConstraint(
                condition=models.Q(account__in=["stripe_balance", "connected_balance"]), name="ledger_period_of_a_balance"
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.account} {self.currency} up to {self.ends_at:%Y-%m-%d}"
