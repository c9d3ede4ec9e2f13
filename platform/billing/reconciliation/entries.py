"""Which ledger entries settle a difference. Pure."""

from billing.models import Discrepancy
from ledger.chart import RECONCILIATION_SUSPENSE, STRIPE_FEES, Account
from ledger.posting import Entry


def to_suspense(row: Discrepancy, books: Account) -> list[Entry]:
    """Stripe's movement as it stands, its counterpart in suspense."""
    return _moved(row.their_amount or 0, row.their_fee or 0, books, RECONCILIATION_SUSPENSE)


def settled(row: Discrepancy, books: Account, counter: Account) -> dict[str, list[Entry]]:
    """Per currency the entries after which both sides agree; what is not Stripe's fee stands against `counter`.

    Of money in suspense the balance is right already: it leaves suspense for `counter`.
    """
    if row.is_suspended:
        held = row.their_amount or 0
        return {row.their_currency: [Entry(RECONCILIATION_SUSPENSE, held), Entry(counter, -held)] if held else []}
    sums: dict[str, tuple[int, int]] = {}
    sides = ((1, row.their_amount, row.their_fee, row.their_currency), (-1, row.our_amount, row.our_fee, row.our_currency))
    for sign, amount, fee, currency in sides:
        if currency:
            before = sums.get(currency, (0, 0))
            sums[currency] = (before[0] + sign * (amount or 0), before[1] + sign * (fee or 0))
    return {currency: _moved(gross, kept, books, counter) for currency, (gross, kept) in sums.items() if gross or kept}


def _moved(amount: int, fee: int, books: Account, counter: Account) -> list[Entry]:
    found = [Entry(books, amount - fee), Entry(STRIPE_FEES, fee), Entry(counter, -amount)]
    return [entry for entry in found if entry.amount]
