from typing import Self

from django.db import models

from audit.actor import Actor


class UserQuerySet(models.QuerySet["User"]):  # type: ignore[name-defined]  # the model imports this module
    def visible_to(self, by: Actor) -> Self:
        """Staff see everyone; a person sees only their own account here (members are seen through memberships)."""
        return self if by.sees_all else self.filter(pk=by.user_id)
