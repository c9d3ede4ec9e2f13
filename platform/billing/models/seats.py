"""Seats that an organization pays for, as they are here; what Stripe bills is a quantity that follows them."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing.models.subscription import Subscription
from billing.querysets import SeatAccountQuerySet, SeatDriftQuerySet
from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models import Organization


class SeatAccount(BaseModel):
    """One row for each organization, changed under its lock alone.

    used: people and open invitations in roles that count; bought: seats that are paid for whether used or not; given: seats that staff
    gave, which nobody pays; number: what Stripe bills, max(bought, used - included). version rises with every change of number, and
    pushed_version is the last that Stripe answered; sending_version is on its way, and no other is sent until that one has its answer.
    """

    public_prefix = "sta"

    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="seat_account")
    used = models.PositiveIntegerField(default=0)
    bought = models.PositiveIntegerField(default=0)
    given = models.PositiveIntegerField(default=0)
    number = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=0)
    pushed_version = models.PositiveIntegerField(default=0)
    sending_version = models.PositiveIntegerField(null=True)
    leased_until = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)
    failure_reason = models.CharField(max_length=500, blank=True)

    objects = SeatAccountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(number__gte=F("bought")), name="seats_bought_are_billed"),
            models.CheckConstraint(condition=Q(pushed_version__lte=F("version")), name="seats_pushed_not_ahead"),
        ]

    def __str__(self) -> str:
        return f"{self.used} used, {self.number} billed"

    @property
    def is_pushed(self) -> bool:
        """Whether Stripe has heard of the last change, and took it."""
        return self.version == self.pushed_version and not self.failure_reason


class SeatDrift(FSMModelMixin, BaseModel):
    """What the nightly check found: three numbers that should be one. counted: of the people, ours: of the account, at Stripe: billed."""

    public_prefix = "sdr"

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="seat_drifts")
    subscription = models.ForeignKey(Subscription, null=True, on_delete=models.PROTECT, related_name="seat_drifts")
    counted = models.PositiveIntegerField()
    ours = models.PositiveIntegerField()
    at_stripe = models.PositiveIntegerField()
    state = StateField(choices=State.choices, default=State.OPEN)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="seat_drifts")

    objects = SeatDriftQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization"], condition=Q(state="open"), name="seat_drift_open_once"),
            models.CheckConstraint(condition=~Q(counted=F("ours")) | ~Q(ours=F("at_stripe")), name="seat_drift_differs"),
        ]
        indexes = [models.Index(fields=["organization", "-id"], name="seat_drift_organization")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"{self.counted} counted, {self.ours} here, {self.at_stripe} at Stripe"

    @transition(field=state, source=State.OPEN, target=State.SETTLED, operation="billing.seat_drifts.settle")
    def settle(self, *, at: datetime) -> None:
        self.settled_at = at
