"""Giving an account what its plan allows. Billing decides, and says it here; saying it again changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from audit.recording import record
from entitlements import periods
from entitlements.models import Allowance, Grant, Resource


@dataclass(frozen=True, slots=True)
class Period:
    """In which usage is counted. runs_until: see entitlements.models.Grant."""

    starts_at: datetime
    ends_at: datetime
    runs_until: datetime | None = None


@transaction.atomic
def give(*, organization_id: UUID, plan: str, access: str, limits: Mapping[str, int | None], period: Period, by: Actor) -> Grant:
    """The organization may use `limits` (by resource; None: without limit, a resource left out: none of it) from now on.

    What is used goes back to zero only where the period begins later than the one so far; an earlier one is old news and is left
    out. A plan that changes inside a period keeps what was used in it.
    """
    grant, is_new = Grant.objects.select_for_update().get_or_create(
        organization_id=organization_id,
        defaults={"plan": plan, "access": access, "period_starts_at": period.starts_at, "period_ends_at": period.ends_at},
    )
    before = {} if is_new else {"plan": grant.plan, "access": grant.access, "limits": _limits(grant)}
    grant.plan, grant.access = plan, access
    is_later = period.starts_at > grant.period_starts_at
    if is_later or period.starts_at == grant.period_starts_at:
        grant.period_starts_at, grant.period_ends_at = period.starts_at, period.ends_at
    grant.runs_until = period.runs_until
    grant.save()
    for resource in Resource.values:
        given = limits.get(resource, 0)
        values = {"limit": given, "unlimited": given is None}
        Allowance.objects.update_or_create(grant=grant, resource=resource, defaults=values)
    if is_later:
        periods.start_over(grant)
    after = {"plan": plan, "access": access, "limits": _limits(grant)}
    if before != after:
        record(grant, "grant.given", by=by, before=before, after=after)
    return grant


def _limits(grant: Grant) -> dict[str, int | None]:
    return dict(grant.allowances.order_by("resource").values_list("resource", "limit"))
