"""Mails about a place: who gets them and what they say. Enqueued as the last line of an operation."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from billing import refunds
from core import jobs
from core.money import Money
from events import local_times
from notifications import delivery
from notifications.models import Message
from registrations import guest_links
from registrations.models import Registration

ALREADY = "registration_already"
ONCE_IN = timedelta(hours=1)
_REASONS = {
    Registration.CancelReason.ATTENDEE: "you cancelled it",
    Registration.CancelReason.ORGANIZER: "the organizer cancelled it",
    Registration.CancelReason.REFUNDED: "it was refunded in full",
    Registration.CancelReason.EXPIRED: "it was not paid in time",
}


@jobs.task()
def send_registered(*, registration_id: UUID) -> None:
    """What the place is now: confirmed, to be paid, or to be confirmed. Written once for each of these."""
    registration = _found(registration_id)
    if registration.state == Registration.State.CONFIRMED and registration.confirmed_at:
        kind, moment = "registration_confirmed", registration.confirmed_at
    elif registration.state == Registration.State.PENDING:
        kind = "registration_pending_payment" if registration.payment_id else "registration_pending_confirmation"
        moment = registration.created_at
    else:
        return
    _send(registration, kind, dedupe_key=f"{kind}:{registration.pk}:{moment.timestamp()}")


@jobs.task()
def send_already_registered(*, registration_id: UUID) -> None:
    """To the address itself, at most once in an hour for each place, however often somebody types it."""
    registration = Registration.objects.select_for_update().get(pk=registration_id)  # two at once would both find nothing sent
    recent = Message.objects.filter(kind=ALREADY, related_id=registration.pk, created_at__gt=timezone.now() - ONCE_IN)
    if registration.state != Registration.State.CANCELLED and not recent.exists():
        _send(_found(registration_id), ALREADY, dedupe_key=None)


@jobs.task()
def send_payment_retry(*, registration_id: UUID) -> None:
    """That the place is held once more; nothing where it was paid or cancelled meanwhile. Once for each time it was held."""
    registration = _found(registration_id)
    if registration.state == Registration.State.PENDING and registration.hold_expires_at:
        _send(registration, "payment_retry", dedupe_key=f"payment_retry:{registration.pk}:{registration.hold_expires_at.timestamp()}")


@jobs.task()
def send_cancelled(*, registration_id: UUID) -> None:
    registration = _found(registration_id)
    if registration.state == Registration.State.CANCELLED and registration.cancelled_at:
        key = f"registration_cancelled:{registration.pk}:{registration.cancelled_at.timestamp()}"
        _send(registration, "registration_cancelled", dedupe_key=key)


def _found(registration_id: UUID) -> Registration:
    return Registration.objects.select_related("event__organization", "payment").get(pk=registration_id)


def _send(registration: Registration, kind: str, *, dedupe_key: str | None) -> None:
    context = _context(registration)
    delivery.queue(
        kind=kind,
        opens=context["link"] if "key=" in context["link"] else "",
        to=registration.email,
        context=context,
        related=registration,
        user_id=registration.user_id,
        organization_id=registration.event.organization_id,
        dedupe_key=dedupe_key,
    )


def _context(registration: Registration) -> dict[str, Any]:
    event, payment = registration.event, registration.payment
    is_pending = registration.state == Registration.State.PENDING
    awaits_address = is_pending and payment is None
    is_cancelled = registration.state == Registration.State.CANCELLED
    return {
        "name": registration.name,
        "event": event.title,
        "when": local_times.span(event.starts_at, event.ends_at, event.time_zone),
        "where": event.venue,
        "organization": event.organization.name,
        "online_url": event.online_url if registration.state == Registration.State.CONFIRMED else "",
        "held_until": _local(registration.hold_expires_at, event.time_zone),
        "amount": str(payment.due) if payment else "",
        "is_pending_confirmation": awaits_address,
        "is_pending_payment": is_pending and payment is not None,
        "reason": _REASONS.get(Registration.CancelReason(registration.cancel_reason), "") if is_cancelled else "",
        "refund_note": _refund_note(registration) if is_cancelled else "",
        "link": guest_links.confirm_url(registration) if awaits_address else guest_links.manage_url(registration),
    }


def _local(at: datetime | None, zone: str) -> str:
    return local_times.text(at, zone) if at else ""


def _refund_note(registration: Registration) -> str:
    payment = registration.payment
    if payment is None or not payment.is_captured:
        return ""
    left = refunds.refundable(payment)
    given = Money(payment.amount_captured - payment.amount_disputed - left.amount, payment.currency)
    return f"We refund {given}." if given.amount else "Under the refund terms that you accepted, nothing is given back."
