"""Events that have begun, who was there, and what it earned."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from events.models import Event, Session
from registrations import attendance_files, verdicts
from registrations.models import AttendanceInterval, AttendanceLine, Registration, Verdict
from tests.factories.events import EventFactory, SessionFactory
from tests.factories.people import Personas

TESTS = Actor.system("tests")


def event_under_way(people: Personas, sessions: int = 1, **values: Any) -> Event:
    """Of Alice's organization, begun half an hour ago: each session an hour, one after the other; the first is on."""
    starts = (timezone.now() - timedelta(minutes=30)).replace(second=0, microsecond=0)
    times = {"starts_at": starts, "ends_at": starts + timedelta(hours=max(sessions, 2))}
    event: Event = EventFactory(**{"organization": people.organization, "host": people.alice, "session": False, **times, **values})
    for number in range(sessions):
        SessionFactory(event=event, title=f"Part {number + 1}", starts_at=starts + timedelta(hours=number))
    return event


def parts(event: Event) -> list[Session]:
    return list(event.sessions.order_by("starts_at"))


def stay(place: Registration, session: Session, minutes: int, *, start: int = 0, source: str = "zoom", **values: Any) -> AttendanceInterval:
    """From `start` minutes after the session's beginning, for so many minutes; the verdict is not worked out by it."""
    begins = session.starts_at + timedelta(minutes=start)
    ends = begins + timedelta(minutes=minutes)
    return AttendanceInterval.objects.create(registration=place, session=session, source=source, started_at=begins, ended_at=ends, **values)


def verdict(place: Registration) -> Verdict:
    """As it is now."""
    with transaction.atomic():
        verdicts.refresh(registration=Registration.objects.select_related("event").get(pk=place.pk), by=TESTS)
    return Verdict.objects.get(registration=place)


def line(session: Session, *, by: Actor, email: str = "", name: str = "Somebody Else") -> AttendanceLine:
    """Of a file with this one line; nobody of that name or address need have a place."""
    content = f"email,name\r\n{email},{name}\r\n".encode()
    return attendance_files.read(session_id=session.pk, content=content, by=by)[0]
