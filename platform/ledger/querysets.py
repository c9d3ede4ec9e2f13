from typing import Self

from django.db import models

from audit.actor import Actor


class LedgerTransactionQuerySet(models.QuerySet["LedgerTransaction"]):  # type: ignore[name-defined]  # the model imports this module
    def visible_to(self, by: Actor) -> Self:
        """The books are the platform's: staff and systems only."""
        return self if by.sees_all else self.none()


class LedgerEntryQuerySet(models.QuerySet["LedgerEntry"]):  # type: ignore[name-defined]  # the model imports this module
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()
