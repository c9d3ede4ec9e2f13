"""Taking from what an account was given: reserved under a lock in the transaction that uses it, so that no race goes past a limit.

Whoever is not known is denied. A limit is asked for where something is made, never where it is read: nobody loses what they have.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core.errors import DomainError, InvalidInput
from entitlements import periods
from entitlements.models import Allowance, Grant, Resource, UsageDrift, UsageWarning

WARN_AT = (80, 90, 100)
_NAMES = {
    Resource.EVENTS: "events",
    Resource.COURSES: "courses",
    Resource.CERTIFICATES: "certificates",
    Resource.ATTENDEES: "attendees for each event",
}


class LimitReached(DomainError):
    """current: what is used, or was asked for of a size; limit: what the plan allows, 0 where there is no plan."""

    code, http_status = "LIMIT_REACHED", 402

    def __init__(self, *, resource: str, current: int, limit: int) -> None:
        self.resource, self.current, self.limit = resource, current, limit
        what = _NAMES[Resource(resource)]
        allowed = f"allows {limit} {what}" if limit else f"includes no {what}"
        super().__init__(f"Your plan {allowed}; choose a larger plan under Subscription, or wait for the next period.")

    @property
    def details(self) -> dict[str, Any]:
        return {"resource": self.resource, "current": self.current, "limit": self.limit}


class PlanInactive(DomainError):
    """The plan is in its grace period: everything can be read and run on, nothing new be made."""

    code, http_status = "PLAN_INACTIVE", 402

    def __init__(self) -> None:
        super().__init__("Your plan has run out; pay for it under Subscription to create and publish again. What you have stays.")


def reserve(*, organization_id: UUID, resource: Resource, quantity: int = 1, at: datetime | None = None) -> Allowance:
    """Count `quantity` more as used; called inside the transaction that makes them, so that they are counted if and only if they exist.

    Raises LimitReached, PlanInactive; and TransactionManagementError outside a transaction, since a lock would hold nothing there.
    """
    now = at or timezone.now()
    allowance = _allowance(organization_id, resource, now, lock=True)
    limit = allowance.effective_limit(now)
    if limit is not None and allowance.used + quantity > limit:
        raise LimitReached(resource=resource, current=allowance.used, limit=limit)
    before, allowance.used = allowance.used, allowance.used + quantity
    allowance.save(update_fields=["used", "updated_at"])
    if limit:
        _warn(allowance, before, limit)
    return allowance


def require_included(*, organization_id: UUID, resource: Resource, at: datetime | None = None) -> None:
    """Raise LimitReached where the plan has none of it at all, PlanInactive in the grace period; nothing is counted."""
    now = at or timezone.now()
    if _allowance(organization_id, resource, now).effective_limit(now) == 0:
        raise LimitReached(resource=resource, current=0, limit=0)


def require_size(*, organization_id: UUID, resource: Resource, size: int, at: datetime | None = None) -> None:
    """Raise LimitReached where one thing would be larger than the plan allows, PlanInactive in the grace period; nothing is counted."""
    now = at or timezone.now()
    limit = _allowance(organization_id, resource, now).effective_limit(now)
    if limit is not None and size > limit:
        raise LimitReached(resource=resource, current=size, limit=limit)


def _allowance(organization_id: UUID, resource: Resource, at: datetime, *, lock: bool = False) -> Allowance:
    grants = Grant.objects.filter(organization_id=organization_id)
    # everything that one account uses queues at its grant: two that both see the last one free would both take it
    grant = (grants.select_for_update() if lock else grants).first()
    if grant is None:
        raise LimitReached(resource=resource, current=0, limit=0)
    if grant.access == Grant.Access.GRACE:
        raise PlanInactive
    if lock:
        periods.roll(grant, at=at)
    allowance = grant.allowances.filter(resource=resource).first()
    if allowance is None:
        raise LimitReached(resource=resource, current=0, limit=0)
    return allowance


def _warn(allowance: Allowance, before: int, limit: int) -> None:
    """Write the largest share that was reached by this; smaller ones that were jumped over are not worth a mail of their own."""
    reached = [share for share in WARN_AT if before * 100 < share * limit <= allowance.used * 100]
    if reached:
        row = UsageWarning(
            allowance=allowance,
            period_starts_at=allowance.grant.period_starts_at,
            percent=reached[-1],
            used=allowance.used,
            limit=limit,
        )
        UsageWarning.objects.bulk_create([row], ignore_conflicts=True)


@transaction.atomic
def override(
    *, allowance_id: UUID, limit: int | None, until: datetime | None, reason: str, by: Actor, at: datetime | None = None
) -> Allowance:
    """Staff give another limit than the plan's, for a reason; limit None takes that back. The caller checks who may.

    Raises Allowance.DoesNotExist, InvalidInput.
    """
    now, why = at or timezone.now(), reason.strip()
    if not why:
        raise InvalidInput("Say why; it stands in the audit log.", field="reason")
    if limit is not None and not 0 <= limit < 2**31:
        raise InvalidInput("Give a number of 0 or more.", field="limit")
    if until is not None and until <= now:
        raise InvalidInput("Choose an end in the future, or none.", field="until")
    grant = Grant.objects.select_for_update().get(allowances=allowance_id)
    allowance = grant.allowances.get(pk=allowance_id)
    before = {"limit": allowance.override_limit, "until": allowance.override_until}
    allowance.override_limit, allowance.override_until = limit, until if limit is not None else None
    allowance.override_reason = why if limit is not None else ""
    allowance.save(update_fields=["override_limit", "override_until", "override_reason", "updated_at"])
    after = {"limit": allowance.override_limit, "until": allowance.override_until, "resource": allowance.resource}
    record(allowance, "allowance.overridden", by=by, organization_id=grant.organization_id, before=before, after=after, reason=why)
    return allowance


def correct(*, grant: Grant, resource: Resource, counted: int, by: Actor) -> UsageDrift | None:
    """Set the counter to what was counted, under the grant's lock that the caller holds; the report where the two differed."""
    allowance = grant.allowances.filter(resource=resource).first()
    if allowance is None or allowance.used == counted:
        return None
    drift = UsageDrift.objects.create(
        allowance=allowance,
        organization_id=grant.organization_id,
        resource=resource,
        period_starts_at=grant.period_starts_at,
        counter=allowance.used,
        counted=counted,
    )
    allowance.used = counted
    allowance.save(update_fields=["used", "updated_at"])
    before, after = {"used": drift.counter}, {"used": counted}
    record(allowance, "allowance.corrected", by=by, organization_id=grant.organization_id, before=before, after=after)
    return drift
