from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

from audit.actor import Actor
from organizations.permissions import Permission
from organizations.scoping import scoped

if TYPE_CHECKING:
    from events.models import Event, Session


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, by: Actor) -> Self:
        """Rows one works with; what the public sees is `public`."""
        return scoped(self, by, Permission.EVENT_VIEW, responsible="host_id")

    def public(self) -> Self:
        """Listed for everyone: published or live, not unlisted, of an active organization."""
        return self.filter(state__in=["published", "live"], is_listed=True, organization__is_active=True)

    def reachable(self) -> Self:
        """What a direct link shows to everyone: all that was ever published, unlisted ones too."""
        return self.exclude(state="draft").filter(organization__is_active=True)

    def due_to_start(self, *, at: datetime) -> Self:
        return self.filter(state="published", starts_at__lte=at, ends_at__gt=at).order_by("starts_at")

    def due_to_end(self, *, at: datetime) -> Self:
        return self.filter(state__in=["published", "live"], ends_at__lte=at).order_by("ends_at")

    def upcoming(self, *, at: datetime) -> Self:
        return self.filter(ends_at__gt=at)


class SessionQuerySet(models.QuerySet["Session"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.EVENT_VIEW, organization="event__organization_id", responsible="event__host_id")
