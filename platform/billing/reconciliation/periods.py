"""A month closed: everything in it agrees or is explained, and nothing can be booked into it any more."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, Sum
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing.models import BalanceTransaction, Discrepancy, ReconciliationPart, ReconciliationPeriod
from billing.reconciliation.accounts import StripeAccount
from billing.reconciliation.matching import SEEN
from billing.reconciliation.months import start_of
from billing.reconciliation.stepping import LONGEST_TRANSACTION
from core.errors import DomainError, NotFound
from core.money import Money
from ledger import periods
from organizations.permissions import Permission, require

# Stripe's last movements of a day come in late; a run that began earlier has not seen them.
GRACE = timedelta(minutes=15)


class PeriodNotClosable(DomainError):
    code, http_status = "PERIOD_NOT_CLOSABLE", 409

    def __init__(self, why: str) -> None:
        super().__init__(why)


@transaction.atomic
def close(*, period_id: UUID, note: str = "", by: Actor) -> ReconciliationPeriod:
    """Close a month of one account and currency, for good: later facts about it are booked at their own date.

    Raises NotFound, PermissionRefused, StepUpRequired, PeriodNotClosable.
    """
    period = ReconciliationPeriod.objects.visible_to(by).select_for_update(of=["self"]).filter(pk=period_id).first()
    if period is None:
        raise NotFound("period")
    require(by, Permission.PERIOD_CLOSE)
    if period.state == ReconciliationPeriod.State.CLOSED:
        raise PeriodNotClosable("This period is closed already.")
    periods.hold_still()
    found = obstacles(period, at=timezone.now())
    if found:
        raise PeriodNotClosable(found[0])
    account, ends_at = StripeAccount(period.account, period.organization_id), start_of(period.ends_on)
    part = _last_part(period)
    period.run = part.run if part is not None else None
    period.stripe_closing = _stripe_until(period, ends_at)
    period.books_closing = _books_until(account, period.currency, ends_at)
    period.in_transit = period.stripe_closing - period.books_closing
    period.note = note.strip()[:500]
    period.close(at=timezone.now(), user_id=by.user_id)
    period.save()
    periods.close(account.books, period.currency, ends_at=ends_at)
    after = {name: getattr(period, name) for name in ("state", "stripe_closing", "books_closing", "in_transit")}
    record(period, "period.closed", by=by, organization_id=period.organization_id, after=after, reason=period.note)
    return period


def obstacles(period: ReconciliationPeriod, *, at: datetime) -> list[str]:
    """Sentences that say what keeps the period from being closed; none where it can be."""
    ends_at = start_of(period.ends_on)
    if at < ends_at + GRACE:
        return [f"This period ends on {ends_at:%-d %B %Y}; close it after that day has come."]
    earlier = ReconciliationPeriod.objects.filter(account=period.account, currency=period.currency, starts_on__lt=period.starts_on)
    before = earlier.filter(state=ReconciliationPeriod.State.OPEN).order_by("starts_on").first()
    if before is not None:
        return [f"Close the earlier period first: {before}."]
    part = _last_part(period)
    if part is None or part.cut_at is None or part.cut_at < ends_at + GRACE:
        return ["Run a reconciliation first: none has looked at this account since the period ended."]
    return [*_open_differences(period, ends_at), *_residual(period, part), *_posted_since(period, part, ends_at)]


def _last_part(period: ReconciliationPeriod) -> ReconciliationPart | None:
    parts = ReconciliationPart.objects.filter(account=period.account, state=ReconciliationPart.State.DONE)
    return parts.select_related("run").order_by("-cut_at").first()


def _open_differences(period: ReconciliationPeriod, ends_at: datetime) -> list[str]:
    of_currency = Q(their_currency=period.currency) | Q(our_currency=period.currency)
    rows = Discrepancy.objects.filter(of_currency, account=period.account, state=Discrepancy.State.OPEN, happened_at__lt=ends_at)
    count = rows.count()
    return [f"Settle the open differences first: {count} from before its end."] if count else []


def _residual(period: ReconciliationPeriod, part: ReconciliationPart) -> list[str]:
    """What the last run could not explain, less the open differences from after the period's end."""
    residual = next((row["residual"] for row in part.residuals if row["currency"] == period.currency), 0)
    later = Discrepancy.objects.filter(
        account=period.account, state=Discrepancy.State.OPEN, is_suspended=False, happened_at__gte=start_of(period.ends_on)
    ).exclude(kind=Discrepancy.Kind.TIMING)
    residual -= sum(row.differences.get(period.currency, 0) for row in later.iterator(chunk_size=2000))
    if residual == 0:
        return []
    return [f"A residual of {Money(residual, period.currency)} is left; run a reconciliation and settle what it finds."]


def _posted_since(period: ReconciliationPeriod, part: ReconciliationPart, ends_at: datetime) -> list[str]:
    """The books of the period must be the ones that were compared."""
    books, cut = StripeAccount(period.account, period.organization_id).books, part.cut_at or ends_at
    given: dict[str, Any] = {
        "code": books.code,
        "owner": books.owner,
        "currency": period.currency,
        "ends_at": ends_at,
        "snapshot": part.snapshot,
        "old": cut - LONGEST_TRANSACTION,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, given)
        is_changed = cursor.fetchone()[0]
    return ["Run a reconciliation again: the books of this period have changed since the last one."] if is_changed else []


_SINCE = f"""
    SELECT EXISTS (
        SELECT 1 FROM ledger_ledgerentry e JOIN ledger_ledgertransaction t ON t.id = e.transaction_id
        WHERE e.account = %(code)s AND e.owner = %(owner)s AND e.currency = %(currency)s AND t.occurred_at < %(ends_at)s AND NOT {SEEN})
"""


def _stripe_until(period: ReconciliationPeriod, ends_at: datetime) -> int:
    rows = BalanceTransaction.objects.filter(account=period.account, currency=period.currency, created_at__lt=ends_at)
    sums = rows.aggregate(amount=Sum("amount"), fee=Sum("fee"))
    return (sums["amount"] or 0) - (sums["fee"] or 0)


def _books_until(account: StripeAccount, currency: str, ends_at: datetime) -> int:
    books = account.books
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(e.amount), 0) FROM ledger_ledgerentry e JOIN ledger_ledgertransaction t ON t.id = e.transaction_id"
            " WHERE e.account = %s AND e.owner = %s AND e.currency = %s AND t.occurred_at < %s",
            [books.code, books.owner, currency, ends_at],
        )
        return int(cursor.fetchone()[0])
