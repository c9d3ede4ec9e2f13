"""Who was there and what it earned: the door, the list, and one's own outcome."""

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from ninja.responses import Status
from pydantic import StringConstraints

from core import full_text
from core.errors import NotFound
from events.models import Event
from public_api import attendance_shapes as shapes
from public_api import registration_shapes
from public_api.attendance_shapes import AttendanceOut, CheckInOut, ListedAttendanceOut, PersonAtTheDoorOut
from public_api.auth import ANYONE, SIGNED_IN, actor
from public_api.envelope import ERRORS
from public_api.pagination import Page, keyset_page
from public_api.registrations import GuestKey
from public_api.shapes import Body, CheckInId, EventId, Moment, RegistrationId, SessionRef, Text
from public_api.throttling import DOOR, READ
from registrations import check_ins, explaining, places
from registrations.models import CheckIn, Registration, Verdict

router = Router()
FOUND_AT_MOST = 20


class CheckInIn(Body):
    """Either the text of the ticket's QR code, or the registration that was found by name.

    session: left out, the one that is on. at: when it was done, where the desk was not connected then. request_key: the desk's own name of
    the check-in; sent again with the same one, it is the same check-in.
    """

    ticket: Annotated[Text, StringConstraints(max_length=200)] = ""
    registration: RegistrationId | None = None
    session: SessionRef | None = None
    at: Moment | None = None
    request_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{0,64}$")] = ""


class PeopleAtTheDoorOut(Schema):
    """The first of those who are found, by name."""

    items: list[PersonAtTheDoorOut]


class Sought(Schema):
    """search: the beginnings of words of a name or an address, nobody where it is empty. session: whose check-ins are shown."""

    search: Annotated[Text, StringConstraints(max_length=100)] = ""
    session: SessionRef | None = None


class WhichAttendance(Page):
    eligible: bool | None = None


class AttendancePage(Schema):
    items: list[ListedAttendanceOut]
    next: str | None


@router.post(
    "/events/{event_id}/check-ins",
    response={200: CheckInOut, 201: CheckInOut, **ERRORS},
    operation_id="check_in",
    auth=SIGNED_IN,
    throttle=DOOR,
)
def check_in(request: HttpRequest, event_id: EventId, body: CheckInIn) -> Status[Any]:
    """Let somebody in. 200: an earlier request with the same key did so; a different person is never let in by it."""
    done = check_ins.check_in(
        event_id=event_id,
        ticket=body.ticket,
        registration_id=body.registration,
        session_id=body.session,
        at=body.at,
        request_key=body.request_key,
        by=actor(request),
    )
    return Status(200 if done.repeated else 201, shapes.check_in_shown(_with_names(done.check_in)))


@router.delete(
    "/events/{event_id}/check-ins/{check_in_id}",
    response={200: CheckInOut, **ERRORS},
    operation_id="undo_check_in",
    auth=SIGNED_IN,
    throttle=DOOR,
)
def undo_check_in(request: HttpRequest, event_id: EventId, check_in_id: CheckInId) -> dict[str, Any]:
    """The check-in does not count any more; the person can be checked in again."""
    made = check_ins.undo(check_in_id=check_in_id, event_id=event_id, by=actor(request))
    return shapes.check_in_shown(_with_names(made))


def _with_names(made: CheckIn) -> CheckIn:
    found: CheckIn = CheckIn.objects.select_related("registration", "session").get(pk=made.pk)
    return found


@router.get(
    "/events/{event_id}/check-ins",
    response={200: PeopleAtTheDoorOut, **ERRORS},
    operation_id="find_at_the_door",
    auth=SIGNED_IN,
    throttle=DOOR,
)
def find_at_the_door(request: HttpRequest, event_id: EventId, wanted: Query[Sought]) -> dict[str, Any]:
    """People of the event by name or address, with whether they are checked in."""
    event = _attended(request, event_id)
    rows = Registration.objects.visible_to(actor(request)).filter(event=event)
    found = full_text.matching(rows, wanted.search).exclude(state=Registration.State.CANCELLED)
    people = list(found.order_by("name", "pk")[:FOUND_AT_MOST])
    doors = CheckIn.objects.filter(registration__in=people, undone_at=None)
    if wanted.session is not None:
        doors = doors.filter(session=wanted.session)
    made = {row.registration_id: row for row in doors.order_by("at")}
    return {"items": [shapes.at_the_door(person, made.get(person.pk)) for person in people]}


def _attended(request: HttpRequest, event_id: Any) -> Event:
    """Raises NotFound, PermissionRefused."""
    event = Event.objects.visible_to(actor(request)).filter(pk=event_id).first()
    if event is None:
        raise NotFound("event")
    places.require_attendance(event, actor(request))
    return event


@router.get(
    "/events/{event_id}/attendance",
    response={200: AttendancePage, **ERRORS},
    operation_id="list_event_attendance",
    auth=SIGNED_IN,
    throttle=READ,
)
def list_event_attendance(request: HttpRequest, event_id: EventId, wanted: Query[WhichAttendance]) -> dict[str, Any]:
    """Who earned what at an event of one's organization, the latest places first; it fills once the event has begun."""
    by = actor(request)
    if not Event.objects.visible_to(by).filter(pk=event_id).exists():
        raise NotFound("event")
    rows = Verdict.objects.visible_to(by).filter(event_id=event_id).select_related("registration")
    if wanted.eligible is not None:
        rows = rows.filter(is_eligible=wanted.eligible)
    found, following = keyset_page(rows, wanted, listing=f"attendance:{event_id}")
    return {"items": [shapes.listed(row) for row in found], "next": following}


@router.get(
    "/registrations/{registration_id}/attendance",
    response={200: AttendanceOut, **ERRORS},
    operation_id="get_attendance",
    auth=ANYONE,
    throttle=READ,
)
def get_attendance(request: HttpRequest, registration_id: RegistrationId, key: GuestKey | None = None) -> dict[str, Any]:
    """What was recorded, what counts, and why or why not: a guest's by its key, one's own, or one of an organization that one works for."""
    by = registration_shapes.holder(request, registration_id, key)
    place = registration_shapes.visible(registration_id, by)
    return shapes.explained(place, explaining.explain(place, published_only=True))
