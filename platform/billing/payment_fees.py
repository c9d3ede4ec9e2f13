"""Stripe's fee of a payment: a fact of its own, because Stripe's balance transaction may come an hour after the money."""

from datetime import datetime
from fractions import Fraction

from django.db.models import Sum

from audit.actor import Actor
from audit.recording import record
from billing import earnings, postings
from billing.gateway.base import BalanceTransaction
from billing.models import Payment, Refund
from core.money import round_half_up
from ledger import posting
from ledger.chart import STRIPE_FEES
from ledger.models import LedgerEntry
from organizations.models import Organization


def book(*, payment: Payment, found: BalanceTransaction | None, at: datetime, by: Actor) -> None:
    """Book the fee once Stripe shows it; nothing where it does not yet, or where it is booked. The caller holds the payment's lock."""
    if found is None or payment.stripe_fee is not None or not payment.is_captured:
        return
    if found.currency != payment.currency:  # a converted balance transaction is a difference for reconciliation, never a posting here
        return
    payment.stripe_balance_transaction_id, payment.stripe_fee = found.id, found.fee
    payment.save(update_fields=["stripe_balance_transaction_id", "stripe_fee", "updated_at"])
    if found.fee:
        posting.post(
            reference=f"payment:{payment.pk}:fee",
            description=f"Stripe's fee: {payment.description}"[:200],
            currency=payment.currency,
            entries=postings.stripe_fee(found.fee),
            occurred_at=at,
            organization_id=payment.organization_id,
        )
    record(payment, "payment.fee_booked", by=by, after={"stripe_fee": found.fee, "balance_transaction": found.id})
    refunded = 0
    for refund in payment.refunds.filter(state=Refund.State.SUCCEEDED).order_by("succeeded_at", "id"):
        refunded += refund.amount
        _bring_to(payment, refunded, refund.reference("fee"), at)


def pass_on(*, refund: Refund, at: datetime) -> None:
    """Where the organization bears the fee that a refund does not bring back, move the refund's share of it."""
    _bring_to(refund.payment, _refunded(refund.payment), refund.reference("fee"), at)


def take_back(*, refund: Refund, at: datetime) -> None:
    """The same for a refund that failed after all: the organization gets its share of the fee again."""
    _bring_to(refund.payment, _refunded(refund.payment), refund.reference("fee-reversal"), at)


def _refunded(payment: Payment) -> int:
    return payment.refunds.filter(state=Refund.State.SUCCEEDED).total()


def _bring_to(payment: Payment, refunded: int, reference: str, at: datetime) -> None:
    """Have the organization bear the share of the fee that `refunded` is of the payment; cumulative, so all of it at a full refund."""
    if payment.refund_fee_policy != Organization.RefundFeePolicy.ORGANIZER or not payment.stripe_fee:
        return
    share = round_half_up(Fraction(payment.stripe_fee * refunded, payment.amount_captured)) - _passed_on(payment)
    if share:
        entries = postings.stripe_fee_passed_on(payment, share)
        posting.post(
            reference=reference,
            description="Stripe's fee, borne by the organization",
            currency=payment.currency,
            entries=entries,
            occurred_at=at,
            organization_id=payment.organization_id,
        )
        earnings.note(payment, entries)


def _passed_on(payment: Payment) -> int:
    references = [reference for refund in payment.refunds.all() for reference in refund.references("fee", "fee-reversal")]
    entries = LedgerEntry.objects.filter(transaction__reference__in=references, account=STRIPE_FEES.code)
    return -(entries.aggregate(total=Sum("amount"))["total"] or 0)
