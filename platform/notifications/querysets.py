from typing import Self

from django.db import models

from audit.actor import Actor


class MessageQuerySet(models.QuerySet["Message"]):  # type: ignore[name-defined]  # the model imports this module
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.filter(organization_id__in=by.organization_ids)
