"""Closed periods: what is booked late is booked now, and keeps the moment when it happened."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import OperationalError, connection
from django.db.models import Max, Q
from django.utils import timezone

from core.errors import DomainError
from ledger.chart import Account
from ledger.models import ClosedPeriod, LedgerEntry


class BooksBusy(DomainError):
    code, http_status = "BOOKS_BUSY", 409

    def __init__(self) -> None:
        super().__init__("Somebody is posting right now; try again in a minute.")


def moment_for(accounts: Sequence[Account], currency: str, occurred_at: datetime) -> tuple[datetime, datetime | None]:
    """(when to book it, when it happened where that is another moment). A fact of today needs no look: a period ends at a midnight."""
    now = timezone.now()
    if occurred_at >= now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0):
        return occurred_at, None
    named = Q()
    for account in set(accounts):
        named |= Q(account=account.code, owner=account.owner)
    closed_until = ClosedPeriod.objects.filter(named, currency=currency).aggregate(last=Max("ends_at"))["last"]
    return (now, occurred_at) if closed_until is not None and occurred_at < closed_until else (occurred_at, None)


def close(account: Account, currency: str, *, ends_at: datetime) -> None:
    """Refuse from here on what would be booked before ends_at. In the caller's transaction, after `hold_still`."""
    ClosedPeriod.objects.create(account=account.code, owner=account.owner, currency=currency, ends_at=ends_at)


def hold_still() -> None:
    """Wait for postings under way and let none begin until the caller's transaction ends: one that slipped past would not be seen.

    Raises BooksBusy.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        try:
            cursor.execute(f"LOCK TABLE {LedgerEntry._meta.db_table} IN SHARE MODE")
        except OperationalError as error:
            raise BooksBusy from error
