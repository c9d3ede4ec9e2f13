"""Attendance from files of participants: read and matched line by line, previewed, and applied one line at a time.

A line that stands in another copy of the file too is recorded once. Late attendance is worked out at once: its effect says so.
"""

from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from core.public_ids import decode, uuid7
from events import local_times
from events.models import Session
from organizations.permissions import Permission, require
from registrations import matching, participant_files, places, verdicts
from registrations.intervals import Interval
from registrations.matching import People, Person
from registrations.models import AttendanceInterval, AttendanceLine, AttendeeAlias, Registration
from registrations.participant_files import Row

KEPT = timedelta(days=30)


class LineUnmatched(DomainError):
    """suggestions: who it might be, the likeliest first."""

    code, http_status = "LINE_UNMATCHED", 409

    def __init__(self, suggestions: Iterable[str]) -> None:
        self.suggestions = list(suggestions)
        might = f" It might be {' or '.join(self.suggestions)}." if self.suggestions else ""
        super().__init__(f"Nobody of that name or address has a place.{might} Match the line by hand under Files of participants.")


class LineUnreadable(DomainError):
    code, http_status = "LINE_UNREADABLE", 422


class LineApplied(DomainError):
    code, http_status = "LINE_APPLIED", 409

    def __init__(self) -> None:
        super().__init__("This attendance is recorded already.")


@transaction.atomic
def read(*, session_id: UUID, content: bytes, by: Actor, time_zone: str = "") -> list[AttendanceLine]:
    """Keep the lines of a file with whom each is found to be; nothing is recorded yet. time_zone: whose clock its times show, the event's
    where left out.

    Raises NotFound, PermissionRefused, and InvalidInput where it is no such file; a wrong line is no such refusal.
    """
    session = Session.objects.visible_to(by).filter(pk=session_id).select_related("event").first()
    if session is None:
        raise NotFound("session")
    event = session.event
    places.require_attendance(event, by)
    if by.user_id is None:
        raise NotFound("account")
    zone = time_zone or event.time_zone
    if not local_times.is_zone(zone):
        raise InvalidInput("Give the time zone by its IANA name, such as Europe/Berlin.", field="time_zone")
    file = participant_files.read(content, zone=zone, window=Interval(session.starts_at, session.ends_at))
    source = AttendanceInterval.Source.ZOOM if file.is_zoom else AttendanceInterval.Source.IMPORT
    people, batch = _people(session), uuid7()
    lines = [_line(row, session, people, batch=batch, source=source, user_id=by.user_id) for row in file.rows]
    AttendanceLine.objects.bulk_create(lines, batch_size=1_000)
    matched = sum(line.registration_id is not None for line in lines)
    after = {"lines": len(lines), "matched": matched, "source": source}
    record(session, "attendance_file.read", by=by, organization_id=event.organization_id, after=after)
    return lines


def _people(session: Session) -> People:
    rows = Registration.objects.filter(event=session.event_id, state=Registration.State.CONFIRMED)
    people = (Person(*row) for row in rows.values_list("pk", "email", "name").iterator(chunk_size=5_000))
    aliases = AttendeeAlias.objects.filter(organization=session.event.organization_id).values_list("alias", "email")
    return People(people, dict(aliases))


def _line(row: Row, session: Session, people: People, *, batch: UUID, source: str, user_id: UUID) -> AttendanceLine:
    match = people.match(email=row.email, name=row.name)
    said = repr((row.email, row.name.casefold(), row.started_at, row.ended_at))
    return AttendanceLine(
        session=session,
        added_by_id=user_id,
        batch=batch,
        line=row.line,
        source=source,
        email=row.email,
        name=row.name,
        started_at=row.started_at,
        ended_at=row.ended_at,
        problem=row.problem,
        digest=sha256(said.encode()).hexdigest(),
        registration_id=match.person.registration_id if match.person else None,
        suggestions=[Registration(pk=one.registration_id).public_id for one in match.suggestions],
    )


def suggested(line: AttendanceLine) -> list[Registration]:
    """Who it might be, the likeliest first."""
    keys = [decode(Registration.public_prefix, text) for text in line.suggestions]
    found = Registration.objects.filter(event=line.session.event_id).in_bulk(keys)
    return [found[key] for key in keys if key in found]


def check(line: AttendanceLine) -> str:
    """What applying the line would do, in words. Raises LineUnreadable, LineApplied, LineUnmatched, PlaceCancelled, PlaceNotConfirmed."""
    place = _applicable(line)
    interval = _interval(line)
    _require_new(place, line)
    minutes = f"{_clock(line, interval.started_at)} to {_clock(line, interval.ended_at) if interval.ended_at else 'the end'}"
    return f"{place.name} ({place.email}): {minutes if line.started_at else 'the whole session'}"


def _clock(line: AttendanceLine, moment: object) -> str:
    return f"{local_times.in_zone(moment, line.session.event.time_zone):%H:%M}"  # type: ignore[arg-type]


def _applicable(line: AttendanceLine) -> Registration:
    if line.problem:
        raise LineUnreadable(line.problem)
    if line.applied_at is not None:
        raise LineApplied
    if line.registration is None:
        raise LineUnmatched(f"{one.name} ({one.email})" for one in suggested(line)[:3])
    places.require_confirmed(line.registration)
    return line.registration


def _interval(line: AttendanceLine) -> Interval:
    """What the line says; the whole session where it says only that the person was there."""
    if line.started_at is None:
        return Interval(line.session.starts_at, line.session.ends_at)
    return Interval(line.started_at, line.ended_at)


def _require_new(place: Registration, line: AttendanceLine) -> None:
    if place.attendance.filter(session=line.session_id, source=line.source, source_key=line.digest).exists():
        raise LineApplied


@transaction.atomic
def apply(*, line_id: UUID, by: Actor) -> str:
    """The line is attendance, and the verdict is worked out from it; what that came to, in words.

    Raises NotFound, PermissionRefused, LineUnreadable, LineApplied, LineUnmatched, PlaceCancelled, PlaceNotConfirmed.
    """
    seen = _visible(line_id, by)
    place = places.locked(_applicable(seen).pk, by)
    line = AttendanceLine.objects.select_for_update(of=["self"]).select_related("session__event", "registration").get(pk=line_id)
    if _applicable(line).pk != place.pk:
        raise NotFound("line")
    _require_new(place, line)
    interval = _interval(line)
    made = AttendanceInterval.objects.create(
        registration=place,
        session=line.session,
        source=line.source,
        source_key=line.digest,
        started_at=interval.started_at,
        ended_at=interval.ended_at,
    )
    line.applied_at = timezone.now()
    line.save(update_fields=["applied_at", "updated_at"])
    after = {"session": line.session.public_id, "source": made.source, "from": made.started_at, "to": made.ended_at}
    record(place, "registration.attendance_imported", by=by, organization_id=place.event.organization_id, after=after)
    change = verdicts.refresh(registration=place, by=by)
    return f"Recorded; {change.told()}" if change else "Recorded"


@transaction.atomic
def match(*, line_id: UUID, registration_id: UUID, by: Actor, remember: bool = True) -> AttendanceLine:
    """The line is that person's, and recorded. remember: their name and address in the file are known in the organization's next files.

    Raises NotFound, PermissionRefused, LineUnreadable, LineApplied, PlaceCancelled, PlaceNotConfirmed.
    """
    seen = _visible(line_id, by)
    place = places.locked(registration_id, by)
    if place.event_id != seen.session.event_id:
        raise NotFound("registration")
    line = AttendanceLine.objects.select_for_update(of=["self"]).get(pk=line_id)
    if line.applied_at is not None:
        raise LineApplied
    line.registration = place
    line.save(update_fields=["registration", "updated_at"])
    if remember:
        _remember(line, place, by)
    after = {"registration": place.public_id, "remembered": remember}
    record(line, "attendance_line.matched", by=by, organization_id=place.event.organization_id, after=after)
    apply(line_id=line_id, by=by)
    return _visible(line_id, by)


def _remember(line: AttendanceLine, place: Registration, by: Actor) -> None:
    organization_id = place.event.organization_id
    for alias in {matching.folded(line.email), matching.folded(line.name)} - {
        "",
        matching.folded(place.email),
        matching.folded(place.name),
    }:
        values = {"email": place.email.lower(), "by_user_id": by.user_id}
        AttendeeAlias.objects.update_or_create(organization_id=organization_id, alias=alias[:300], defaults=values)


def _visible(line_id: UUID, by: Actor) -> AttendanceLine:
    rows = AttendanceLine.objects.visible_to(by).select_related("session__event", "registration__event")
    line: AttendanceLine | None = rows.filter(pk=line_id).first()
    if line is None:
        raise NotFound("line")
    event = line.session.event
    require(by, Permission.ATTENDANCE_MANAGE, event.organization_id, responsible_id=event.host_id)
    return line


@jobs.task()
def purge() -> None:
    """Forget the lines of files some weeks after they were sent; what was recorded of them stays, and so do the aliases."""
    AttendanceLine.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
