"""What the ledger holds of a refund: the request's entries, and their reversal."""

from datetime import datetime

from django.db.models import Sum

from billing import postings
from billing.models import Refund
from ledger import posting
from ledger.chart import Account
from ledger.models import LedgerEntry
from ledger.posting import Entry


def post_requested(refund: Refund, *, at: datetime) -> None:
    """Move the refund's share of earnings, fees and tax to refunds_in_flight. The caller holds the payment's lock."""
    payment = refund.payment
    posting.post(
        reference=refund.reference("requested"),
        description=f"Refund requested: {payment.description}"[:200],
        currency=refund.currency,
        entries=postings.refund_requested(refund, list(payment.lines.order_by("position")), taken=_taken_by_others(refund)),
        occurred_at=at,
        organization_id=payment.organization_id,
    )


def _taken_by_others(refund: Refund) -> dict[Account, int]:
    """What the payment's other refunds took of each account, those left out that failed or were cancelled."""
    others = [other.reference("requested") for other in refund.payment.refunds.taking_money().exclude(pk=refund.pk)]
    entries = LedgerEntry.objects.filter(transaction__reference__in=others, amount__gt=0) if others else LedgerEntry.objects.none()
    rows = entries.values_list("account", "owner").annotate(total=Sum("amount"))
    return {Account(account, owner): total for account, owner, total in rows}


def reverse(refund: Refund, *, at: datetime) -> None:
    """Undo what the ledger holds of this refund (of this retry of it), under "refund:<id>:reversal"."""
    references = [refund.reference("requested"), refund.reference(), refund.reference("fee")]
    entries = [
        Entry(Account(entry.account, entry.owner), entry.amount)
        for entry in LedgerEntry.objects.filter(transaction__reference__in=references).order_by("id")
    ]
    posting.post(
        reference=refund.reference("reversal"),
        description=f"Refund reversed: {refund.payment.description}"[:200],
        currency=refund.currency,
        entries=postings.reversal(postings.netted(entries)),
        occurred_at=at,
        organization_id=refund.payment.organization_id,
    )
