from typing import Self

from django.db import models

from audit.actor import Actor


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):  # type: ignore[name-defined]  # the model imports this module
    def visible_to(self, by: Actor) -> Self:
        if by.sees_all:
            return self
        return self.filter(organization_id__in=by.organization_ids)

    def about(self, obj: models.Model) -> Self:
        return self.filter(object_id=obj.pk).order_by("-id")
