"""Taking a place: confirmed at once, held until the address is confirmed, or held until it is paid."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import payments
from billing.models import Payment
from billing.quoting import Quote
from core import jobs
from core.errors import DomainError, NotFound
from core.public_ids import uuid7
from events.models import Event
from promo_codes.models import PromoCode
from promo_codes.refusals import PromoCodeRefused
from registrations import admission, attendees, discounting, emails, guest_links, joining, quoting
from registrations.attendees import Attendee
from registrations.models import Registration

PURPOSE = "registration"


class HoldExpired(DomainError):
    code, http_status = "HOLD_EXPIRED", 409

    def __init__(self) -> None:
        super().__init__("This place was let go because it was not confirmed in time; register again.")


@dataclass(frozen=True, slots=True)
class Registered:
    """What the one who registered is told.

    registration: unsaved where a guest's address has a place already; the answer has the same shape, only the mail to the address says
    so. guest_key: for guests, the key of their signed link. payment_id: what to open Checkout for, None where there is nothing to pay.
    """

    registration: Registration
    quote: Quote
    guest_key: str | None
    payment_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Typed:
    """What the buyer gave besides who they are; as `register` takes it."""

    country: str
    promo_code: str
    expected_total: int | None


def register(
    *,
    event_id: UUID,
    by: Actor,
    email: str = "",
    name: str = "",
    country: str = "",
    promo_code: str = "",
    expected_total: int | None = None,
) -> Registered:
    """Take a place for the signed-in person, or for a guest; the surface opens Checkout after the commit where there is a payment.

    expected_total: minor units the buyer has seen; another total is refused. country: the buyer's, two letters.
    promo_code: as it was typed; one use of it is reserved with the place.
    Raises NotFound, InvalidInput, RegistrationClosed, GuestsNotAllowed, EventFull, AlreadyRegistered, PriceChanged,
    billing.quoting.TotalBelowMinimum, promo_codes.refusals.PromoCodeRefused.
    """
    at = timezone.now()
    attendee = attendees.of(by, email=email, name=name)
    seen = Event.objects.select_related("organization").filter(pk=event_id).first()
    event = admission.require_open(seen, attendee=attendee, at=at, by=by)
    if event.seats_left < 1:  # a look before the queue for the lock: whoever comes too late costs next to nothing
        _refuse_registered(_existing(event, attendee), attendee)
        raise admission.EventFull
    code = discounting.usable(text=promo_code, event=event, attendee=attendee, at=at)
    quote = quoting.quote(event=event, country=country, at=at, code=code)
    typed = _Typed(country, promo_code, expected_total)
    with _transaction():
        return _take_place(event, attendee, typed, quote=quote, at=at, by=by)


def _transaction() -> AbstractContextManager[None]:
    """Our own, or the caller's: every refusal comes before the first write, so a savepoint would cost two statements and save nothing."""
    return nullcontext() if connection.in_atomic_block else transaction.atomic()


def _take_place(seen: Event, attendee: Attendee, typed: _Typed, *, quote: Quote, at: datetime, by: Actor) -> Registered:
    # Everyone who wants a place of this event queues here: two who both read one free seat would both take it.
    locked = Event.objects.select_for_update(no_key=True).filter(pk=seen.pk).first()
    if locked is not None:
        locked.organization = seen.organization  # read a moment ago: its row decides nothing here, and joining it costs every winner
    event = admission.require_open(locked, attendee=attendee, at=at, by=by)
    existing = _existing(event, attendee)
    _refuse_registered(existing, attendee)
    if event.seats_left < 1:
        raise admission.EventFull
    code = discounting.usable(text=typed.promo_code, event=event, attendee=attendee, at=at, lock=True)
    if code is not None or quoting.basis(event) != quoting.basis(seen):
        quote = quoting.quote(event=event, country=typed.country, at=at, code=code)
    if typed.expected_total not in (None, quote.total.amount):
        raise admission.PriceChanged(quote)
    if existing is not None:
        jobs.enqueue(emails.send_already_registered, registration_id=existing.pk)
        return _decoy(event, attendee, quote, at)
    registration = _new(event, attendee, quote, at)
    _sell(registration, attendee, code, quote, at=at, by=by)
    after = {"event": event.public_id, "state": registration.state, "total": str(quote.total)}
    record(registration, "registration.created", by=by, organization_id=event.organization_id, after=after)
    jobs.enqueue(emails.send_registered, registration_id=registration.pk)
    return Registered(registration, quote, _guest_key(registration), registration.payment_id)


def _sell(registration: Registration, attendee: Attendee, code: PromoCode | None, quote: Quote, *, at: datetime, by: Actor) -> None:
    """Store the place with its payment and the use of its code."""
    if code is not None:
        discounting.reserve(code=code, registration=registration, attendee=attendee, at=at, by=by)
    if not quote.is_free:
        registration.payment = _payment(registration, quote)
    registration.save(force_insert=True)


def hold_again(
    *, event_id: UUID, attendee: Attendee, country: str, promo_code: str = "", until: datetime, at: datetime, by: Actor
) -> Registration:
    """A place held until then for somebody who has none any more, with a payment at today's price; in the caller's transaction, which tells
    them of it. Without a payment, and not stored, where the event costs nothing.

    promo_code: the one that they had; where they may not use it any more, the place is at its list price.

    Raises RegistrationClosed, GuestsNotAllowed, EventFull, AlreadyRegistered.
    """
    locked = Event.objects.select_for_update(no_key=True, of=["self"]).select_related("organization").filter(pk=event_id).first()
    event = admission.require_open(locked, attendee=attendee, at=at, by=by)
    existing = _existing(event, attendee)
    if existing is not None:
        raise admission.AlreadyRegistered(existing.public_id)
    if event.seats_left < 1:
        raise admission.EventFull
    code = _still_usable(promo_code, event, attendee, at)
    quote = quoting.quote(event=event, country=country, at=at, code=code)
    registration = _new(event, attendee, quote, at)
    if quote.is_free:
        return registration
    registration.hold_expires_at = until
    _sell(registration, attendee, code, quote, at=at, by=by)
    after = {"event": event.public_id, "state": registration.state, "total": str(quote.total)}
    record(registration, "registration.held_again", by=by, organization_id=event.organization_id, after=after)
    return registration


def _still_usable(text: str, event: Event, attendee: Attendee, at: datetime) -> PromoCode | None:
    try:
        return discounting.usable(text=text, event=event, attendee=attendee, at=at, lock=True)
    except PromoCodeRefused:
        return None


def _existing(event: Event, attendee: Attendee) -> Registration | None:
    return Registration.objects.active().under(attendee.email, or_of=attendee.user_id).filter(event=event).first()


def _refuse_registered(existing: Registration | None, attendee: Attendee) -> None:
    if existing is not None and attendee.owns(existing):
        raise admission.AlreadyRegistered(existing.public_id)


def _new(event: Event, attendee: Attendee, quote: Quote, at: datetime) -> Registration:
    key = uuid7()
    is_confirmed = quote.is_free and attendee.is_verified
    minutes = settings.CHECKOUT_SESSION_MINUTES + settings.PAYMENT_HOLD_GRACE_MINUTES
    hold = timedelta(hours=settings.GUEST_HOLD_HOURS) if quote.is_free else timedelta(minutes=minutes)
    return Registration(
        pk=key,
        event=event,
        user_id=attendee.user_id,
        email=attendee.email,
        name=attendee.name,
        state=Registration.State.CONFIRMED if is_confirmed else Registration.State.PENDING,
        confirmed_at=at if is_confirmed else None,
        hold_expires_at=None if is_confirmed else at + hold,
        guest_key_hash="" if attendee.user_id else guest_links.stored_hash(guest_links.manage_key(key)),
    )


def _guest_key(registration: Registration) -> str | None:
    return guest_links.manage_key(registration.pk) if registration.guest_key_hash else None


def _decoy(event: Event, attendee: Attendee, quote: Quote, at: datetime) -> Registered:
    """The answer to an address that has a place already: the same shape under fresh ids, and no row behind it."""
    registration = _new(event, attendee, quote, at)
    registration.created_at = registration.updated_at = at
    return Registered(registration, quote, _guest_key(registration), None)


def _payment(registration: Registration, quote: Quote) -> Payment:
    event = registration.event
    sale = payments.Sale(
        purpose=PURPOSE,
        subject=registration.public_id,
        group=event.public_id,
        description=event.title,
        responsible_id=event.host_id,
        refund_terms=event.terms,
        service_starts_at=event.starts_at,
        release_at=event.ends_at + timedelta(days=event.organization.payout_hold_days),
    )
    return payments.create(
        quote=quote,
        organization=event.organization,
        sale=sale,
        email=registration.email,
        name=registration.name,
        user_id=registration.user_id,
    )


@transaction.atomic
def confirm_address(*, registration_id: UUID, key: str) -> Registration:
    """A guest followed the link in the mail: the place is theirs. Following it again changes nothing.

    Raises NotFound for an unknown id as for a wrong key, HoldExpired.
    """
    registration = Registration.objects.select_for_update(of=["self"]).select_related("event").filter(pk=registration_id).first()
    if registration is None or not guest_links.confirms(registration_id, key):
        raise NotFound("registration")
    if registration.state == Registration.State.CANCELLED:
        raise HoldExpired
    if registration.state == Registration.State.PENDING and registration.payment_id is None:
        confirm(registration=registration, at=timezone.now(), by=Actor.guest(registration_id))
    return registration


def confirm(*, registration: Registration, at: datetime, by: Actor) -> None:
    """The held place is theirs. The caller holds the registration's lock (and the payment's, where there is one)."""
    registration.confirm(at=at)
    discounting.consume(registration, at=at, by=by)
    _own(registration, "registration.confirmed", by)


def reinstate(*, registration: Registration, at: datetime, by: Actor) -> None:
    """Late money takes a seat that is still free, at the price that was agreed on. The caller holds the payment's, the event's and the
    registration's locks, and has asked `discounting.can_restore`."""
    registration.reinstate(at=at)
    discounting.restore(registration, at=at, by=by)
    _own(registration, "registration.reinstated", by)


def _own(registration: Registration, action: str, by: Actor) -> None:
    joining.join_owner(registration)
    fields = ["state", "confirmed_at", "cancelled_at", "cancel_reason", "hold_expires_at", "user", "updated_at"]
    registration.save(update_fields=fields)
    record(registration, action, by=by, organization_id=registration.event.organization_id, after={"state": registration.state})
    jobs.enqueue(emails.send_registered, registration_id=registration.pk)
