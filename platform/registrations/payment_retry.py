"""A second chance to pay: a place held anew for somebody whose payment failed or ran out of time, and a mail with the link to pay it."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import payments
from billing.models import Payment, PaymentLine
from core import jobs
from core.errors import DomainError, NotFound
from organizations.permissions import Permission, require
from registrations import admission, cancellation, emails, registering
from registrations.attendees import Attendee
from registrations.models import Registration

RETRYABLE = (Payment.State.FAILED, Payment.State.EXPIRED)


class NothingToRetry(DomainError):
    code, http_status = "NOTHING_TO_RETRY", 409

    def __init__(self, why: str) -> None:
        super().__init__(why)


@transaction.atomic
def send_link(*, payment_id: UUID, by: Actor) -> Registration:
    """The place is held for a day (never beyond the event's beginning), and its attendee is written to with a link to pay it.

    A failed payment keeps its place; one that expired gets a new place at today's price, if one is free.
    Raises NotFound, PermissionRefused, NothingToRetry, admission.RegistrationClosed, admission.EventFull, admission.AlreadyRegistered.
    """
    payment = payments.locked(payment_id, by)  # the root first: a bank's late answer queues here
    if payment is None:
        raise NotFound("payment")
    require(by, Permission.PAYMENT_RETRY, payment.organization_id, responsible_id=payment.responsible_id)
    found = Registration.objects.select_related("event", "redemption__code").filter(payment=payment).first()
    if payment.state not in RETRYABLE or found is None:
        raise NothingToRetry("Only a failed or expired payment of a registration can be paid again.")
    at = timezone.now()
    until = min(at + timedelta(hours=settings.PAYMENT_RETRY_HOURS), found.event.starts_at)
    held = _kept(found, until, at, by) if payment.state == Payment.State.FAILED else _anew(payment, found, until, at, by)
    after = {"registration": held.public_id, "held_until": until, "payment": held.payment.public_id if held.payment else ""}
    record(payment, "payment.retry_link_sent", by=by, after=after)
    jobs.enqueue(emails.send_payment_retry, registration_id=held.pk)
    return held


def _kept(found: Registration, until: datetime, at: datetime, by: Actor) -> Registration:
    """The same place, held longer."""
    registration = cancellation.lock_place(found)
    if registration.state != Registration.State.PENDING or registration.cancel_reason:
        raise NothingToRetry("This place is cancelled; the attendee has to register again.")
    admission.require_open(registration.event, attendee=_attendee(registration), at=at, by=by)
    registration.hold_expires_at = max(until, registration.hold_expires_at or until)
    registration.save(update_fields=["hold_expires_at", "updated_at"])
    return registration


def _anew(payment: Payment, found: Registration, until: datetime, at: datetime, by: Actor) -> Registration:
    """A new place with a new payment: an expired one takes late money only, and prices may have changed."""
    code = found.redemption.code.code if found.redemption else ""
    tax = payment.lines.filter(kind=PaymentLine.Kind.TAX).values_list("jurisdiction", flat=True).first()
    place = registering.hold_again(
        event_id=found.event_id, attendee=_attendee(found), country=tax or "", promo_code=code, until=until, at=at, by=by
    )
    if place.payment is None:
        raise NothingToRetry("This event costs nothing any more; the attendee can simply register.")
    return place


def _attendee(found: Registration) -> Attendee:
    return Attendee(found.email, found.name, found.user_id, is_verified=found.user_id is not None)
