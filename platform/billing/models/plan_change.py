"""A change that somebody asked for: another plan now or from the next period on, the end of the subscription, or not to end it."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.models.plan import PlanPrice
from billing.models.subscription import Subscription
from billing.querysets import PlanChangeQuerySet
from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition


class PlanChange(FSMModelMixin, BaseModel):
    """Our own command to Stripe. due_at: from when on it is sent; until then it can be undone, and afterwards Stripe's word counts.

    number: of the key it is sent under; a key whose answer is of no use any more is given up for the next.
    """

    public_prefix = "pch"

    class Kind(models.TextChoices):
        UPGRADE = "upgrade"
        DOWNGRADE = "downgrade"
        CANCEL = "cancel"
        RESUME = "resume"

    class State(models.TextChoices):
        SCHEDULED = "scheduled"
        REQUESTED = "requested"
        DONE = "done"
        FAILED = "failed"
        UNDONE = "undone"

    OPEN = (State.SCHEDULED, State.REQUESTED)

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="plan_changes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = StateField(choices=State.choices, default=State.REQUESTED)
    price = models.ForeignKey(PlanPrice, null=True, on_delete=models.PROTECT, related_name="plan_changes")
    due_at = models.DateTimeField()
    number = models.PositiveSmallIntegerField(default=1)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="plan_changes")
    ended_at = models.DateTimeField(null=True)
    failure_reason = models.CharField(max_length=500, blank=True)

    objects = PlanChangeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"], condition=Q(state__in=["scheduled", "requested"]), name="plan_change_open_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["upgrade", "downgrade"], price__isnull=False) | Q(kind__in=["cancel", "resume"], price=None),
                name="plan_change_to_a_price",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(state="scheduled"), name="plan_change_due")]
        triggers = [StateMachine(initial=["scheduled", "requested"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_state_display()})"

    @property
    def stripe_key(self) -> str:
        return f"plan-change-{self.pk}-{self.number}"

    @transition(field=state, source=State.SCHEDULED, target=State.REQUESTED, operation="billing.plan_changes.release")
    def release(self) -> None: ...

    @transition(field=state, source=State.SCHEDULED, target=State.UNDONE, operation="billing.plan_changes.undo")
    def undo(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=state, source=State.REQUESTED, target=State.DONE, operation="billing.plan_change_submission.finish")
    def finish(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=state, source=State.REQUESTED, target=State.FAILED, operation="billing.plan_change_submission.refuse")
    def fail(self, *, at: datetime, why: str) -> None:
        self.ended_at, self.failure_reason = at, why[:500]
