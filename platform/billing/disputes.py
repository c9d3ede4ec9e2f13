"""Disputes: one door for Stripe's word about them, and what they do to the books.

What Stripe withdraws is held, what it gives back is released, what is lost is borne by whom the organization agreed should bear it.
Webhooks, the sweep and our own answers all enter `sync` with the dispute as Stripe has it now, so their order does not matter.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from audit.actor import Actor
from audit.recording import record
from billing import earnings, emails, fulfillment, postings, recovery
from billing.gateway.base import BalanceTransaction, GatewayDispute
from billing.models import Dispute, DisputeMovement, Payment
from core import jobs
from core.state_machine import allows
from ledger import posting
from ledger.chart import DISPUTES_HELD, STRIPE_FEES
from ledger.models import LedgerEntry, LedgerTransaction
from organizations.models import Organization

_MOVES = {
    "warning_needs_response": "ask_again",
    "warning_under_review": "review_inquiry",
    "warning_closed": "close_inquiry",
    "needs_response": "need_response",
    "under_review": "review",
    "prevented": "prevent",
    "won": "win",
    "lost": "lose",
}


@transaction.atomic
def sync(*, answer: GatewayDispute, at: datetime, by: Actor) -> Dispute | None:
    """Bring our dispute, its money and the payment's disputed amount in line with Stripe's; None for a charge that is not ours.

    Repeatable. An older answer changes no status back; a balance transaction is booked whenever it is first seen.
    """
    payments = Payment.objects.select_for_update(of=["self"]).select_related("organization")
    payment = payments.filter(stripe_charge_id=answer.charge_id).first()
    if payment is None:
        return None
    known = payment.disputes.filter(stripe_dispute_id=answer.id).first()
    before = known.status if known is not None else None
    dispute = _follow(known, answer, at) if known is not None else _open(payment, answer, at)
    for movement in answer.movements:
        _book(dispute, movement, at)
    _book_loss(dispute, at)
    recovery.after(organization_id=payment.organization_id, currency=payment.currency)
    payment.amount_disputed = payment.disputes.filter(status__in=Dispute.HOLDING).aggregate(total=Sum("amount"))["total"] or 0
    payment.save(update_fields=["amount_disputed", "updated_at"])
    if before != dispute.status:
        _tell(dispute, payment, before, by)
    if known is None:
        fulfillment.handler_for(payment.purpose).on_disputed(payment, at=at, by=by)
    return dispute


def _tell(dispute: Dispute, payment: Payment, before: str | None, by: Actor) -> None:
    after = {"status": dispute.status}
    record(dispute, "dispute.changed", by=by, organization_id=payment.organization_id, before={"status": before}, after=after)
    jobs.enqueue(emails.send_dispute_changed, dispute_id=dispute.pk, status=dispute.status)


def _open(payment: Payment, answer: GatewayDispute, at: datetime) -> Dispute:
    return Dispute.objects.create(
        stripe_dispute_id=answer.id,
        payment=payment,
        amount=answer.amount,
        currency=answer.currency,
        status=answer.status,
        reason=answer.reason,
        due_by=answer.due_by,
        submission_count=answer.submission_count,
        borne_by=payment.organization.dispute_policy,
        opened_at=answer.opened_at,
        closed_at=at if answer.status in Dispute.FINAL else None,
    )


def _follow(dispute: Dispute, answer: GatewayDispute, at: datetime) -> Dispute:
    """The known dispute with what Stripe says now; nothing where the answer was read before the one that we have."""
    if answer.submission_count < dispute.submission_count:
        return dispute
    if answer.status != dispute.status:
        move = _MOVES[answer.status]
        if not allows(dispute, move):
            return dispute
        getattr(dispute, move)(**({"at": at} if answer.status in Dispute.FINAL else {}))
    dispute.amount, dispute.reason, dispute.due_by = answer.amount, answer.reason, answer.due_by
    dispute.submission_count = answer.submission_count
    dispute.save(update_fields=["status", "closed_at", "amount", "reason", "due_by", "submission_count", "updated_at"])
    return dispute


def _book(dispute: Dispute, found: BalanceTransaction, at: datetime) -> None:
    """Post one balance transaction under "dispute:<id>:withdrawn" or ":reinstated"; a further one of a kind gets a number."""
    if dispute.movements.filter(stripe_balance_transaction_id=found.id).exists():
        return
    fact = "withdrawn" if found.amount < 0 else "reinstated"
    movement = DisputeMovement.objects.create(
        dispute=dispute,
        stripe_balance_transaction_id=found.id,
        amount=found.amount,
        fee=found.fee,
        currency=found.currency,
        reference=_numbered(dispute, fact),
        happened_at=found.happened_at or at,
    )
    posting.post(
        reference=movement.reference,
        description=f"Dispute {fact}: {dispute.payment.description}"[:200],
        currency=movement.currency,
        entries=postings.dispute_moved(movement),
        occurred_at=movement.happened_at,
        organization_id=dispute.payment.organization_id,
    )


def _book_loss(dispute: Dispute, at: datetime) -> None:
    """Once lost, what is still held is lost; should it be won after all, it is held again, and then given back by its own movement."""
    is_lost = dispute.status == Dispute.Status.LOST
    with_fee = is_lost and dispute.borne_by == Organization.DisputePolicy.ORGANIZER
    sums = dispute.movements.values("currency").annotate(amounts=Sum("amount"), fees=Sum("fee")).order_by("currency")
    for row in sums:
        booked = _booked_loss(dispute, row["currency"])
        amount = (-row["amounts"] if is_lost else 0) - booked[DISPUTES_HELD.code]
        fee = (row["fees"] if with_fee else 0) - booked[STRIPE_FEES.code]
        if amount or fee:
            entries = postings.dispute_lost(dispute, amount=amount, fee=fee)
            posting.post(
                reference=_numbered(dispute, "lost"),
                description=f"Dispute lost: {dispute.payment.description}"[:200],
                currency=row["currency"],
                entries=entries,
                occurred_at=at,
                organization_id=dispute.payment.organization_id,
            )
            earnings.note(dispute.payment, entries if row["currency"] == dispute.payment.currency else [])


def _booked_loss(dispute: Dispute, currency: str) -> dict[str, int]:
    """What earlier postings took out of disputes_held and out of stripe_fees, minor units."""
    entries = LedgerEntry.objects.filter(transaction__reference__startswith=f"dispute:{dispute.pk}:lost", currency=currency)
    sums = dict(entries.values_list("account").annotate(total=Sum("amount")))
    return {code: -sums.get(code, 0) for code in (DISPUTES_HELD.code, STRIPE_FEES.code)}


def _numbered(dispute: Dispute, fact: str) -> str:
    """The fact's reference: "dispute:<id>:<fact>", a second one of the kind with ":2". The caller holds the payment's lock."""
    name = f"dispute:{dispute.pk}:{fact}"
    earlier = LedgerTransaction.objects.filter(reference__startswith=name).count()
    return f"{name}:{earlier + 1}" if earlier else name
