"""Why somebody cannot register: one error each."""

from datetime import datetime
from typing import Any

from audit.actor import Actor
from billing.quoting import Quote
from core.errors import DomainError, NotFound
from events import local_times
from events.models import Event
from registrations.attendees import Attendee


class EventFull(DomainError):
    code, http_status = "EVENT_FULL", 409

    def __init__(self) -> None:
        super().__init__("All places of this event are taken.")


class RegistrationClosed(DomainError):
    code, http_status = "REGISTRATION_CLOSED", 409

    def __init__(self, why: str) -> None:
        super().__init__(why)


class AlreadyRegistered(DomainError):
    code, http_status = "ALREADY_REGISTERED", 409

    def __init__(self, registration: str) -> None:
        self.registration = registration
        super().__init__("You are registered for this event already.")

    @property
    def details(self) -> dict[str, Any]:
        return {"registration": self.registration}


class GuestsNotAllowed(DomainError):
    code, http_status = "GUESTS_NOT_ALLOWED", 403

    def __init__(self) -> None:
        super().__init__("This event takes registrations from people with an account only; sign in, then register.")


class PriceChanged(DomainError):
    """quote: what the place costs now, for the buyer to accept."""

    code, http_status = "PRICE_CHANGED", 409

    def __init__(self, quote: Quote) -> None:
        self.quote = quote
        super().__init__(f"The price has changed to {quote.total}; look at it again and confirm.")

    @property
    def details(self) -> dict[str, Any]:
        lines = [
            {"kind": str(line.kind), "description": line.description, "amount": line.amount}
            for line in self.quote.lines
            if line.payer == "attendee"
        ]
        total = {"amount": self.quote.total.amount, "currency": self.quote.total.currency}
        return {"quote": {"total": total, "lines": lines, "tax_note": self.quote.tax_note}}


def require_open(event: Event | None, *, attendee: Attendee, at: datetime, by: Actor) -> Event:
    """The event, where this attendee may register now, seats aside. Raises NotFound, RegistrationClosed, GuestsNotAllowed."""
    if event is None:
        raise NotFound("event")
    if event.state == Event.State.DRAFT or not event.organization.is_active:
        if not Event.objects.visible_to(by).filter(pk=event.pk).exists():
            raise NotFound("event")
        raise RegistrationClosed("This event is not published.")
    if event.state == Event.State.COMPLETED or event.ends_at <= at:
        raise RegistrationClosed("This event is over.")
    if event.starts_at <= at:
        raise RegistrationClosed("This event has started; registration is closed.")
    if event.registration_opens_at and at < event.registration_opens_at:
        opens = local_times.text(event.registration_opens_at, event.time_zone)
        raise RegistrationClosed(f"Registration opens on {opens}.")
    if event.registration_closes_at and at >= event.registration_closes_at:
        raise RegistrationClosed("Registration for this event is closed.")
    if attendee.user_id is None and not event.guests_allowed:
        raise GuestsNotAllowed
    return event
