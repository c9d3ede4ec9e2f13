from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.db import models

from audit.actor import Actor

if TYPE_CHECKING:
    from organizations.models import Membership, Organization


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def visible_to(self, by: Actor) -> Self:
        """Staff see all; a member sees the organizations of active memberships (the console's one where there is one)."""
        if by.sees_all:
            return self
        mine = self.filter(models.Exists(_active(by).filter(organization_id=models.OuterRef("pk"))), is_active=True)
        return mine if by.organization_id is None else mine.filter(pk=by.organization_id)


class MembershipQuerySet(models.QuerySet["Membership"]):
    def active(self) -> Self:
        return self.filter(ended_at=None, user__is_active=True, organization__is_active=True)

    def visible_to(self, by: Actor) -> Self:
        if by.sees_all:
            return self
        mine = _active(by).filter(organization_id=models.OuterRef("organization_id"))
        rows = self.filter(models.Exists(mine))
        return rows if by.organization_id is None else rows.filter(organization_id=by.organization_id)


def _active(by: Actor) -> "MembershipQuerySet":
    # the model imports this module, so its manager is asked for by name
    memberships: MembershipQuerySet = apps.get_model("organizations", "Membership")._default_manager.all()
    return memberships.active().filter(user_id=by.user_id) if by.user_id else memberships.none()
