"""How an organization stands to its plan: on trial, paid for, late, or on the free plan; and how it came to that."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.models.plan import Plan
from billing.querysets import PlanAccessQuerySet
from core.models import BaseModel, append_only
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models import Organization


class PlanAccess(FSMModelMixin, BaseModel):
    """One row for each organization that ever chose a plan; plan None: the free plan. What it may do is derived from this alone.

    In grace everything can be read and run on, and nothing new be made.
    """

    public_prefix = "acs"

    class State(models.TextChoices):
        FREE = "free", "Free"
        TRIAL = "trial", "Trial"
        ACTIVE = "active", "Active"
        GRACE = "grace", "Grace period"

    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="plan_access")
    plan = models.ForeignKey(Plan, null=True, on_delete=models.PROTECT, related_name="accesses")
    state = StateField(choices=State.choices, default=State.FREE)
    trial_ends_at = models.DateTimeField(null=True)
    grace_ends_at = models.DateTimeField(null=True)
    period_starts_at = models.DateTimeField(null=True)
    period_ends_at = models.DateTimeField(null=True)

    objects = PlanAccessQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "plan accesses"
        constraints = [
            models.CheckConstraint(condition=Q(state="free", plan=None) | ~Q(state="free") & ~Q(plan=None), name="access_plan_unless_free"),
            models.CheckConstraint(condition=~Q(state="trial") | ~Q(trial_ends_at=None), name="access_trial_ends"),
            models.CheckConstraint(condition=~Q(state="grace") | ~Q(grace_ends_at=None), name="access_grace_ends"),
        ]
        indexes = [
            models.Index(fields=["trial_ends_at"], condition=Q(state="trial"), name="access_trials"),
            models.Index(fields=["grace_ends_at"], condition=Q(state="grace"), name="access_graces"),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"{self.plan_name}: {self.get_state_display()}"

    @property
    def plan_name(self) -> str:
        return self.plan.name if self.plan else "Free plan"

    @transition(field=state, source=State.FREE, target=State.TRIAL, operation="billing.trials.start")
    def start_trial(self, *, plan: Plan, at: datetime, ends_at: datetime) -> None:
        self.plan, self.trial_ends_at, self.grace_ends_at = plan, ends_at, None
        self.period_starts_at, self.period_ends_at = at, ends_at

    @transition(field=state, source=[State.FREE, State.TRIAL, State.GRACE], target=State.ACTIVE, operation="billing.subscription_sync.sync")
    def activate(self) -> None:
        self.trial_ends_at, self.grace_ends_at = None, None

    @transition(field=state, source=[State.TRIAL, State.ACTIVE], target=State.GRACE, operation="billing.access.lapse")
    def lapse(self, *, grace_ends_at: datetime) -> None:
        self.grace_ends_at = grace_ends_at

    @transition(field=state, source=State.GRACE, target=State.FREE, operation="billing.access.end")
    def end(self) -> None:
        self.plan, self.grace_ends_at = None, None


class TrialUse(BaseModel):
    """A person had the trial of a plan: one each, whichever organization it was for."""

    public_prefix = "tru"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="trials")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="trials")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="trials")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "plan"], name="trial_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.plan}"


class AccessChange(BaseModel):
    """One change of an access: from what to what, by whom, and by which event of Stripe's where one said so. Never changed."""

    public_prefix = "ach"

    access = models.ForeignKey(PlanAccess, on_delete=models.PROTECT, related_name="changes")
    old_state = models.CharField(max_length=10)
    new_state = models.CharField(max_length=10)
    old_plan = models.CharField(max_length=40, blank=True)
    new_plan = models.CharField(max_length=40, blank=True)
    source = models.CharField(max_length=120)
    event = models.CharField(max_length=255, blank=True)

    class Meta:
        indexes = [models.Index(fields=["access", "-id"], name="access_change")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.old_state} → {self.new_state}"
