"""Mails about plans to the organization's admins: a trial that ends in 7, 3, 1 and 0 days, a grace period, and its end."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from billing.admin_mail import to_admins
from billing.models import PlanAccess, Subscription
from core import jobs

NOTICE_DAYS = (0, 1, 3, 7)


@jobs.task()
def send_notices() -> None:
    """Tell of every trial with a week or less left, and of every grace period, what is due: each notice once, a missed one late.

    Where a subscription is behind, Stripe decides about its end: the mails about its invoices speak of that.
    """
    now = timezone.now()
    for access in PlanAccess.objects.trials_ending(now + timedelta(days=NOTICE_DAYS[-1] + 1)):
        _send("trial_ending", access, f"{days_notice(access.trial_ends_at or now, now)}", access.trial_ends_at)
    for access in PlanAccess.objects.in_grace():
        _send("grace_began", access, "begun", access.grace_ends_at)


def days_notice(ends_at: datetime, now: datetime) -> int:
    """The notice that is due: the smallest of them that is not below the whole days that are left."""
    left = max(0, (ends_at - now) // timedelta(days=1))
    return min(days for days in NOTICE_DAYS if left <= days)


@jobs.task()
def send_ended(*, access_id: UUID) -> None:
    access = PlanAccess.objects.select_related("organization", "plan").get(pk=access_id)
    _send("plan_ended", access, "ended", access.updated_at)


def _send(kind: str, access: PlanAccess, notice: str, moment: datetime | None) -> None:
    subscription = Subscription.objects.live().filter(organization_id=access.organization_id).select_related("price").first()
    goes_on = subscription is not None and not subscription.cancel_at_period_end
    context: dict[str, Any] = {
        "plan": access.plan_name,
        "moment": moment,
        "is_last": notice == "0",
        "is_subscribed": goes_on,
        "price": str(subscription.price) if subscription else _price(access),
    }
    to_admins(kind, access.organization, context, related=access, notice=f"{moment:%Y-%m-%d}:{notice}")


def _price(access: PlanAccess) -> str:
    price = access.plan.prices.current().filter(kind="base").order_by("amount").first() if access.plan else None
    return str(price) if price else ""
