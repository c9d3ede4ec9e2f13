"""Promo codes for places: which one this attendee may use, and what becomes of its use with the place."""

from datetime import datetime

from django.db.models import Q

from audit.actor import Actor
from events.models import Event
from promo_codes import redeeming
from promo_codes.models import PromoCode
from promo_codes.redeeming import Bought, Buyer
from registrations.attendees import Attendee
from registrations.models import Registration


def usable(*, text: str, event: Event, attendee: Attendee, at: datetime, lock: bool = False) -> PromoCode | None:
    """The code that was typed, None where nothing was. lock: with its row locked, after the event's; held until the commit.

    Raises what is in promo_codes.refusals.
    """
    if not text.strip():
        return None
    bought = Bought("", event.public_id, event.price)
    buyer = _buyer(attendee, event)
    return redeeming.usable(text=text, organization_id=event.organization_id, buyer=buyer, bought=bought, at=at, lock=lock)


def _buyer(attendee: Attendee, event: Event) -> Buyer:
    return Buyer(attendee.email, attendee.user_id, attendee.is_verified, lambda: _is_new(attendee, event))


def _is_new(attendee: Attendee, event: Event) -> bool:
    """Whether they never had a place with this organizer, and hold none now."""
    had = Q(confirmed_at__isnull=False) | ~Q(state=Registration.State.CANCELLED)
    theirs = Registration.objects.under(attendee.email, or_of=attendee.user_id)
    return not theirs.filter(had, event__organization_id=event.organization_id).exists()


def reserve(*, code: PromoCode, registration: Registration, attendee: Attendee, at: datetime, by: Actor) -> None:
    """Take one use of the locked code for the new place, which is saved by the caller."""
    event = registration.event
    bought = Bought(registration.public_id, event.public_id, event.price)
    registration.redemption = redeeming.reserve(code=code, buyer=_buyer(attendee, event), bought=bought, by=by)
    if registration.state == Registration.State.CONFIRMED:
        consume(registration, at=at, by=by)


def consume(registration: Registration, *, at: datetime, by: Actor) -> None:
    if registration.redemption_id is not None:
        redeeming.consume(redemption_id=registration.redemption_id, at=at, by=by)


def release(registration: Registration, *, at: datetime, by: Actor) -> None:
    if registration.redemption_id is not None:
        redeeming.release(redemption_id=registration.redemption_id, at=at, by=by)


def can_restore(registration: Registration) -> bool:
    """Whether a place that was let go can come back at its discounted price: its code has a use left for this person."""
    return registration.redemption_id is None or redeeming.can_restore(redemption_id=registration.redemption_id)


def restore(registration: Registration, *, at: datetime, by: Actor) -> None:
    if registration.redemption_id is not None:
        redeeming.restore(redemption_id=registration.redemption_id, at=at, by=by)
