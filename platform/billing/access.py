"""How organizations come off their plans, and what they may do meanwhile: the grant follows every change, in its transaction."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import access_emails
from billing.models import AccessChange, Plan, PlanAccess, Subscription
from core import jobs
from entitlements import granting
from entitlements.periods import month_after

BY = Actor.system("plans.clock")
_AT_ONCE = 500
_LONGEST_MONTH = timedelta(days=45)
State = PlanAccess.State


def locked(organization_id: UUID) -> PlanAccess:
    """The organization's access with its row locked, made on the free plan if it has none; in the caller's transaction."""
    PlanAccess.objects.get_or_create(organization_id=organization_id)
    return PlanAccess.objects.select_for_update(of=["self"]).select_related("organization", "plan").get(organization_id=organization_id)


def follow(access: PlanAccess, *, old_state: str, old_plan: Plan | None, by: Actor, event: str = "") -> None:
    """Save the access, write its history, and give the organization what it may now do; the caller holds its lock."""
    access.save()
    old_code, new_code = old_plan.code if old_plan else "", access.plan.code if access.plan else ""
    AccessChange.objects.create(
        access=access, old_state=old_state, new_state=access.state, old_plan=old_code, new_plan=new_code, source=by.label, event=event
    )
    before, after = {"state": old_state, "plan": old_code}, {"state": access.state, "plan": new_code}
    record(access, f"access.{access.state}", by=by, before=before, after=after)
    give(access, by=by)


def give(access: PlanAccess, *, by: Actor) -> None:
    """What the plan allows; nothing on the free plan. A year is counted by months."""
    starts_at = access.period_starts_at or timezone.now()
    paid_until = access.period_ends_at or month_after(starts_at)
    is_long = access.state == State.ACTIVE and paid_until - starts_at > _LONGEST_MONTH
    ends_at = month_after(starts_at) if is_long else paid_until
    granting.give(
        organization_id=access.organization_id,
        plan=access.plan.code if access.plan else "free",
        access=access.state,
        limits=access.plan.limits if access.plan else {},
        period=granting.Period(starts_at, ends_at, paid_until),
        by=by,
    )


def lapse(access: PlanAccess, *, since: datetime, by: Actor, event: str = "") -> None:
    """Nobody pays: as many days as the plan says to do so, counted from `since`; the caller holds the access's lock."""
    old_state, plan = access.state, access.plan
    access.lapse(grace_ends_at=since + timedelta(days=plan.grace_days if plan else 0))
    follow(access, old_state=old_state, old_plan=plan, by=by, event=event)


@transaction.atomic
def end_trial(*, access_id: UUID, at: datetime, by: Actor) -> PlanAccess:
    """The trial is over and there is no subscription. Repeatable; with a subscription Stripe's word decides, not the clock."""
    access = _row(access_id)
    if access.state == State.TRIAL and access.trial_ends_at is not None and access.trial_ends_at <= at and not _is_subscribed(access):
        lapse(access, since=access.trial_ends_at, by=by)
    return access


@transaction.atomic
def end(*, access_id: UUID, at: datetime, by: Actor) -> PlanAccess:
    """The grace period is over: the free plan. What the organization has stays. Repeatable; never while there is a subscription."""
    access = _row(access_id)
    if access.state != State.GRACE or access.grace_ends_at is None or access.grace_ends_at > at or _is_subscribed(access):
        return access
    plan = access.plan
    access.end()
    follow(access, old_state=State.GRACE, old_plan=plan, by=by)
    jobs.enqueue(access_emails.send_ended, access_id=access.pk)
    return access


@jobs.task()
def end_due() -> None:
    """Trials and grace periods whose time is over, one by one; what a run missed the next one does."""
    now = timezone.now()
    for access_id in PlanAccess.objects.trials_over(now).values_list("pk", flat=True)[:_AT_ONCE]:
        end_trial(access_id=access_id, at=now, by=BY)
    for access_id in PlanAccess.objects.graces_over(now).values_list("pk", flat=True)[:_AT_ONCE]:
        end(access_id=access_id, at=now, by=BY)


def _is_subscribed(access: PlanAccess) -> bool:
    return Subscription.objects.live().filter(organization_id=access.organization_id).exists()


def _row(access_id: UUID) -> PlanAccess:
    return PlanAccess.objects.select_for_update(of=["self"]).select_related("organization", "plan").get(pk=access_id)
