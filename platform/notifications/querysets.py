from typing import TYPE_CHECKING, Self

from django.db import models

from audit.actor import Actor

if TYPE_CHECKING:
    from notifications.models import Message


class MessageQuerySet(models.QuerySet["Message"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.filter(organization_id__in=by.organization_ids)
