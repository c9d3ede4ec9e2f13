"""Stripe's word about refunds: one door for submit, webhook and sweep, so that their order does not matter."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from audit.recording import record
from billing import emails, fulfillment, payment_fees, payments, postings, refund_entries
from billing.gateway.base import GatewayRefund
from billing.models import Payment, Refund
from core import jobs
from ledger import posting


def _locked(refund_id: UUID) -> tuple[Payment, Refund]:
    payment = Payment.objects.select_for_update(of=["self"]).get(refunds=refund_id)  # the root first: refunds of one payment queue here
    refund = Refund.objects.get(pk=refund_id)
    refund.payment = payment  # one object of the row: what two of them saved, the later would take back
    return payment, refund


@transaction.atomic
def sync(*, refund_id: UUID, answer: GatewayRefund, at: datetime, by: Actor) -> Refund:
    """Bring the refund in line with Stripe's; repeatable, and safe with an answer that is older than what we know.

    A word about an attempt that was given up changes nothing here; where Stripe refunded under it all the same, that refund is
    recorded as external, because it moved money.
    """
    payment, refund = _locked(refund_id)
    if refund.stripe_refund_id != answer.id and (refund.stripe_refund_id is not None or _is_of_earlier_attempt(refund, answer)):
        if answer.status not in ("failed", "canceled"):
            record_external(payment_id=payment.pk, answer=answer, at=at, by=by)
        return refund
    if refund.stripe_refund_id is None:
        refund.stripe_refund_id = answer.id
        refund.save(update_fields=["stripe_refund_id", "updated_at"])
    _route(refund, answer, at, by)
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    _book(refund, answer, at)
    return refund


def _is_of_earlier_attempt(refund: Refund, answer: GatewayRefund) -> bool:
    attempt = answer.metadata.get("attempt", "")
    return attempt.isdecimal() and int(attempt) < refund.attempt


def _route(refund: Refund, answer: GatewayRefund, at: datetime, by: Actor) -> None:
    waiting = (Refund.State.REQUESTED, Refund.State.SUBMITTING, Refund.State.UNKNOWN)
    if answer.status == "succeeded":
        settle(refund_id=refund.pk, at=at, by=by)
    elif answer.status == "failed":
        fail(refund_id=refund.pk, attempt=refund.attempt, why=answer.failure_reason, at=at, by=by, answer=answer)
    elif answer.status == "canceled":
        cancel(refund_id=refund.pk, at=at, by=by)
    elif answer.status == "pending" and refund.state in (*waiting, Refund.State.REQUIRES_ACTION):
        refund.wait()
        _moved(refund, "refund.pending", by)
    elif answer.status == "requires_action" and refund.state in (*waiting, Refund.State.PENDING):
        refund.require_action()
        _moved(refund, "refund.requires_action", by)


def _moved(refund: Refund, action: str, by: Actor) -> None:
    refund.save(update_fields=["state", "updated_at"])
    record(refund, action, by=by, organization_id=refund.payment.organization_id, after={"state": refund.state})


def _book(refund: Refund, answer: GatewayRefund, at: datetime) -> None:
    """Post the money's way out once Stripe shows its balance transaction."""
    if answer.balance_transaction_id is None or refund.state in Refund.ENDED_WITHOUT_MONEY:
        return
    if refund.stripe_balance_transaction_id is None:
        refund.stripe_balance_transaction_id = answer.balance_transaction_id
        refund.save(update_fields=["stripe_balance_transaction_id", "updated_at"])
        posting.post(
            reference=refund.reference(),
            description=f"Refund: {refund.payment.description}"[:200],
            currency=refund.currency,
            entries=postings.refund_booked(refund),
            occurred_at=answer.happened_at or at,
            organization_id=refund.payment.organization_id,
        )


@transaction.atomic
def settle(*, refund_id: UUID, at: datetime, by: Actor) -> Refund:
    """A refund that Stripe confirmed. Idempotent: Stripe repeats its webhooks, and one that failed later stays failed."""
    payment, refund = _locked(refund_id)
    if refund.state in (Refund.State.SUCCEEDED, *Refund.ENDED_WITHOUT_MONEY):
        return refund
    before = refund.state
    refund.succeed(at=at)
    refund.save(update_fields=["state", "succeeded_at", "updated_at"])
    payments.restate(payment=payment, at=at, by=by)
    payment_fees.pass_on(refund=refund, at=at)
    record(
        refund, "refund.settled", by=by, organization_id=payment.organization_id, before={"state": before}, after={"state": refund.state}
    )
    fulfillment.handler_for(payment.purpose).on_refunded(refund, at=at, by=by)
    jobs.enqueue(emails.send_refund_receipt, refund_id=refund.pk)
    return refund


@transaction.atomic
def fail(*, refund_id: UUID, attempt: int, why: str, at: datetime, by: Actor, answer: GatewayRefund | None = None) -> Refund:
    """A definite failure, which Stripe may report days after success: what was posted is reversed. Idempotent."""
    payment, refund = _locked(refund_id)
    if refund.state in Refund.ENDED_WITHOUT_MONEY or refund.attempt != attempt:
        return refund
    before = refund.state
    if answer is not None:
        _book(refund, answer, at)  # its way out came first, or the reversal would not match Stripe's two balance transactions
    refund.fail(at=at, why=why or "Stripe gave no reason.")
    refund.failure_balance_transaction_id = answer.failure_balance_transaction_id if answer else None
    refund.save(update_fields=["state", "failed_at", "failure_reason", "failure_balance_transaction_id", "updated_at"])
    payments.restate(payment=payment, at=at, by=by)
    refund_entries.reverse(refund, at=at)
    payment_fees.take_back(refund=refund, at=at)
    record(
        refund,
        "refund.failed",
        by=by,
        organization_id=payment.organization_id,
        before={"state": before},
        after={"state": refund.state},
        reason=refund.failure_reason,
    )
    jobs.enqueue(emails.send_refund_failed, refund_id=refund.pk)
    return refund


@transaction.atomic
def cancel(*, refund_id: UUID, at: datetime, by: Actor) -> Refund:
    """Cancelled at Stripe before the money left: what was posted is reversed. Idempotent."""
    payment, refund = _locked(refund_id)
    if refund.state in (*Refund.ENDED_WITHOUT_MONEY, Refund.State.SUCCEEDED):
        return refund
    before = refund.state
    refund.cancel(at=at)
    refund.save(update_fields=["state", "failed_at", "updated_at"])
    refund_entries.reverse(refund, at=at)
    record(
        refund, "refund.cancelled", by=by, organization_id=payment.organization_id, before={"state": before}, after={"state": refund.state}
    )
    return refund


@transaction.atomic
def record_external(*, payment_id: UUID, answer: GatewayRefund, at: datetime, by: Actor) -> Refund | None:
    """A refund that was made at Stripe and not by us: recorded as external, booked and settled as Stripe says. Idempotent."""
    payment = Payment.objects.select_for_update(of=["self"]).get(pk=payment_id)
    known = Refund.objects.filter(stripe_refund_id=answer.id).first()
    if known is None:
        known = _insert_external(payment, answer, at, by)
    if known is None:
        return None
    return sync(refund_id=known.pk, answer=answer, at=at, by=by)


def _insert_external(payment: Payment, answer: GatewayRefund, at: datetime, by: Actor) -> Refund | None:
    if answer.status in ("failed", "canceled") and answer.balance_transaction_id is None:
        return None  # it never moved money and we never knew it
    refund = Refund.objects.create(
        payment=payment,
        amount=answer.amount,
        currency=answer.currency,
        reason=Refund.Reason.OTHER,
        source=Refund.Source.EXTERNAL,
        note="Made at Stripe, not here.",
        stripe_refund_id=answer.id,
        submitted_at=at,
    )
    refund_entries.post_requested(refund, at=answer.happened_at or at)
    after = {"amount": refund.amount, "currency": refund.currency, "stripe_refund_id": answer.id}
    record(refund, "refund.recorded_external", by=by, organization_id=payment.organization_id, after=after)
    return refund
