"""Going to a smaller plan or none: first what it would mean and what stands in its way, then the deed. Nobody loses what they have."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from billing import plan_changes, subscribing
from billing.models import Plan, PlanChange, Subscription
from core.errors import DomainError, NotFound
from organizations.models import Organization
from organizations.permissions import Permission, require


class NotSmaller(DomainError):
    code, http_status = "PLAN_NOT_SMALLER", 409

    def __init__(self, plan: Plan) -> None:
        super().__init__(f"{plan.name} is not smaller than the plan that the organization has; choose a smaller one, or none.")


@dataclass(frozen=True, slots=True)
class Downgrade:
    """wanted: None is the free plan. follows_at: until then all stays as it is, and the change can be undone."""

    subscription: Subscription
    wanted: Plan | None
    follows_at: datetime
    blockers: list[str]


def preview(*, organization_id: UUID, plan: str | None, interval: str, by: Actor) -> Downgrade:
    """What `confirm` would do; nothing changes. plan: the code of the smaller one, None to go to the free plan.

    Raises NotFound, PermissionRefused, NotSubscribed, InvalidInput, PlanNotForSale, NotChangeable, NotSmaller, ChangePending.
    """
    subscription = _subscription(organization_id, by)
    pending = subscription.plan_changes.filter(state__in=PlanChange.OPEN).first()
    if pending is not None:
        raise plan_changes.ChangePending(pending)
    if plan is None:
        if subscription.cancel_at_period_end:
            raise plan_changes.NotChangeable("It ends with this period already.")
        return Downgrade(subscription, None, subscription.period_ends_at, [])
    found = plan_changes.proposed(subscription, plan=plan, interval=interval)
    if found.kind != PlanChange.Kind.DOWNGRADE:
        raise NotSmaller(found.price.plan)
    return Downgrade(subscription, found.price.plan, subscription.period_ends_at, found.blockers)


@transaction.atomic
def confirm(*, organization_id: UUID, plan: str | None, interval: str, by: Actor) -> Downgrade:
    """The smaller plan follows, or the subscription ends, with the period that is paid. Raises as `preview`, and DowngradeBlocked."""
    asked = preview(organization_id=organization_id, plan=plan, interval=interval, by=by)
    if plan is None:
        plan_changes.cancel(subscription_id=asked.subscription.pk, by=by)
    else:
        plan_changes.change(subscription_id=asked.subscription.pk, plan=plan, interval=interval, by=by)
    return asked


def _subscription(organization_id: UUID, by: Actor) -> Subscription:
    if not Organization.objects.visible_to(by).filter(pk=organization_id).exists():
        raise NotFound("organization")
    require(by, Permission.SUBSCRIPTION_MANAGE, organization_id)
    rows = Subscription.objects.visible_to(by).live().select_related("price__plan", "organization")
    subscription = rows.filter(organization_id=organization_id).first()
    if subscription is None:
        raise subscribing.NotSubscribed
    return subscription
