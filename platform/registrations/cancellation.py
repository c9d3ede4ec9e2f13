"""Giving a place up, and refunding it. Payment and place are two machines: what touches both says so in its name.

Order of locks: payment, event, registration, promo code. While the payment is locked nobody else moves the place that it paid for.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import checkout, refunds
from billing.models import Payment, Refund
from core import jobs
from core.errors import DomainError, NotFound
from core.money import Money
from events.models import Event
from organizations.permissions import Permission, require
from registrations import discounting, emails, verdicts
from registrations.models import Registration

BY_TERMS = Actor.system("registrations.cancellation")
KEPT_BY_TERMS = "registration.nothing_refunded_by_terms"


class AlreadyCancelled(DomainError):
    code, http_status = "ALREADY_CANCELLED", 409

    def __init__(self) -> None:
        super().__init__("This registration is cancelled already.")


class CancellationClosed(DomainError):
    code, http_status = "CANCELLATION_CLOSED", 409

    def __init__(self) -> None:
        super().__init__("The event has started; ask the organizer to cancel your place.")


class NothingPaid(DomainError):
    code, http_status = "NOTHING_PAID", 409

    def __init__(self) -> None:
        super().__init__("Nothing was paid for this registration, so there is nothing to refund.")


@transaction.atomic
def cancel(*, registration_id: UUID, by: Actor) -> Registration:
    """The place is given up: by its attendee, its guest, or the organizer.

    A paid place is cancelled and refunded (`cancel_and_refund`). One that waits for its payment is let go only once Stripe says that it
    was not paid: until then it stays pending, and asking again changes nothing; money that arrives all the same goes back in full.
    Raises NotFound, PermissionRefused, AlreadyCancelled, CancellationClosed, and what refunds.request raises.
    """
    registration, at = _locked(registration_id, by), timezone.now()
    reason = _whose_wish(registration, at=at, by=by)
    payment = registration.payment
    if payment is None:
        apply(registration=registration, reason=reason, at=at, by=by)
    elif payment.is_captured:
        cancel_and_refund(registration=registration, payment=payment, reason=reason, at=at, by=by)
    elif not registration.cancel_reason:
        registration.cancel_reason = reason
        registration.save(update_fields=["cancel_reason", "updated_at"])
        organization_id = registration.event.organization_id
        record(registration, "registration.cancellation_requested", by=by, organization_id=organization_id, after={"reason": reason})
        checkout.request_end(payment_id=payment.pk, cancelled=True)
    return registration


def cancel_and_refund(*, registration: Registration, payment: Payment, reason: str, at: datetime, by: Actor) -> Refund | None:
    """Give a paid place up and, in the same transaction, request what goes back. The caller holds all three locks.

    The attendee gets what the frozen terms give; where that is nothing the audit log says so by name. Where the organizer takes the place
    away, all that is left goes back, and it takes their permission to refund.
    """
    offer = refunds.offer(payment, at=at)
    by_attendee = reason == Registration.CancelReason.ATTENDEE
    back = offer.by_terms if by_attendee else offer.refundable
    apply(registration=registration, reason=reason, at=at, by=by)
    if back.amount == 0 or payment.amount_disputed:
        why = f"{offer.percent} % by the terms at this moment" if not payment.amount_disputed else "disputed at the bank"
        organization_id = registration.event.organization_id
        record(registration, KEPT_BY_TERMS, by=by, organization_id=organization_id, after={"payment": payment.public_id}, reason=why)
        return None
    return refunds.request(
        payment_id=payment.pk,
        amount=back.amount,
        reason=Refund.Reason.REQUESTED_BY_CUSTOMER if by_attendee else Refund.Reason.OTHER,
        note="Cancelled by the attendee" if by_attendee else "Cancelled by the organizer",
        source=Refund.Source.AUTOMATIC if by_attendee else Refund.Source.CONSOLE,
        request_token=f"cancel:{registration.pk}:{at.timestamp()}",
        by=BY_TERMS if by_attendee else by,
    )


def given_back(*, registration: Registration, at: datetime, by: Actor) -> Money | None:
    """What cancelling now would refund, for the question before it; None where nothing was paid."""
    payment = registration.payment
    if payment is None or not payment.is_captured:
        return None
    offer = refunds.offer(payment, at=at)
    return offer.by_terms if _is_own(registration, by) else offer.refundable


@transaction.atomic
def refund(
    *,
    registration_id: UUID,
    amount: int | None,
    reason: str,
    by: Actor,
    request_token: str | None = None,
    currency: str | None = None,
    note: str = "",
) -> Refund:
    """Refund the payment of a place; a refund in full gives the place back once the money has gone.

    amount: minor units; None takes what the frozen terms give. request_token: the same one gives the same refund.
    Raises NotFound, PermissionRefused, StepUpRequired, NothingPaid, and what refunds.request raises.
    """
    registration = Registration.objects.visible_to(by).filter(pk=registration_id).select_related("event").first()
    if registration is None:
        raise NotFound("registration")
    event = registration.event
    require(by, Permission.PAYMENT_REFUND, event.organization_id, responsible_id=event.host_id)
    if registration.payment_id is None:
        raise NothingPaid
    return refunds.request(
        payment_id=registration.payment_id,
        amount=amount,
        currency=currency,
        reason=reason,
        note=note,
        source=Refund.Source.API,
        releases_place=True,
        request_token=request_token,
        by=by,
    )


@transaction.atomic
def expire(*, registration_id: UUID, at: datetime, by: Actor) -> None:
    """Let a place go whose address nobody confirmed in time. No-op where it is not held, not overdue, or waits for a payment."""
    registration = _locked(registration_id, by)
    is_held = registration.state == Registration.State.PENDING and registration.payment_id is None
    if is_held and registration.hold_expires_at and registration.hold_expires_at < at:
        apply(registration=registration, reason=Registration.CancelReason.EXPIRED, at=at, by=by)


def apply(*, registration: Registration, reason: str, at: datetime, by: Actor) -> None:
    """The place is free again; the caller holds the locks. An address that nobody confirmed gets no mail."""
    before = registration.state
    registration.cancel(at=at, reason=reason)
    registration.save(update_fields=["state", "cancelled_at", "cancel_reason", "hold_expires_at", "updated_at"])
    discounting.release(registration, at=at, by=by)
    verdicts.forget(registration_id=registration.pk)
    after = {"state": registration.state, "reason": reason}
    organization_id = registration.event.organization_id
    record(registration, "registration.cancelled", by=by, organization_id=organization_id, before={"state": before}, after=after)
    if reason != Registration.CancelReason.EXPIRED or registration.payment_id:
        jobs.enqueue(emails.send_cancelled, registration_id=registration.pk)


def lock_place(registration: Registration) -> Registration:
    """The event's row, then the registration's, read again; the payment's is locked by the caller where there is one.

    The event first: the counter of its seats is a row that registering locks too, and two orders would wait for each other.
    """
    event = Event.objects.select_for_update(no_key=True).get(pk=registration.event_id)
    locked = Registration.objects.select_for_update().get(pk=registration.pk)
    locked.event = event
    return locked


def _locked(registration_id: UUID, by: Actor) -> Registration:
    registration = Registration.objects.visible_to(by).filter(pk=registration_id).first()
    if registration is None:
        raise NotFound("registration")
    payment = None
    if registration.payment_id:
        payment = Payment.objects.select_for_update(of=["self"]).select_related("organization").get(pk=registration.payment_id)
    locked = lock_place(registration)
    locked.payment = payment
    return locked


def _is_own(registration: Registration, by: Actor) -> bool:
    """Their own place, as the guest who holds its link or signed in; in a console one acts for the organization instead."""
    is_theirs = by.user_id is not None and registration.user_id == by.user_id and by.organization_id is None
    return by.guest_of == registration.pk or is_theirs


def _whose_wish(registration: Registration, *, at: datetime, by: Actor) -> str:
    event, own = registration.event, _is_own(registration, by)
    if not own:
        require(by, Permission.REGISTRATION_MANAGE, event.organization_id, responsible_id=event.host_id)
    if registration.state == Registration.State.CANCELLED:
        raise AlreadyCancelled
    if own and event.starts_at <= at:
        raise CancellationClosed
    return Registration.CancelReason.ATTENDEE if own else Registration.CancelReason.ORGANIZER
