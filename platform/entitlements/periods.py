"""The periods that usage is counted in. A counter goes back to zero when its period changes, and at no other time."""

from calendar import monthrange
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from core import jobs
from entitlements.models import Grant

_AT_ONCE = 500


def month_after(moment: datetime, *, anchor_day: int | None = None) -> datetime:
    """The same moment a month later; the last day of a month that is too short, as Stripe anchors billing cycles.

    anchor_day: the day that the cycle began on, so that the 31st comes back after February.
    """
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    day = min(anchor_day or moment.day, monthrange(year, month)[1])
    return moment.replace(year=year, month=month, day=day)


def roll(grant: Grant, *, at: datetime) -> bool:
    """Go on to the month that `at` is in, where the grant's periods follow the clock; the caller holds its lock. Whether it did.

    A period that billing has to renew stays: the counter of somebody whose payment is late does not start anew.
    """
    moved = False
    while grant.period_ends_at <= at and (grant.runs_until is None or grant.period_ends_at < grant.runs_until):
        begins = grant.period_ends_at
        ends = month_after(begins, anchor_day=_anchor(grant))
        grant.period_starts_at, grant.period_ends_at = begins, min(ends, grant.runs_until) if grant.runs_until else ends
        moved = True
    if moved:
        grant.save(update_fields=["period_starts_at", "period_ends_at", "updated_at"])
        start_over(grant)
    return moved


def _anchor(grant: Grant) -> int:
    """The day of the month on which the paid year ends, or the later of the two days that the period lies between."""
    return grant.runs_until.day if grant.runs_until else max(grant.period_starts_at.day, grant.period_ends_at.day)


def start_over(grant: Grant) -> None:
    grant.allowances.exclude(used=0).update(used=0, updated_at=timezone.now())


@jobs.task()
def roll_due() -> None:
    """Every grant whose month is over goes on to the next, so that what is shown is true; taking something does it by itself."""
    now = timezone.now()
    due = Grant.objects.filter(Q(runs_until=None) | Q(runs_until__gt=F("period_ends_at")), period_ends_at__lte=now)
    for grant_id in due.order_by("period_ends_at").values_list("pk", flat=True)[:_AT_ONCE]:
        with transaction.atomic():
            roll(Grant.objects.select_for_update().get(pk=grant_id), at=now)
