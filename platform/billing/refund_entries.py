"""What the ledger holds of a refund: the request's entries, and their reversal. The caller holds the payment's lock."""

from datetime import datetime

from django.db.models import Sum

from billing import earnings, postings, recovery
from billing.models import Payment, Refund
from ledger import posting
from ledger.chart import REFUNDS_IN_FLIGHT, STRIPE_BALANCE, Account
from ledger.models import LedgerEntry
from ledger.posting import Entry

_NOT_SHARED = (REFUNDS_IN_FLIGHT.code, STRIPE_BALANCE.code)


def post_requested(refund: Refund, *, at: datetime) -> None:
    """Move the refund's share of earnings, fees and tax to refunds_in_flight. The refund's row is saved.

    What was transferred of it already is fetched back by a command of its own, which the refund does not wait for.
    """
    _post(refund, "requested", "Refund requested", Entry(REFUNDS_IN_FLIGHT, -refund.amount), at)
    recovery.after(organization_id=refund.payment.organization_id, currency=refund.currency)


def reverse(refund: Refund, *, at: datetime) -> None:
    """Give back what the refund (this retry of it) took, under "refund:<id>:reversal". Its row is saved as failed or cancelled."""
    came_from = STRIPE_BALANCE if refund.stripe_balance_transaction_id else REFUNDS_IN_FLIGHT
    _post(refund, "reversal", "Refund reversed", Entry(came_from, refund.amount), at)


def _post(refund: Refund, fact: str, description: str, money: Entry, at: datetime) -> None:
    payment = refund.payment
    lines = list(payment.lines.order_by("position"))
    shares = postings.refund_shares(payment, lines, live=payment.refunds.taking_money().total(), held=_held(payment))
    posting.post(
        reference=refund.reference(fact),
        description=f"{description}: {payment.description}"[:200],
        currency=refund.currency,
        entries=[*shares, money],
        occurred_at=at,
        organization_id=payment.organization_id,
    )
    earnings.note(payment, shares)


def preview(payment: Payment, amount: int) -> list[Entry]:
    """What a further refund of `amount` (minor units) would take from each account; nothing is written, so no lock is needed."""
    live = payment.refunds.taking_money().total() + amount
    shares = postings.refund_shares(payment, list(payment.lines.order_by("position")), live=live, held=_held(payment))
    return [entry for entry in shares if entry.amount]


def _held(payment: Payment) -> dict[Account, int]:
    """What refunds of the payment hold of each account by their requests and reversals so far."""
    references = [reference for refund in payment.refunds.all() for reference in refund.references("requested", "reversal")]
    entries = LedgerEntry.objects.filter(transaction__reference__in=references).exclude(account__in=_NOT_SHARED)
    rows = entries.values_list("account", "owner").annotate(total=Sum("amount"))
    return {Account(account, owner): total for account, owner, total in rows}
