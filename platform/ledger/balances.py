"""Balances are sums of entries, derived whenever they are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Sum

from ledger.chart import CHART, Account, Kind
from ledger.models import LedgerEntry


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the trial balance; amount: minor units, debit positive."""

    account: Account
    currency: str
    amount: int

    @property
    def kind(self) -> Kind:
        return CHART[self.account.code].kind


def balance(account: Account, currency: str) -> int:
    """Debits less credits of one account, in minor units."""
    entries = LedgerEntry.objects.filter(account=account.code, owner=account.owner, currency=currency)
    return entries.aggregate(total=Sum("amount"))["total"] or 0


def balances(account: Account) -> dict[str, int]:
    """Balance per currency, currencies that were never used left out."""
    entries = LedgerEntry.objects.filter(account=account.code, owner=account.owner)
    return dict(entries.values_list("currency").annotate(total=Sum("amount")))


def trial_balance(*, by_owner: bool = True) -> Iterator[Row]:
    """Every account with its balance, by currency and account. by_owner False: owners of an account are added up."""
    columns = ("currency", "account", "owner") if by_owner else ("currency", "account")
    for row in LedgerEntry.objects.values(*columns).annotate(total=Sum("amount")).order_by(*columns):
        owner = row.get("owner") or ("all" if CHART[row["account"]].owner else "")
        yield Row(Account(row["account"], owner), row["currency"], row["total"])


def totals() -> dict[str, int]:
    """Sum of all entries per currency; zero everywhere while the books are whole."""
    return dict(LedgerEntry.objects.values_list("currency").annotate(total=Sum("amount")))
