"""The only writer of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from core.money import Money
from ledger import periods
from ledger.chart import Account
from ledger.models import LedgerEntry, LedgerTransaction


@dataclass(frozen=True, slots=True)
class Entry:
    """amount: minor units; a debit is positive, a credit negative. Entries of zero are left out when posting."""

    account: Account
    amount: int


class Unbalanced(ValueError):
    """A programming error: entries that do not sum to zero, or fewer than two."""


def post(
    *, reference: str, description: str, currency: str, entries: Sequence[Entry], occurred_at: datetime, organization_id: UUID | None = None
) -> LedgerTransaction:
    """Write one balanced transaction; the database has checked it on return, and nobody can add to it later.

    reference: unique name of the fact. A fact from a closed period is booked now and keeps its moment in happened_at. Raises Unbalanced,
    and IntegrityError where the reference was posted before, which ends the caller's transaction: a posting that fails takes its
    operation with it.
    """
    lines = [entry for entry in entries if entry.amount]
    if len(lines) < 2 or sum(line.amount for line in lines) != 0:
        raise Unbalanced(f"{reference}: {[(str(line.account), line.amount) for line in lines]}")
    Money(0, currency)
    booked_at, happened_at = periods.moment_for([line.account for line in lines], currency, occurred_at)
    header = LedgerTransaction(
        reference=reference,
        description=description,
        currency=currency,
        occurred_at=booked_at,
        happened_at=happened_at,
        organization_id=organization_id,
    )
    with transaction.atomic(savepoint=False):
        header.save(force_insert=True)
        LedgerEntry.objects.bulk_create(
            LedgerEntry(transaction=header, account=line.account.code, owner=line.account.owner, amount=line.amount, currency=currency)
            for line in lines
        )
        _check_now()
    return header


def posted(reference: str) -> bool:
    return LedgerTransaction.objects.filter(reference=reference).exists()


def _deferred_triggers() -> str:
    options: list[Any] = [LedgerEntry, LedgerTransaction]
    names = ("balanced", "has_entries")
    return ", ".join(trigger.get_pgid(model) for model in options for trigger in model._meta.triggers if trigger.name in names)


_DEFERRED = _deferred_triggers()


def _check_now() -> None:
    """Run the deferred triggers here: left alone they would fail at the outermost commit, far from the line that is wrong."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET CONSTRAINTS {_DEFERRED} IMMEDIATE; SET CONSTRAINTS {_DEFERRED} DEFERRED")  # one round trip
