"""Stripe's fee of a payment: a fact of its own, because Stripe's balance transaction may come an hour after the money."""

from datetime import datetime

from audit.actor import Actor
from audit.recording import record
from billing import postings
from billing.gateway.base import BalanceTransaction
from billing.models import Payment, Refund
from core.money import cumulative_share
from ledger import posting


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
    for refund in payment.refunds.filter(state=Refund.State.SUCCEEDED).order_by("succeeded_at", "id"):
        pass_on(refund=refund, at=at)


def pass_on(*, refund: Refund, at: datetime) -> None:
    """Where the organization bears the fee that a refund does not bring back, move the refund's share of it. Once for each refund."""
    payment = refund.payment
    if payment.refund_fee_policy != "organizer" or not payment.stripe_fee or posting.posted(refund.reference("fee")):
        return
    earlier = payment.refunds.filter(state=Refund.State.SUCCEEDED, succeeded_at__lt=refund.succeeded_at).total()
    # the share of the fee is as the refund's share of the payment; cumulative, so that a full refund passes on the whole fee
    fee, total = payment.stripe_fee, payment.amount_captured
    share = cumulative_share([fee, total - fee], before=earlier, taken=refund.amount)[0]
    if share:
        posting.post(
            reference=refund.reference("fee"),
            description="Stripe's fee, borne by the organization",
            currency=refund.currency,
            entries=postings.stripe_fee_passed_on(payment, share),
            occurred_at=at,
            organization_id=payment.organization_id,
        )
