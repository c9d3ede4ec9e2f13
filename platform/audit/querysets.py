from typing import TYPE_CHECKING, Self

from django.db import models

from audit.actor import Actor

if TYPE_CHECKING:
    from audit.models import AuditEntry


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    def visible_to(self, by: Actor) -> Self:
        if by.sees_all:
            return self
        return self.filter(organization_id__in=by.organization_ids)

    def about(self, obj: models.Model) -> Self:
        return self.filter(object_id=obj.pk).order_by("-id")

    def done_by_system(self, name: str) -> Self:
        """What one of our own tasks did, newest first; `name` as in Actor.system."""
        return self.filter(actor=Actor.system(name).label, user_id=None).order_by("-id")
