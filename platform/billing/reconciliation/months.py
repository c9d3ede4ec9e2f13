"""The months of an account: made when a run first sees that they have come."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from django.db.models import Min

from billing.models import BalanceTransaction, ReconciliationPeriod
from billing.reconciliation.accounts import StripeAccount


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def first_open(account: StripeAccount) -> datetime | None:
    """Where the earliest month begins that is still open in some currency; None where none was closed, so everything is open."""
    periods = ReconciliationPeriod.objects.filter(account=account.stripe_id)
    if not periods.filter(state=ReconciliationPeriod.State.CLOSED).exists():
        return None
    first = periods.filter(state=ReconciliationPeriod.State.OPEN).aggregate(first=Min("starts_on"))["first"]
    return start_of(first) if first is not None else None


def open_new(account: StripeAccount, *, until: datetime) -> None:
    """Every month from the first movement of each currency up to the current one has its row on return."""
    rows = BalanceTransaction.objects.filter(account=account.stripe_id).order_by()
    for currency, first in rows.values_list("currency").annotate(first=Min("created_at")):
        known = ReconciliationPeriod.objects.filter(account=account.stripe_id, currency=currency).order_by("-ends_on").first()
        begins = known.ends_on if known is not None else first.astimezone(UTC).date().replace(day=1)
        ReconciliationPeriod.objects.bulk_create(
            [
                ReconciliationPeriod(
                    account=account.stripe_id, organization_id=account.organization_id, currency=currency, starts_on=starts, ends_on=ends
                )
                for starts, ends in _months(begins, until.astimezone(UTC).date())
            ],
            ignore_conflicts=True,
        )


def _months(begins: date, last: date) -> Iterator[tuple[date, date]]:
    while begins <= last:
        ends = date(begins.year + begins.month // 12, begins.month % 12 + 1, 1)
        yield begins, ends
        begins = ends
