"""The sittings of an event. A published event keeps passing its checklist.

What a session counts for once its event has begun is registrations.completion_rules' matter: it says first who gains and who loses.
"""

from datetime import datetime
from typing import TypedDict, Unpack
from uuid import UUID

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core.errors import DomainError, InvalidInput, NotFound
from events import local_times, locking, publishing, text_checks
from events.authoring import EventLocked
from events.models import Event, Session
from organizations.permissions import Permission, require


class SessionAttended(DomainError):
    code, http_status = "SESSION_ATTENDED", 409

    def __init__(self) -> None:
        super().__init__("Attendance is recorded for this session; cancel it instead of removing it, then it no longer counts.")


class SessionChanges(TypedDict, total=False):
    title: str
    starts_at: datetime
    ends_at: datetime
    is_mandatory: bool


@transaction.atomic
def add(*, event_id: UUID, title: str, starts_at: datetime, ends_at: datetime, by: Actor, is_mandatory: bool = True) -> Session:
    """The session stands at its place in time. Raises NotFound, PermissionRefused, InvalidInput, EventLocked, ChecklistFailed."""
    event = _editable(event_id, by)
    session = Session(event=event, position=event.sessions.count(), title="", starts_at=starts_at, ends_at=ends_at)
    _set(session, {"title": title, "starts_at": starts_at, "ends_at": ends_at, "is_mandatory": is_mandatory})
    session.save(force_insert=True)
    _inside(event, session)
    _still_publishable(event)
    after = {"event": event.public_id, "title": session.title, "starts_at": session.starts_at, "ends_at": session.ends_at}
    record(session, "session.added", by=by, organization_id=event.organization_id, after=after)
    return session


@transaction.atomic
def edit(*, session_id: UUID, by: Actor, **changes: Unpack[SessionChanges]) -> Session:
    """Raises NotFound, PermissionRefused, InvalidInput, EventLocked, ChecklistFailed."""
    event, session = _found(session_id, by)
    before = _set(session, changes)
    if "is_mandatory" in before and event.starts_at <= timezone.now():
        raise EventLocked(["is_mandatory"], "The event has begun; use “What it counts for”, which says first who gains and loses.")
    if before:
        if before.keys() & {"starts_at", "ends_at"}:
            _inside(event, session)
        session.save(update_fields=[*before, "updated_at"])
        _still_publishable(event)
        after = {name: getattr(session, name) for name in before}
        record(session, "session.edited", by=by, organization_id=event.organization_id, before=before, after=after)
    return session


@transaction.atomic
def remove(*, session_id: UUID, by: Actor) -> None:
    """Raises NotFound, PermissionRefused, EventLocked, SessionAttended, ChecklistFailed (a published event keeps at least one session)."""
    event, session = _found(session_id, by)
    before = {"event": event.public_id, "title": session.title, "starts_at": session.starts_at, "ends_at": session.ends_at}
    record(session, "session.removed", by=by, organization_id=event.organization_id, before=before)
    try:
        session.delete()
    except ProtectedError:
        raise SessionAttended from None
    _still_publishable(event)


def _found(session_id: UUID, by: Actor) -> tuple[Event, Session]:
    session = Session.objects.visible_to(by).filter(pk=session_id).first()
    if session is None:
        raise NotFound("session")
    event = _editable(session.event_id, by)
    current = event.sessions.filter(pk=session_id).first()  # read again under the event's lock: it may just have been removed
    if current is None:
        raise NotFound("session")
    return event, current


def _editable(event_id: UUID, by: Actor) -> Event:
    event = locking.locked(event_id, by)
    require(by, Permission.EVENT_MANAGE, event.organization_id, responsible_id=event.host_id)
    if event.state == Event.State.COMPLETED:
        raise EventLocked(["sessions"], "The event is over; its sessions can no longer be changed.")
    return event


def _set(session: Session, changes: SessionChanges) -> dict[str, object]:
    """Put the values in and return those before, of the fields that changed."""
    if "title" in changes:
        changes = {**changes, "title": text_checks.line(changes["title"], field="title", limit=200)}
    before = {name: getattr(session, name) for name, value in changes.items() if getattr(session, name) != value}
    for name, value in changes.items():
        if name.endswith("_at") and (not isinstance(value, datetime) or value.tzinfo is None):
            raise InvalidInput("Give the session's times as dates and times with their offset.", field=name)
        setattr(session, name, value)
    if session.ends_at <= session.starts_at:
        raise InvalidInput("The session must end after it starts.", field="ends_at")
    return before


def _inside(event: Event, session: Session) -> None:
    for name, outside in (("starts_at", session.starts_at < event.starts_at), ("ends_at", session.ends_at > event.ends_at)):
        if outside:
            span = local_times.span(event.starts_at, event.ends_at, event.time_zone)
            raise InvalidInput(f"Keep the session inside the event's times: {span}.", field=name)


def _still_publishable(event: Event) -> None:
    if event.state != Event.State.DRAFT:
        publishing.require_checklist(event, at=timezone.now(), starts_later=False)
