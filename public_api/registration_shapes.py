"""A registration as its owner sees it, and as the organizer's list does. Nothing of Stripe's is shown but the page to pay on."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Schema

from audit.actor import Actor
from billing.models import Document, Payment
from core.errors import NotFound
from core.money import Money
from core.public_ids import encode
from events.models import Event
from public_api.auth import actor, origin
from public_api.shapes import MoneyOut, moment, money
from registrations import cancellation, guest_links
from registrations.models import Registration


class EventBriefOut(Schema):
    id: str
    slug: str
    title: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str


class RefundOut(Schema):
    """state: what happens is awaiting_approval, then submitting or pending, then succeeded or failed."""

    id: str
    state: str
    amount: MoneyOut
    created_at: datetime


class DocumentOut(Schema):
    """kind: receipt, credit_note, or cancellation (of a credit note whose refund failed after all)."""

    id: str
    kind: str
    number: str
    amount: MoneyOut
    issued_at: datetime


class PaymentOut(Schema):
    """due: what the place costs; paid and refunded: what has been confirmed.

    documents: receipts and credit notes, each a moment after its payment or refund.
    """

    id: str
    state: str
    due: MoneyOut
    paid: MoneyOut
    refunded: MoneyOut
    refunds: list[RefundOut]
    documents: list[DocumentOut]


class RegistrationOut(Schema):
    """refund_if_cancelled: what cancelling now would give back; null where nothing was paid."""

    id: str
    state: str
    name: str
    email: str
    event: EventBriefOut
    created_at: datetime
    hold_expires_at: datetime | None
    confirmed_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: str
    payment: PaymentOut | None
    refund_if_cancelled: MoneyOut | None


class ListedRegistrationOut(Schema):
    id: str
    state: str
    name: str
    email: str
    created_at: datetime
    due: MoneyOut | None
    refunded: MoneyOut | None


def holder(request: HttpRequest, registration_id: Any, key: str | None) -> Actor:
    """Whoever may come near this registration: the guest with its key, or somebody signed in. Raises NotFound."""
    if key is not None:
        return guest_links.actor_for_key(registration_id=registration_id, key=key, **origin(request))
    by = actor(request)
    if by.user_id is None:
        raise NotFound("registration")
    return by


def visible(registration_id: Any, by: Actor, *, own: bool = False) -> Registration:
    """own: among one's own places only. Raises NotFound."""
    rows = Registration.objects.of(by) if own else Registration.objects.visible_to(by)
    found = rows.select_related("event", "payment__organization").filter(pk=registration_id).first()
    if found is None:
        raise NotFound("registration")
    return found


def shown(registration: Registration, by: Actor) -> dict[str, Any]:
    """What RegistrationOut shows."""
    is_over = registration.state == Registration.State.CANCELLED
    back = None if is_over else cancellation.given_back(registration=registration, at=timezone.now(), by=by)
    return {
        "id": registration.public_id,
        "state": str(registration.state),
        "name": registration.name,
        "email": registration.email,
        "event": event_brief(registration.event),
        "created_at": moment(registration.created_at),
        "hold_expires_at": moment(registration.hold_expires_at),
        "confirmed_at": moment(registration.confirmed_at),
        "cancelled_at": moment(registration.cancelled_at),
        "cancel_reason": registration.cancel_reason,
        "payment": _payment(registration.payment) if registration.payment else None,
        "refund_if_cancelled": money(back) if back else None,
    }


def event_brief(event: Event) -> dict[str, Any]:
    times = {"starts_at": moment(event.starts_at), "ends_at": moment(event.ends_at), "time_zone": event.time_zone}
    return {"id": event.public_id, "slug": event.slug, "title": event.title, **times}


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.public_id,
        "state": str(payment.state),
        "due": money(payment.due),
        "paid": money(Money(payment.amount_captured, payment.currency)),
        "refunded": money(Money(payment.amount_refunded, payment.currency)),
        "refunds": [refund_shown(refund) for refund in payment.refunds.order_by("id")],
        "documents": [_document(document) for document in payment.documents.defer("content").order_by("id")],
    }


def _document(document: Document) -> dict[str, Any]:
    amount = money(Money(document.amount, document.currency))
    number, issued = document.shown_number, moment(document.issued_at)
    return {"id": document.public_id, "kind": str(document.kind), "number": number, "amount": amount, "issued_at": issued}


def refund_shown(refund: Any) -> dict[str, Any]:
    amount = money(Money(refund.amount, refund.currency))
    return {"id": refund.public_id, "state": str(refund.state), "amount": amount, "created_at": moment(refund.created_at)}


LISTED = ("id", "state", "name", "email", "created_at", "payment__amount", "payment__amount_refunded", "payment__currency")


def listed(row: tuple[Any, ...]) -> dict[str, Any]:
    """What ListedRegistrationOut shows of a row of LISTED columns."""
    key, state, name, email, created, due, refunded, currency = row
    return {
        "id": encode(Registration.public_prefix, key),
        "state": state,
        "name": name,
        "email": email,
        "created_at": moment(created),
        "due": {"amount": due, "currency": currency} if currency else None,
        "refunded": {"amount": refunded, "currency": currency} if currency else None,
    }
