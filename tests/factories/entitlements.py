"""Grants as billing gives them; the audit log knows nothing."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from billing.models import SeatAccount
from entitlements import granting
from entitlements.models import Allowance, Grant, Resource
from entitlements.periods import month_after
from organizations.models import Organization

EVERYTHING: dict[str, int | None] = dict.fromkeys(Resource.values)


def granted(organization: Organization, access: str = "active", **limits: int | None) -> Organization:
    """The organization, allowed everything without limit but for the limits that are named; its month began a day ago."""
    begins = timezone.now() - timedelta(days=1)
    grant = Grant.objects.create(
        organization_id=organization.pk,
        plan="organization",
        access=access,
        period_starts_at=begins,
        period_ends_at=month_after(begins),
    )
    wanted = {**EVERYTHING, **limits}
    rows = [Allowance(grant=grant, resource=name, limit=limit, unlimited=limit is None) for name, limit in wanted.items()]
    Allowance.objects.bulk_create(rows)
    SeatAccount.objects.create(organization=organization, given=1_000)  # as if staff had: who works for it is not the test's business
    return organization


def limited(organization: Organization, **limits: int | None) -> None:
    """Another plan: these limits, the rest as it is."""
    for name, limit in limits.items():
        Allowance.objects.filter(grant__organization_id=organization.pk, resource=name).update(limit=limit, unlimited=limit is None)


def allowance(organization: Organization, resource: str = "events") -> Allowance:
    return Allowance.objects.select_related("grant").get(grant__organization_id=organization.pk, resource=resource)


def period(starts_at: datetime, **more: Any) -> granting.Period:
    return granting.Period(starts_at, month_after(starts_at), **more)
