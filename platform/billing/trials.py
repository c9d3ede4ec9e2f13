"""Trials: begun by a person on purpose, once for each plan, without a card and without Stripe."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import access
from billing.models import Plan, PlanAccess, Subscription, TrialUse
from billing.plan_catalogue import PlanNotForSale
from core.errors import DomainError, InvalidInput, NotFound
from organizations.models import Organization
from organizations.permissions import Permission, require

LONGEST_EXTENSION = 90  # days


class TrialUsed(DomainError):
    code, http_status = "TRIAL_USED", 409

    def __init__(self, plan: Plan) -> None:
        super().__init__(f"You had the trial of {plan.name} already; subscribe to it instead.")


class PlanChosen(DomainError):
    """The organization has a plan, on trial or paid for."""

    code, http_status = "PLAN_CHOSEN", 409

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__("The organization has a plan already; change that one instead.")

    @property
    def details(self) -> dict[str, Any]:
        return {"state": self.state}


class NoTrialRunning(DomainError):
    code, http_status = "NO_TRIAL_RUNNING", 409

    def __init__(self) -> None:
        super().__init__("Only a trial that runs can be made longer.")


class TrialAtStripe(DomainError):
    """A card was given during the trial: Stripe ends it, and charges, on the day that it was told."""

    code, http_status = "TRIAL_AT_STRIPE", 409

    def __init__(self) -> None:
        super().__init__(
            "A card was given for this trial, so Stripe ends it; give it more time at Stripe, and it is taken over from there."
        )


@transaction.atomic
def start(*, organization_id: UUID, plan: str, by: Actor) -> PlanAccess:
    """The organization may do what the plan allows until its trial ends; on return it may. plan: its code.

    Raises NotFound, PermissionRefused, InvalidInput, PlanNotForSale, TrialUsed, PlanChosen.
    """
    organization = Organization.objects.visible_to(by).select_for_update(of=["self"]).filter(pk=organization_id).first()
    if organization is None:
        raise NotFound("organization")
    require(by, Permission.SUBSCRIPTION_MANAGE, organization_id)
    if by.user_id is None:
        raise InvalidInput("A trial is started by a person.")
    wanted = _tried(plan, organization)
    row = access.locked(organization_id)
    if row.state != PlanAccess.State.FREE:
        raise PlanChosen(row.state)
    _, is_first = TrialUse.objects.get_or_create(user_id=by.user_id, plan=wanted, defaults={"organization": organization})
    if not is_first:
        raise TrialUsed(wanted)
    at = timezone.now()
    row.start_trial(plan=wanted, at=at, ends_at=at + timedelta(days=wanted.trial_days))
    access.follow(row, old_state=PlanAccess.State.FREE, old_plan=None, by=by)
    return row


def _tried(code: str, organization: Organization) -> Plan:
    wanted = Plan.objects.offered().filter(code=code).first()
    if wanted is None:
        raise InvalidInput("Choose one of the plans that are offered.", field="plan")
    if wanted.audience != organization.kind:
        kind = organization.get_kind_display().lower()
        raise InvalidInput(f"{wanted.name} is not for a {kind} workspace; choose another plan.", field="plan")
    if wanted.is_contact_sales or not wanted.trial_days:
        raise PlanNotForSale(f"{wanted.name} has no trial; write to us, or subscribe to it.")
    return wanted


@transaction.atomic
def extend(*, access_id: UUID, days: int, reason: str, by: Actor) -> PlanAccess:
    """Staff give a trial more time, for a reason; the clock ends it, not Stripe.

    Raises NotFound, PermissionRefused, InvalidInput, NoTrialRunning, TrialAtStripe.
    """
    rows = PlanAccess.objects.visible_to(by).select_for_update(of=["self"]).select_related("organization", "plan")
    row = rows.filter(pk=access_id).first()
    if row is None:
        raise NotFound("subscription")
    require(by, Permission.TRIAL_EXTEND, row.organization_id)
    if not 1 <= days <= LONGEST_EXTENSION:
        raise InvalidInput(f"Give 1 to {LONGEST_EXTENSION} days.", field="days")
    if not reason.strip():
        raise InvalidInput("Say why; it stands in the audit log.", field="reason")
    if row.state != PlanAccess.State.TRIAL or row.trial_ends_at is None:
        raise NoTrialRunning
    if Subscription.objects.live().filter(organization_id=row.organization_id).exists():
        raise TrialAtStripe
    before: datetime = row.trial_ends_at
    row.trial_ends_at = row.period_ends_at = before + timedelta(days=days)
    row.save(update_fields=["trial_ends_at", "period_ends_at", "updated_at"])
    record(row, "access.trial_extended", by=by, before={"ends_at": before}, after={"ends_at": row.trial_ends_at}, reason=reason.strip())
    access.give(row, by=by)
    return row
