from typing import TYPE_CHECKING, Self

from django.db import models

from audit.actor import Actor

if TYPE_CHECKING:
    from accounts.models import User


class UserQuerySet(models.QuerySet["User"]):
    def visible_to(self, by: Actor) -> Self:
        """Staff see everyone; a person sees only their own account here (members are seen through memberships)."""
        return self if by.sees_all else self.filter(pk=by.user_id)
