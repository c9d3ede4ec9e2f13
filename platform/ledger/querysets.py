from typing import TYPE_CHECKING, Self

from django.db import models

from audit.actor import Actor

if TYPE_CHECKING:
    from ledger.models import LedgerEntry, LedgerTransaction


class LedgerTransactionQuerySet(models.QuerySet["LedgerTransaction"]):
    def visible_to(self, by: Actor) -> Self:
        """The books are the platform's: staff and systems only."""
        return self if by.sees_all else self.none()


class LedgerEntryQuerySet(models.QuerySet["LedgerEntry"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()
