"""Which rows of organizations and their people an actor may see."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models

from audit.actor import Actor

if TYPE_CHECKING:
    from organizations.models import ActingGrant, AdminOffer, Invitation, InvitationLine, Membership, Organization, OrganizationExport

_INVITERS = ("admin", "course_manager")


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def visible_to(self, by: Actor) -> Self:
        """Staff see all; a member sees the organizations of active memberships (the console's one where there is one)."""
        if by.sees_all:
            return self
        return _of_members(self, by, organization="pk").filter(is_active=True)

    def without_admin(self) -> Self:
        """Nobody can act for them any more: their admins' accounts were switched off, or there never was one."""
        memberships: MembershipQuerySet = apps.get_model("organizations", "Membership")._default_manager.all()
        admins = memberships.active().filter(organization_id=models.OuterRef("pk"), role="admin")
        return self.filter(~models.Exists(admins), is_active=True)

    def public(self) -> Self:
        """Those that opted in, for everybody."""
        return self.filter(is_active=True, is_public=True)


class MembershipQuerySet(models.QuerySet["Membership"]):
    def active(self) -> Self:
        return self.filter(ended_at=None, user__is_active=True, organization__is_active=True)

    def visible_to(self, by: Actor) -> Self:
        return _of_members(self, by)

    def of(self, by: Actor) -> Self:
        """One's own."""
        return self.filter(user_id=by.user_id) if by.user_id else self.none()


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def visible_to(self, by: Actor) -> Self:
        """To those who may invite."""
        return _of_members(self, by, roles=_INVITERS)

    def pending(self) -> Self:
        return self.filter(state="pending")

    def overdue(self, *, at: datetime) -> Self:
        return self.pending().filter(expires_at__lte=at)


class InvitationLineQuerySet(models.QuerySet["InvitationLine"]):
    def visible_to(self, by: Actor) -> Self:
        return _of_members(self, by, roles=("admin",))


class AdminOfferQuerySet(models.QuerySet["AdminOffer"]):
    def visible_to(self, by: Actor) -> Self:
        """To the organization's admins; what is offered to oneself is `of`."""
        return _of_members(self, by, roles=("admin",))

    def of(self, by: Actor) -> Self:
        return self.filter(membership__user_id=by.user_id, membership__ended_at=None) if by.user_id else self.none()


class ActingGrantQuerySet(models.QuerySet["ActingGrant"]):
    def visible_to(self, by: Actor) -> Self:
        """To staff, and to the admins of the organization whose place was taken."""
        return _of_members(self, by, roles=("admin",))

    def of(self, by: Actor) -> Self:
        return self.filter(user_id=by.user_id) if by.user_id else self.none()

    def open(self, *, at: datetime) -> Self:
        return self.filter(ended_at=None, expires_at__gt=at, organization__is_active=True, user__is_active=True)


class OrganizationExportQuerySet(models.QuerySet["OrganizationExport"]):
    def visible_to(self, by: Actor) -> Self:
        return _of_members(self, by, roles=("admin",))


def _of_members[Q: models.QuerySet[Any]](
    rows: Q, by: Actor, *, organization: str = "organization_id", roles: tuple[str, ...] | None = None
) -> Q:
    """The rows of organizations that the actor works for now, in one of these roles where any are named."""
    if by.sees_all:
        return rows
    if by.acting_for is not None:  # what an admin sees, whichever roles are asked for
        return rows.filter(**{organization: by.acting_for})
    mine = _active(by).filter(organization_id=models.OuterRef(organization))
    if roles is not None:
        mine = mine.filter(role__in=roles)
    found = rows.filter(models.Exists(mine))
    return found if by.organization_id is None else found.filter(**{organization: by.organization_id})


def _active(by: Actor) -> "MembershipQuerySet":
    # the model imports this module, so its manager is asked for by name
    memberships: MembershipQuerySet = apps.get_model("organizations", "Membership")._default_manager.all()
    return memberships.active().filter(user_id=by.user_id) if by.user_id else memberships.none()
