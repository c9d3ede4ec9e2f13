"""A month of one account in one currency, open until somebody closes it."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing.models.reconciliation import ReconciliationRun
from billing.querysets import ReconciliationPeriodQuerySet
from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition


class ReconciliationPeriod(FSMModelMixin, BaseModel):
    """From starts_on to the day before ends_on, days in UTC. Once closed: stripe_closing, books_closing are what either side held at its
    end, in_transit is what one side had booked by then and the other only afterwards; the three add up, minor units.
    """

    public_prefix = "prd"

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    account = models.CharField(max_length=255, blank=True)
    organization_id = models.UUIDField(null=True, help_text="Whose account it is; none for the platform's own.")
    currency = models.CharField(max_length=3)
    starts_on = models.DateField()
    ends_on = models.DateField(help_text="The first day after it.")
    state = StateField(choices=State.choices, default=State.OPEN)
    run = models.ForeignKey(ReconciliationRun, null=True, on_delete=models.PROTECT, related_name="+")
    stripe_closing = models.BigIntegerField(null=True)
    books_closing = models.BigIntegerField(null=True)
    in_transit = models.BigIntegerField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=500, blank=True)

    objects = ReconciliationPeriodQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "currency", "starts_on"], name="reconciliation_period_once"),
            models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="reconciliation_period_has_days"),
            models.CheckConstraint(
                condition=Q(state="open") | Q(stripe_closing=F("books_closing") + F("in_transit"), closed_at__isnull=False),
                name="reconciliation_period_adds_up",
            ),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"{self.currency}, {self.starts_on:%B %Y}, {self.account or 'platform'}"

    @transition(field=state, source=State.OPEN, target=State.CLOSED, operation="billing.reconciliation.periods.close")
    def close(self, *, at: datetime, user_id: UUID | None) -> None:
        self.closed_at, self.closed_by_id = at, user_id
