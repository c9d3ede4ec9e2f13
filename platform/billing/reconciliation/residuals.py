"""What is left between Stripe and the books when everything explained is taken away: per account and currency, never added up."""

from typing import Any

from django.db import connection
from django.db.models import Sum

from billing.models import BalanceTransaction, Discrepancy
from billing.reconciliation.accounts import StripeAccount
from billing.reconciliation.matching import SEEN, Seen

_BOOKS = f"""
    SELECT e.currency, sum(e.amount) FROM ledger_ledgerentry e JOIN ledger_ledgertransaction t ON t.id = e.transaction_id
    WHERE e.account = %(code)s AND e.owner = %(owner)s AND (t.reference LIKE 'discrepancy:%%' OR {SEEN})
    GROUP BY e.currency
"""


def of(account: StripeAccount, seen: Seen) -> list[dict[str, Any]]:
    """One row a currency in minor units: stripe, books, timing, explained, and the residual that these leave.

    stripe and books are sums over everything there ever was, so a movement that the comparison overlooked is in the residual too.
    """
    stripe, books = _at_stripe(account), _in_books(account, seen)
    live = Discrepancy.objects.filter(account=account.stripe_id, state__in=Discrepancy.LIVE, is_suspended=False)
    waiting = _summed(live.filter(state=Discrepancy.State.OPEN, kind=Discrepancy.Kind.TIMING))
    explained = _summed(live.filter(state=Discrepancy.State.EXPLAINED))
    found = []
    for currency in sorted(stripe.keys() | books.keys()):
        amounts = {"stripe": stripe.get(currency, 0), "books": books.get(currency, 0)}
        taken = {"timing": waiting.get(currency, 0), "explained": explained.get(currency, 0)}
        residual = amounts["stripe"] - amounts["books"] - sum(taken.values())
        found.append({"currency": currency, **amounts, **taken, "residual": residual})
    return found


def _at_stripe(account: StripeAccount) -> dict[str, int]:
    rows = BalanceTransaction.objects.filter(account=account.stripe_id).order_by()
    return {currency: amount - fee for currency, amount, fee in rows.values_list("currency").annotate(amount=Sum("amount"), fee=Sum("fee"))}


def _in_books(account: StripeAccount, seen: Seen) -> dict[str, int]:
    books = account.books
    with connection.cursor() as cursor:
        cursor.execute(_BOOKS, {"code": books.code, "owner": books.owner, "snapshot": seen.snapshot, "old": seen.old})
        return {currency: int(total) for currency, total in cursor.fetchall()}


def _summed(rows: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows.iterator(chunk_size=2000):
        for currency, amount in row.differences.items():
            found[currency] = found.get(currency, 0) + amount
    return found
