"""Letting people in at the door: by their ticket or by name, with undo. Sent twice after a lost answer, a check-in is the same one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core.errors import DomainError, InvalidInput, NotFound
from core.public_ids import encode
from events import local_times
from events.models import Event, Session
from registrations import places, tickets, verdicts
from registrations.models import CheckIn, Registration

CLOCK_SKEW = timedelta(minutes=5)  # a desk's clock may be ahead by so much
LONGEST_KEY = 64


class AlreadyCheckedIn(DomainError):
    """check_in: the one that counts, for its undo."""

    code, http_status = "ALREADY_CHECKED_IN", 409

    def __init__(self, check_in: CheckIn, zone: str) -> None:
        self.check_in = check_in.public_id
        super().__init__(f"Checked in already, at {local_times.in_zone(check_in.at, zone):%H:%M}.")

    @property
    def details(self) -> dict[str, Any]:
        return {"check_in": self.check_in}


class TicketOfAnotherEvent(DomainError):
    code, http_status = "TICKET_OF_ANOTHER_EVENT", 409

    def __init__(self) -> None:
        super().__init__("This ticket is for another event.")


class CheckInUndone(DomainError):
    code, http_status = "CHECK_IN_UNDONE", 409

    def __init__(self) -> None:
        super().__init__("This check-in was undone already.")


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """repeated: it was made by an earlier request with the same key."""

    check_in: CheckIn
    repeated: bool = False


@transaction.atomic
def check_in(
    *,
    event_id: UUID,
    by: Actor,
    ticket: str = "",
    registration_id: UUID | None = None,
    session_id: UUID | None = None,
    at: datetime | None = None,
    request_key: str = "",
) -> CheckedIn:
    """The person is in the session, from `at` on, and their verdict says so.

    ticket: what their QR code says; registration_id: instead, who was found by name. session_id: left out, the one that is on at that
    moment, the next one, or the last. at: when the desk did it, where it was not connected then. request_key: the desk's own name of this
    check-in. Raises NotFound, PermissionRefused, InvalidInput, TicketUnknown, TicketOfAnotherEvent, PlaceCancelled, PlaceNotConfirmed,
    AlreadyCheckedIn.
    """
    event = Event.objects.visible_to(by).filter(pk=event_id).first()
    if event is None:
        raise NotFound("event")
    places.require_attendance(event, by)
    place = _place(event, ticket, registration_id, by)
    if len(request_key) > LONGEST_KEY:
        raise InvalidInput(f"Name the check-in with at most {LONGEST_KEY} characters.", field="request_key")
    known = place.check_ins.filter(request_key=request_key).first() if request_key else None
    if known is not None:
        return CheckedIn(known, repeated=True)
    places.require_confirmed(place)
    now = timezone.now()
    moment = now if at is None or at > now + CLOCK_SKEW else min(at, now)
    session = places.session_of(place, session_id) if session_id else _session_at(event, moment)
    active = place.check_ins.filter(session=session, undone_at=None).first()
    if active is not None:
        raise AlreadyCheckedIn(active, event.time_zone)
    method = CheckIn.Method.QR if ticket else CheckIn.Method.DESK
    made = add(place=place, session=session, method=method, at=moment, request_key=request_key, by=by)
    verdicts.refresh(registration=place, by=by)
    return CheckedIn(made)


def add(*, place: Registration, session: Session, method: str, at: datetime, by: Actor, request_key: str = "") -> CheckIn:
    """One check-in with its entry; the caller holds the place's lock, has looked that there is none, and works the verdict out."""
    made = CheckIn.objects.create(registration=place, session=session, method=method, at=at, by_user_id=by.user_id, request_key=request_key)
    after = {"session": session.public_id, "method": made.method, "at": at}
    record(place, "registration.checked_in", by=by, organization_id=place.event.organization_id, after=after)
    return made


def _place(event: Event, ticket: str, registration_id: UUID | None, by: Actor) -> Registration:
    """Whoever the ticket or the desk names, locked."""
    if bool(ticket) == bool(registration_id):
        raise InvalidInput("Give either a ticket or a registration.", field="ticket")
    key = registration_id or tickets.read(ticket)
    if ticket:
        of = Registration.objects.filter(pk=key).values_list("event_id", flat=True).first()
        if of is None:
            raise tickets.TicketUnknown
        if of != event.pk:  # whose it is instead is not the desk's business
            raise TicketOfAnotherEvent
    place = places.locked(key, by)
    if place.event_id != event.pk:
        raise NotFound("registration")
    return place


def _session_at(event: Event, at: datetime) -> Session:
    return session_at(list(event.sessions.filter(is_published=True, is_cancelled=False)), at)


def session_at(sessions: Sequence[Session], at: datetime) -> Session:
    """The session that is on, else the next one, else the last. Raises InvalidInput where there is none."""
    if not sessions:
        raise InvalidInput("The event has no session to check in to; add one first.", field="session")
    ahead = [one for one in sessions if one.ends_at > at]
    return min(ahead, key=lambda one: (one.starts_at, one.pk)) if ahead else max(sessions, key=lambda one: (one.ends_at, one.pk))


@transaction.atomic
def undo(*, check_in_id: UUID, by: Actor, event_id: UUID | None = None) -> CheckIn:
    """The check-in does not count any more; the person can be checked in again. event_id: where given, it must be of that event.

    Raises NotFound, PermissionRefused, CheckInUndone.
    """
    seen = CheckIn.objects.visible_to(by).filter(pk=check_in_id).select_related("registration").first()
    if seen is None or (event_id is not None and seen.registration.event_id != event_id):
        raise NotFound("check-in")
    place = places.locked(seen.registration_id, by)
    made: CheckIn = CheckIn.objects.select_related("session").get(pk=seen.pk)  # read again under the lock: another desk may have undone it
    if made.undone_at is not None:
        raise CheckInUndone
    take_back(made, place=place, by=by)
    verdicts.refresh(registration=place, by=by)
    return made


def take_back(made: CheckIn, *, place: Registration, by: Actor) -> None:
    """The caller holds the place's lock and works the verdict out."""
    made.undone_at, made.undone_by_id = timezone.now(), by.user_id
    made.save(update_fields=["undone_at", "undone_by", "updated_at"])
    before = {"session": encode(Session.public_prefix, made.session_id), "method": made.method, "at": made.at}
    record(place, "registration.check_in_undone", by=by, organization_id=place.event.organization_id, before=before)
