"""Payments: made with their quote, brought in line with Stripe by one door (`sync`), booked when captured."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from audit.recording import record
from billing import earnings, emails, fulfillment, payment_fees, postings
from billing.gateway.base import GatewayIntent
from billing.models import Payment, PaymentLine
from billing.quoting import Quote
from core import jobs
from core.errors import DomainError
from core.money import Money
from ledger import posting
from organizations.models import Organization

_SAVED = ["state", "updated_at"]
# An intent in one of these takes the place of the one known so far; a late word about an earlier session's intent does not.
_MOVING = ("processing", "requires_action", "succeeded")


class AmountMismatch(DomainError):
    """Stripe captured something other than what was due: a person has to look."""

    code, http_status = "AMOUNT_MISMATCH", 409

    def __init__(self, *, due: Money, received: Money) -> None:
        self.due, self.received = due, received
        super().__init__(f"Stripe captured {received} where {due} was due; nothing was booked.")


class SecondCharge(DomainError):
    """A second payment intent paid for a payment that another one has paid."""

    code, http_status = "SECOND_CHARGE", 409

    def __init__(self, *, intent_id: str) -> None:
        self.intent_id = intent_id
        super().__init__(f"{intent_id} paid for something that was paid already; refund it at Stripe.")


@dataclass(frozen=True, slots=True)
class Sale:
    """What a payment is for, in words and ids that mean nothing here, with the terms that are frozen into it."""

    purpose: str
    subject: str
    group: str
    description: str
    responsible_id: UUID | None
    refund_terms: Sequence[dict[str, Any]]
    service_starts_at: datetime | None
    release_at: datetime | None


def create(*, quote: Quote, organization: Organization, sale: Sale, email: str, name: str, user_id: UUID | None) -> Payment:
    """A pending payment with the quote's lines, inside the caller's transaction."""
    payment = Payment.objects.create(
        organization=organization,
        user_id=user_id,
        responsible_id=sale.responsible_id,
        email=email,
        name=name,
        description=sale.description[:300],
        purpose=sale.purpose,
        subject=sale.subject,
        group=sale.group,
        amount=quote.total.amount,
        currency=quote.total.currency,
        refund_terms=list(sale.refund_terms),
        refund_fee_policy=organization.refund_fee_policy,
        service_starts_at=sale.service_starts_at,
        release_at=sale.release_at,
    )
    PaymentLine.objects.bulk_create(
        PaymentLine(
            payment=payment,
            position=position,
            kind=line.kind,
            payer=line.payer,
            description=line.description[:200],
            jurisdiction=line.jurisdiction,
            inclusive=line.inclusive,
            basis_points=line.basis_points,
            amount=line.amount,
        )
        for position, line in enumerate(quote.lines)
    )
    return payment


def locked(payment_id: UUID, by: Actor) -> Payment | None:
    """The payment with its row locked, None where the actor cannot see it. Everything about one payment queues here."""
    return Payment.objects.visible_to(by).select_for_update(of=["self"]).filter(pk=payment_id).first()


@transaction.atomic
def sync(*, payment_id: UUID, intent: GatewayIntent, at: datetime, by: Actor) -> Payment:
    """Bring the payment in line with what Stripe says now: the one door for webhooks, return page and sweep, in any order.

    Raises AmountMismatch, SecondCharge.
    """
    payment = Payment.objects.select_for_update(of=["self"]).get(pk=payment_id)
    if payment.is_captured:
        if payment.stripe_payment_intent_id != intent.id and intent.status == "succeeded":
            raise SecondCharge(intent_id=intent.id)
        if payment.stripe_payment_intent_id == intent.id:
            payment_fees.book(payment=payment, found=intent.balance_transaction, at=at, by=by)
        return payment
    is_another = payment.stripe_payment_intent_id != intent.id
    if payment.stripe_payment_intent_id is None or (is_another and intent.status in _MOVING):
        payment.stripe_payment_intent_id = intent.id
    if intent.status == "succeeded":
        return capture(payment=payment, intent=intent, at=at, by=by)
    if is_another:
        payment.save(update_fields=["stripe_payment_intent_id", "updated_at"])
    _mirror(payment, intent, by)
    return payment


def _mirror(payment: Payment, intent: GatewayIntent, by: Actor) -> None:
    """States on the way. A payment that ended here stays ended unless money arrives: a word about an old intent cannot reopen it."""
    before = payment.state
    if payment.state not in Payment.OPEN:
        return
    if intent.status == "requires_action" and before != Payment.State.REQUIRES_ACTION:
        payment.require_action()
    elif intent.status == "processing" and before != Payment.State.PROCESSING:
        payment.process()
    elif intent.status == "requires_payment_method" and intent.error and before != Payment.State.FAILED:
        payment.fail(message=intent.error)
        jobs.enqueue(emails.send_payment_failed, payment_id=payment.pk)
    else:
        return
    payment.save(update_fields=[*_SAVED, "failure_message"])
    record(
        payment, f"payment.{payment.state}", by=by, before={"state": before}, after={"state": payment.state}, reason=payment.failure_message
    )


def capture(*, payment: Payment, intent: GatewayIntent, at: datetime, by: Actor) -> Payment:
    """Book the money and hand over what it bought. The caller holds the payment's lock."""
    if (intent.amount_received, intent.currency) != (payment.amount, payment.currency):
        raise AmountMismatch(due=payment.due, received=Money(intent.amount_received, intent.currency))
    before = payment.state
    payment.stripe_charge_id = intent.charge_id
    payment.succeed(at=intent.happened_at or at, captured=intent.amount_received)
    entries = postings.payment_captured(payment, list(payment.lines.order_by("position")))
    payment.earned = earnings.of_payee(payment, entries)
    payment.documents_due_at = at
    stripes = ["stripe_payment_intent_id", "stripe_charge_id"]
    payment.save(update_fields=[*_SAVED, *stripes, "paid_at", "amount_captured", "earned", "failure_message", "documents_due_at"])
    posting.post(
        reference=f"payment:{payment.pk}",
        description=f"Payment: {payment.description}"[:200],
        currency=payment.currency,
        entries=entries,
        occurred_at=payment.paid_at or at,
        organization_id=payment.organization_id,
    )
    payment_fees.book(payment=payment, found=intent.balance_transaction, at=at, by=by)
    record(
        payment, "payment.succeeded", by=by, before={"state": before}, after={"state": payment.state, "captured": payment.amount_captured}
    )
    fulfillment.handler_for(payment.purpose).on_paid(payment, at=at, by=by)
    jobs.enqueue(emails.send_receipt, payment_id=payment.pk)
    return payment


def restate(*, payment: Payment, at: datetime, by: Actor) -> None:
    """Derive the payment's refund state from its succeeded refunds. The caller holds the payment's lock."""
    refunded = payment.refunds.filter(state="succeeded").total()
    if refunded == payment.amount_refunded:
        return
    if refunded == 0:
        payment.none_refunded()
    elif refunded == payment.amount_captured:
        payment.all_refunded(refunded=refunded)
    else:
        payment.part_refunded(refunded=refunded)
    payment.documents_due_at = at
    payment.save(update_fields=[*_SAVED, "amount_refunded", "documents_due_at"])


def expire(*, payment: Payment, at: datetime, by: Actor) -> None:
    """End an unpaid payment whose time is over and let go of what it held. The caller holds the lock and has read Stripe."""
    payment.expire()
    _ended_unpaid(payment, "payment.expired", at, by)


def cancel(*, payment: Payment, at: datetime, by: Actor) -> None:
    """End an unpaid payment that nobody wants any more. The caller holds the lock and has read Stripe."""
    payment.cancel()
    _ended_unpaid(payment, "payment.cancelled", at, by)


def _ended_unpaid(payment: Payment, action: str, at: datetime, by: Actor) -> None:
    payment.save(update_fields=_SAVED)
    record(payment, action, by=by, after={"state": payment.state})
    fulfillment.handler_for(payment.purpose).on_failed(payment, at=at, by=by)
