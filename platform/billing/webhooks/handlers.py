"""What an event from Stripe leads to. A handler reads the object anew from Stripe: it trusts neither the order nor the age of events."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from billing import checkout, disputes, invoices, payments, refund_sync, transfer_sync
from billing.gateway.base import GatewayIntent, GatewayRefund
from billing.gateway.selection import gateway
from billing.models import CheckoutSession, Invoice, Payment, Refund, Transfer
from billing.webhooks import plan_handlers
from billing.webhooks.words import BY, NotOurs
from core.public_ids import decode

type Handler = Callable[[dict[str, Any]], None]


def checkout_session(found: dict[str, Any]) -> None:
    if found.get("mode") == "subscription":
        plan_handlers.checkout_session(found)
        return
    row = CheckoutSession.objects.filter(stripe_session_id=found["id"]).first()
    if row is None:  # the answer that carried its id was lost; our id is in the metadata
        row = _session_named(found.get("metadata") or {})
        checkout.opened(session_id=row.pk, answer=gateway().retrieve_checkout_session(found["id"]))
    checkout.refresh(session_id=row.pk)


def _session_named(metadata: dict[str, str]) -> CheckoutSession:
    try:
        row = CheckoutSession.objects.filter(pk=decode(CheckoutSession.public_prefix, metadata.get("checkout", ""))).first()
    except ValueError:
        row = None
    if row is None:
        raise NotOurs(metadata.get("checkout", "a session without our metadata"))
    return row


def payment_intent(found: dict[str, Any]) -> None:
    _sync_intent(found["id"])


def charge(found: dict[str, Any]) -> None:
    """charge.updated brings the balance transaction, charge.refunded a refund that may have been made at Stripe."""
    intent_id = found.get("payment_intent")
    if not intent_id:
        raise NotOurs(found["id"])
    bill = Invoice.objects.filter(stripe_payment_intent_id=intent_id).first()
    if bill is not None:
        invoices.refresh(stripe_invoice_id=bill.stripe_invoice_id, by=BY)
        return
    payment = _sync_intent(intent_id)
    if found.get("amount_refunded"):
        _sync_refunds(intent_id, payment)


def refund(found: dict[str, Any]) -> None:
    answer = gateway().retrieve_refund(found["id"])
    payment = Payment.objects.filter(stripe_payment_intent_id=answer.payment_intent_id).first() if answer.payment_intent_id else None
    if answer.payment_intent_id and (payment is None or not payment.is_captured):  # the refund's event came before the payment's
        payment = _sync_intent(answer.payment_intent_id)
    if payment is not None and not _is_from_here(answer):
        _sync_refunds(answer.payment_intent_id or "", payment)
    else:
        _sync_refund(answer, payment)


def dispute(found: dict[str, Any]) -> None:
    answer = gateway().retrieve_dispute(found["id"])
    if disputes.sync(answer=answer, at=timezone.now(), by=BY) is None:
        if answer.payment_intent_id is None:
            raise NotOurs(answer.id)
        _sync_intent(answer.payment_intent_id)  # the dispute's event came before the payment's
        if disputes.sync(answer=answer, at=timezone.now(), by=BY) is None:
            raise NotOurs(answer.id)


def uuid_of(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _payment_of(intent: GatewayIntent) -> Payment:
    """The payment that has this intent, else the one that the intent's metadata names. Raises NotOurs."""
    known = Q(stripe_payment_intent_id=intent.id)
    named = uuid_of(intent.metadata.get("payment_id"))
    found = list(Payment.objects.filter(known | Q(pk=named) if named else known))
    if not found:
        raise NotOurs(intent.id)
    return next((payment for payment in found if payment.stripe_payment_intent_id == intent.id), found[0])


def _sync_intent(intent_id: str) -> Payment:
    intent = gateway().retrieve_intent(intent_id)
    return payments.sync(payment_id=_payment_of(intent).pk, intent=intent, at=timezone.now(), by=BY)


def _refund_of(answer: GatewayRefund) -> Refund | None:
    known = Refund.objects.filter(stripe_refund_id=answer.id).first()
    refund_id = uuid_of(answer.metadata.get("refund_id"))
    return known or (Refund.objects.filter(pk=refund_id).first() if refund_id else None)


def _is_from_here(answer: GatewayRefund) -> bool:
    row = _refund_of(answer)
    return row is not None and row.source != Refund.Source.EXTERNAL


def _sync_refunds(intent_id: str, payment: Payment) -> None:
    """All refunds of the intent, those that came to nothing first: somebody at Stripe may have refunded what they gave back."""
    for answer in sorted(gateway().refunds_of(intent_id), key=lambda each: each.status not in ("failed", "canceled")):
        _sync_refund(answer, payment)


def _sync_refund(answer: GatewayRefund, payment: Payment | None) -> None:
    ours = _refund_of(answer)
    if ours is not None:
        refund_sync.sync(refund_id=ours.pk, answer=answer, at=timezone.now(), by=BY)
    elif payment is not None:
        refund_sync.record_external(payment_id=payment.pk, answer=answer, at=timezone.now(), by=BY)
    else:
        raise NotOurs(answer.id)


def transfer(found: dict[str, Any]) -> None:
    """A transfer and what came back of it; one that nobody here made is reconciliation's matter."""
    answer = gateway().retrieve_transfer(found["id"])
    transfer_id = uuid_of(answer.metadata.get("transfer_id"))
    row = Transfer.objects.filter(Q(stripe_transfer_id=answer.id) | Q(pk=transfer_id)).first()
    if row is None:
        raise NotOurs(answer.id)
    at = timezone.now()
    row = transfer_sync.sync(transfer_id=row.pk, answer=answer, at=at, by=BY)
    transfer_sync.read_reversals(transfer=row, at=at, by=BY)


_SESSION_EVENTS = ("completed", "expired", "async_payment_succeeded", "async_payment_failed")
_INTENT_EVENTS = ("succeeded", "payment_failed", "canceled", "processing", "requires_action")
_DISPUTE_EVENTS = ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
HANDLERS: dict[str, Handler] = {
    **plan_handlers.HANDLERS,
    **{f"checkout.session.{name}": checkout_session for name in _SESSION_EVENTS},
    **{f"payment_intent.{name}": payment_intent for name in _INTENT_EVENTS},
    "charge.updated": charge,
    "charge.refunded": charge,
    **{f"refund.{name}": refund for name in ("created", "updated", "failed")},
    **{f"transfer.{name}": transfer for name in ("created", "updated", "reversed")},
    **{f"charge.dispute.{name}": dispute for name in _DISPUTE_EVENTS},
}
