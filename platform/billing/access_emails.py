"""Mails about plans to the organization's admins: a trial that ends in 7, 3, 1 and 0 days, a grace period, and its end."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from billing.models import PlanAccess
from core import jobs
from notifications import delivery
from organizations.models import Role

NOTICE_DAYS = (0, 1, 3, 7)


@jobs.task()
def send_notices() -> None:
    """Tell of every trial that ends within a week, and of every grace period, what is due: each notice once, a missed one late."""
    now = timezone.now()
    for access in PlanAccess.objects.trials_ending(now + timedelta(days=NOTICE_DAYS[-1])):
        _to_admins("trial_ending", access, f"{days_notice(access.trial_ends_at or now, now)}", access.trial_ends_at)
    for access in PlanAccess.objects.in_grace():
        _to_admins("grace_began", access, "begun", access.grace_ends_at)


def days_notice(ends_at: datetime, now: datetime) -> int:
    """The notice that is due: the smallest of them that is not below the whole days that are left."""
    left = max(0, (ends_at - now) // timedelta(days=1))
    return min(days for days in NOTICE_DAYS if left <= days)


@jobs.task()
def send_ended(*, access_id: UUID) -> None:
    access = PlanAccess.objects.select_related("organization", "plan").get(pk=access_id)
    _to_admins("plan_ended", access, "ended", access.updated_at)


def _to_admins(kind: str, access: PlanAccess, notice: str, moment: datetime | None) -> None:
    context: dict[str, Any] = {
        "organization": access.organization.name,
        "plan": access.plan_name,
        "moment": moment,
        "is_last": notice == "0",
        "price": _price(access),
    }
    for member in access.organization.memberships.active().filter(role=Role.ADMIN).select_related("user"):
        delivery.queue(
            kind=kind,
            to=member.user.email,
            context=context,
            user_id=member.user_id,
            organization_id=access.organization_id,
            related=access,
            dedupe_key=f"{kind}:{access.pk}:{moment:%Y-%m-%d}:{notice}:{member.user_id}",
        )


def _price(access: PlanAccess) -> str:
    price = access.plan.prices.current().filter(kind="base").order_by("amount").first() if access.plan else None
    return str(price) if price else ""
