from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from audit.actor import Actor
from organizations.permissions import Permission
from organizations.scoping import scoped

if TYPE_CHECKING:
    from registrations.models import Registration


class RegistrationQuerySet(models.QuerySet["Registration"]):
    def visible_to(self, by: Actor) -> Self:
        """An organization's registrations to its people, one's own to a person, one to the guest who holds its link.

        In a console (the actor has an organization) only the organization's: one's own place elsewhere is none of its business.
        """
        if by.guest_of is not None:
            return self.filter(pk=by.guest_of)
        managed = scoped(self, by, Permission.REGISTRATION_VIEW, organization="event__organization_id", responsible="event__host_id")
        if by.sees_all or by.user_id is None or by.organization_id is not None:
            return managed
        return self.filter(Q(pk__in=managed.values("pk")) | Q(user_id=by.user_id))

    def of(self, by: Actor) -> Self:
        """One's own places only."""
        return self.filter(user_id=by.user_id) if by.user_id else self.none()

    def under(self, email: str, *, or_of: UUID | None = None) -> Self:
        """Rows with this address in any spelling (through the index on it), and those of the person `or_of`."""
        wanted = Q(address=email.lower())
        return self.alias(address=Lower("email")).filter(wanted | Q(user_id=or_of) if or_of else wanted)

    def active(self) -> Self:
        return self.exclude(state="cancelled")

    def overdue(self, *, at: datetime) -> Self:
        """Held places whose hold has ended."""
        return self.filter(state="pending", hold_expires_at__lt=at).order_by("hold_expires_at")


class AttendanceQuerySet(models.QuerySet[Any]):
    """What hangs on places; event_path: the lookup from a row to its event."""

    event_path = "registration__event"

    def visible_to(self, by: Actor) -> Self:
        """To the people of the event's organization; one's own is read with one's place."""
        path = self.event_path
        return scoped(self, by, Permission.REGISTRATION_VIEW, organization=f"{path}__organization_id", responsible=f"{path}__host_id")


class VerdictQuerySet(AttendanceQuerySet):
    event_path = "event"


class AttendanceLineQuerySet(AttendanceQuerySet):
    event_path = "session__event"

    def unmatched(self) -> Self:
        """Lines that nobody has been found for yet."""
        return self.filter(applied_at=None, problem="")
