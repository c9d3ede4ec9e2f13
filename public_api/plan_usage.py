"""What one's organizations have used of their plans, and going to a smaller plan."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema

from billing import downgrades, seat_standing
from billing.downgrades import Downgrade
from billing.models import PlanAccess, PlanPrice
from core.public_ids import encode
from entitlements import standing
from entitlements.models import Grant
from entitlements.standing import Standing
from organizations.models import Membership, Organization
from organizations.permissions import RULES, Permission
from public_api.auth import SIGNED_IN, actor
from public_api.envelope import ERRORS
from public_api.shapes import Body, Line, OrganizationId, moment
from public_api.throttling import READ, WRITE

router = Router(auth=SIGNED_IN)


class MetricOut(Schema):
    """used: null of a size, which nothing adds up to; what is reserved is counted as used at once. limit: null where there is none.

    percent: rounded down, null where there is no share. warnings: the shares that were told in this period (80, 90, 100).
    """

    resource: str
    used: int | None
    limit: int | None
    unlimited: bool
    percent: int | None
    warnings: list[int]


class SeatsOut(Schema):
    """used: active or invited members in roles that take a seat; included: with the plan; bought: besides."""

    used: int
    included: int
    bought: int


class UsageOut(Schema):
    """plan: its code, null where none was chosen. access: free, trial, active or grace."""

    organization_id: str
    name: str
    plan: str | None
    access: str
    period_starts_at: datetime | None
    period_ends_at: datetime | None
    trial_ends_at: datetime | None
    days_left: int | None
    metrics: list[MetricOut]
    seats: SeatsOut


class UsageList(Schema):
    items: list[UsageOut]


class Interval(StrEnum):
    MONTH = PlanPrice.Interval.MONTH.value
    YEAR = PlanPrice.Interval.YEAR.value


class DowngradeIn(Body):
    """plan: code of the smaller plan; null goes to the free one. confirm: without it nothing is changed."""

    organization_id: OrganizationId
    plan: Line | None = None
    interval: Interval = Interval.MONTH
    confirm: bool = False


class DowngradeOut(Schema):
    """follows_at: until then everything stays as it is. blockers: what stands in the way now, a sentence each."""

    organization_id: str
    plan: str
    wanted: str | None
    follows_at: datetime
    blockers: list[str]
    confirmed: bool


@router.get("/me/usage", response={200: UsageList, **ERRORS}, operation_id="get_my_usage", throttle=READ)
def get_my_usage(request: HttpRequest) -> dict[str, Any]:
    """Every organization where one may see it, by name: how much of the plan is used, and when it starts anew."""
    by, at = actor(request), timezone.now()
    roles = RULES[Permission.USAGE_VIEW].roles
    mine = Membership.objects.active().of(by).filter(role__in=roles, organization__is_active=True)
    organizations = [one.organization for one in mine.select_related("organization").order_by("organization__name", "pk")]
    keys = [organization.pk for organization in organizations]
    found = standing.of(Grant.objects.filter(organization_id__in=keys), at=at)
    on_trial = PlanAccess.objects.filter(organization_id__in=keys, state=PlanAccess.State.TRIAL)
    trials = dict(on_trial.values_list("organization_id", "trial_ends_at"))
    seats = seat_standing.numbers(keys)
    return {"items": [_shown(one, found.get(one.pk), trials.get(one.pk), at) | {"seats": _seats(*seats[one.pk])} for one in organizations]}


def _shown(organization: Organization, found: Standing | None, trial_ends_at: datetime | None, at: datetime) -> dict[str, Any]:
    return {
        "organization_id": organization.public_id,
        "name": organization.name,
        "plan": found.plan if found and found.access != Grant.Access.FREE else None,
        "access": found.access if found else str(Grant.Access.FREE),
        "period_starts_at": moment(found.period_starts_at) if found else None,
        "period_ends_at": moment(found.period_ends_at) if found else None,
        "trial_ends_at": moment(trial_ends_at),
        "days_left": max(0, (trial_ends_at - at).days) if trial_ends_at else None,
        "metrics": [
            {
                "resource": one.resource,
                "used": one.used,
                "limit": one.limit,
                "unlimited": one.limit is None,
                "percent": one.percent,
                "warnings": list(one.warned),
            }
            for one in (found.used if found else ())
        ],
    }


def _seats(used: int, included: int, bought: int) -> dict[str, int]:
    return {"used": used, "included": included, "bought": bought}


@router.post("/me/downgrade", response={200: DowngradeOut, **ERRORS}, operation_id="downgrade_my_plan", throttle=WRITE)
def downgrade_my_plan(request: HttpRequest, body: DowngradeIn) -> dict[str, Any]:
    """What a smaller plan would mean and what stands in its way; with `confirm` it follows when the paid period is over."""
    operation = downgrades.confirm if body.confirm else downgrades.preview
    asked = operation(organization_id=body.organization_id, plan=body.plan, interval=body.interval.value, by=actor(request))
    return _asked(asked, confirmed=body.confirm)


def _asked(asked: Downgrade, *, confirmed: bool) -> dict[str, Any]:
    return {
        "organization_id": encode(Organization.public_prefix, asked.subscription.organization_id),
        "plan": asked.subscription.price.plan.code,
        "wanted": asked.wanted.code if asked.wanted else None,
        "follows_at": moment(asked.follows_at),
        "blockers": asked.blockers,
        "confirmed": confirmed,
    }
