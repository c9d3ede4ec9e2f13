"""The actor behind a request: memberships and the second factor are read once, when the request begins."""

from datetime import datetime
from uuid import UUID

from accounts.models import User
from audit.actor import Actor
from core.public_ids import encode
from organizations.models import ActingGrant, Membership

SWITCHED_TO = "console_organization"  # where a session keeps the organization that the console is switched to


def actor_for(
    user: User,
    *,
    second_factor_at: datetime | None,
    as_staff: bool,
    organization_id: UUID | None = None,
    request_id: str = "",
    ip: str | None = None,
) -> Actor:
    """as_staff: whether staff groups count here; the caller has checked that this sign-in used a second factor.

    organization_id: the one that the console is switched to; ignored (and nothing is visible) where there is no active membership.
    """
    organizations = Membership.objects.active().filter(user=user).values_list("organization_id", flat=True)
    return Actor(
        label=f"user:{encode(User.public_prefix, user.pk)}",
        user_id=user.pk,
        organization_ids=frozenset(organizations),
        organization_id=organization_id,
        staff_groups=user.groups_of_staff if as_staff else frozenset(),
        second_factor_at=second_factor_at,
        request_id=request_id,
        ip=ip,
    )


def acting_for(user: User, grant: ActingGrant, *, second_factor_at: datetime | None, request_id: str = "", ip: str | None = None) -> Actor:
    """Staff in the place of the grant's organization: one organization, no staff groups, named as themselves in the audit log."""
    return Actor(
        label=f"user:{encode(User.public_prefix, user.pk)}",
        user_id=user.pk,
        organization_ids=frozenset({grant.organization_id}),
        organization_id=grant.organization_id,
        acting_for=grant.organization_id,
        second_factor_at=second_factor_at,
        request_id=request_id,
        ip=ip,
    )
