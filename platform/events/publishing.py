"""Publishing an event, and taking it back while nobody has a place. The checklist says everything that is missing at once."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import connect, quoting, refund_terms
from core.errors import DomainError
from core.money import Money, step
from entitlements import usage
from entitlements.models import Resource
from events import commitments, local_times, locking
from events.models import Event, Session
from organizations.permissions import Permission, require

SESSION_LENGTH = (timedelta(minutes=15), timedelta(minutes=480))


@dataclass(frozen=True, slots=True)
class Failure:
    """fix: one sentence that says what to do about it."""

    field: str
    fix: str


class ChecklistFailed(DomainError):
    code, http_status = "CHECKLIST_FAILED", 409

    def __init__(self, failures: list[Failure]) -> None:
        self.failures = failures
        super().__init__("The event cannot be published yet: " + " ".join(failure.fix for failure in failures))

    @property
    def details(self) -> dict[str, Any]:
        return {"failures": [asdict(failure) for failure in self.failures]}


class EventHasRegistrations(DomainError):
    code, http_status = "EVENT_HAS_REGISTRATIONS", 409

    def __init__(self, seats: int) -> None:
        self.seats = seats
        super().__init__(f"{seats} place{'s are' if seats != 1 else ' is'} taken; an event that people registered for stays published.")


class EventStarted(DomainError):
    code, http_status = "EVENT_STARTED", 409

    def __init__(self) -> None:
        super().__init__("The event has started; it can no longer be taken back to draft.")


@transaction.atomic
def publish(*, event_id: UUID, by: Actor) -> Event:
    """People can see the event and register.

    Raises NotFound, PermissionRefused, TransitionNotAllowed, usage.PlanInactive and usage.LimitReached where the organization's plan has
    no events or not so many places, ChecklistFailed (all failures).
    """
    event = locking.locked_in_open_organization(event_id, by)
    require(by, Permission.EVENT_MANAGE, event.organization_id, responsible_id=event.host_id)
    at = timezone.now()
    event.publish(at=at)
    usage.require_included(organization_id=event.organization_id, resource=Resource.EVENTS, at=at)
    usage.require_size(organization_id=event.organization_id, resource=Resource.ATTENDEES, size=event.capacity, at=at)
    require_checklist(event, at=at)
    event.save(update_fields=["state", "published_at", "updated_at"])
    record(event, "event.published", by=by, before={"state": Event.State.DRAFT}, after={"state": event.state})
    return event


@transaction.atomic
def unpublish(*, event_id: UUID, by: Actor) -> Event:
    """Back to draft, before the start and while nobody has a place.

    Raises NotFound, PermissionRefused, TransitionNotAllowed, EventStarted, EventHasRegistrations.
    """
    event = locking.locked(event_id, by)  # nobody registers between the count below and our commit
    require(by, Permission.EVENT_MANAGE, event.organization_id, responsible_id=event.host_id)
    if event.starts_at <= timezone.now():
        raise EventStarted
    seats = commitments.sold(event.pk).seats
    if seats:
        raise EventHasRegistrations(seats)
    event.unpublish()
    event.save(update_fields=["state", "published_at", "updated_at"])
    record(event, "event.unpublished", by=by, before={"state": Event.State.PUBLISHED}, after={"state": event.state})
    return event


def require_checklist(event: Event, *, at: datetime, starts_later: bool = True) -> None:
    """Raise ChecklistFailed with every failure. starts_later: whether the start must lie in the future (not for edits of a live event)."""
    failures = checklist(event, list(event.sessions.order_by("starts_at")), at=at if starts_later else None)
    if failures:
        raise ChecklistFailed(failures)


def checklist(event: Event, sessions: list[Session], *, at: datetime | None) -> list[Failure]:
    """Everything that keeps the event from being published, each with its fix; empty where nothing does. at: None leaves the start out."""
    return [*_times(event, at), *_sessions(event, sessions), *_place(event), *_credits(event), *_price(event)]


def _times(event: Event, at: datetime | None) -> Iterator[Failure]:
    if at is not None and event.starts_at <= at:
        yield Failure("starts_at", "Choose a start in the future.")
    if not local_times.is_zone(event.time_zone):
        yield Failure("time_zone", "Choose a time zone by its IANA name, such as Europe/Berlin.")
    if event.registration_opens_at and event.registration_opens_at >= event.ends_at:
        yield Failure("registration_opens_at", "Open registration before the event ends.")
    if event.capacity < 1:
        yield Failure("capacity", "Give at least one place.")


def _sessions(event: Event, sessions: list[Session]) -> Iterator[Failure]:
    shortest, longest = SESSION_LENGTH
    if not sessions:
        yield Failure("sessions", "Add at least one session.")
    for session in sessions:
        if session.starts_at < event.starts_at or session.ends_at > event.ends_at:
            yield Failure("sessions", f"Move the session “{session.title}” inside the event's times.")
        if not shortest <= session.ends_at - session.starts_at <= longest:
            yield Failure("sessions", f"Make the session “{session.title}” last from 15 to 480 minutes.")


def _place(event: Event) -> Iterator[Failure]:
    if event.format != Event.Format.IN_PERSON and not event.online_url:
        yield Failure("online_url", "Give the link where people join online.")
    if event.format != Event.Format.ONLINE and not event.venue:
        yield Failure("venue", "Give the venue.")
    if event.format != Event.Format.ONLINE and not event.country:
        yield Failure("country", "Give the country of the venue.")


def _credits(event: Event) -> Iterator[Failure]:
    if event.credits and not event.credit_type:
        yield Failure("credit_type", "Say what type the credits are of.")
    if event.credit_type and not event.credits:
        yield Failure("credits", "Say how many credits the event gives.")


def _price(event: Event) -> Iterator[Failure]:
    if not refund_terms.valid(event.terms):
        yield Failure("refund_terms", "Give the refund terms as tiers of hours before the start and percent, later tiers giving less.")
    if not event.is_paid:
        return
    if event.currency not in settings.SETTLEMENT_CURRENCIES:
        yield Failure("currency", f"Choose one of the currencies that are paid out: {', '.join(sorted(settings.SETTLEMENT_CURRENCIES))}.")
    elif event.price_amount % step(event.currency):
        yield Failure("price_amount", f"Prices in {event.currency} go in steps of {Money(step(event.currency), event.currency)}.")
    elif event.price < quoting.minimum_charge(event.currency):
        yield Failure("price_amount", f"Ask at least {quoting.minimum_charge(event.currency)}, or nothing: cards cannot be charged less.")
    if event.currency in settings.SETTLEMENT_CURRENCIES and not connect.usable_in(event.organization_id, event.currency):
        yield Failure("organization", f"Finish the organization's payout set-up in {event.currency}; paid events need it.")
