"""Staff give an organization another limit than its plan's."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from core.errors import NotFound
from entitlements import usage
from entitlements.models import Allowance
from organizations.permissions import Permission, require
from organizations.scoping import scoped


@transaction.atomic
def override(*, allowance_id: UUID, limit: int | None, reason: str, by: Actor, until: datetime | None = None) -> Allowance:
    """The organization may use `limit` from now on, until then; None gives the plan's back. Recorded with the reason.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput.
    """
    seen = scoped(Allowance.objects.all(), by, Permission.USAGE_VIEW, organization="grant__organization_id")
    allowance = seen.select_related("grant").filter(pk=allowance_id).first()
    if allowance is None:
        raise NotFound("quota")
    require(by, Permission.QUOTA_OVERRIDE, allowance.grant.organization_id)
    return usage.override(allowance_id=allowance_id, limit=limit, until=until, reason=reason, by=by)
