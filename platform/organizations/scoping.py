"""Which rows of an organization's things an actor may see: used by operations, consoles, API and exports alike.

EXISTS, never a join: a row appears once, and FOR UPDATE keeps working.
"""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.actor import Actor
from organizations.models import Membership, Organization, Role
from organizations.permissions import RULES, Permission


def scoped[Q_: QuerySet[Any]](
    rows: Q_, by: Actor, permission: Permission, *, organization: str = "organization_id", responsible: str | None = None
) -> Q_:
    """The rows whose organization the actor may use `permission` in.

    organization: lookup of the owning organization's id; responsible: lookup of the responsible member's id, for organizers who
    see only their own where the organization says so. Staff and systems see all rows; what staff may do is decided by `require`.
    """
    if by.sees_all:
        return rows
    if by.user_id is None:
        return rows.none()
    rule = RULES[permission]
    if by.acting_for is not None:
        return rows.filter(**{organization: by.acting_for}) if Role.ADMIN in rule.roles else rows.none()
    mine = Membership.objects.active().filter(user_id=by.user_id, role__in=rule.roles, organization_id=OuterRef(organization))
    if by.organization_id is not None:
        mine = mine.filter(organization_id=by.organization_id)
    if rule.own_only and responsible is not None:
        wide = mine.exclude(role=Role.ORGANIZER, organization__organizer_scope=Organization.OrganizerScope.OWN)
        return rows.filter(Q(Exists(wide)) | Q(Exists(mine), **{responsible: by.user_id}))
    return rows.filter(Exists(mine))
