"""Attendance by hand: present or absent, and decisions against or for what was recorded."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core.errors import DomainError, InvalidInput, NotFound
from events import text_checks
from events.models import Session
from registrations import check_ins, places, verdicts
from registrations.models import AttendanceOverride, CheckIn, Registration
from registrations.verdicts import Change

LONGEST_REASON = 500


class AttendanceUnchanged(DomainError):
    code, http_status = "ATTENDANCE_UNCHANGED", 409

    def __init__(self, present: bool) -> None:
        super().__init__(f"The person is {'present' if present else 'absent'} already.")


class AttendanceRecorded(DomainError):
    """minutes were recorded by Zoom or a file: a mark does not outweigh them, a decision with its reason does."""

    code, http_status = "ATTENDANCE_RECORDED", 409

    def __init__(self, session: Session) -> None:
        super().__init__(f"Minutes are recorded in “{session.title}”; deny it with a reason instead.")


class NothingDecided(DomainError):
    code, http_status = "NOTHING_DECIDED", 409

    def __init__(self) -> None:
        super().__init__("Nothing is decided here by hand, so there is nothing to withdraw.")


@transaction.atomic
def mark(*, registration_id: UUID, present: bool, by: Actor, session_id: UUID | None = None) -> Change:
    """Present: as if checked in when the session began. Absent: no check-in counts any more. session_id: left out, every session.

    Raises NotFound, PermissionRefused, PlaceCancelled, PlaceNotConfirmed, AttendanceUnchanged, AttendanceRecorded.
    """
    place = places.locked(registration_id, by)
    for session, made in require_markable(place, present=present, session_id=session_id):
        if made is not None:
            check_ins.take_back(made, place=place, by=by)
        else:
            check_ins.add(place=place, session=session, method=CheckIn.Method.MANUAL, at=session.starts_at, by=by)
    return _refreshed(place, by)


def require_markable(place: Registration, *, present: bool, session_id: UUID | None) -> Sequence[tuple[Session, CheckIn | None]]:
    """The sessions that the mark changes, each with the check-in that it takes away. Raises what `mark` does about the place."""
    places.require_confirmed(place)
    can_count = place.event.sessions.filter(is_published=True, is_cancelled=False).order_by("starts_at", "id")
    sessions = [places.session_of(place, session_id)] if session_id else list(can_count)
    active = {made.session_id: made for made in place.check_ins.filter(undone_at=None)}
    if present:
        found: list[tuple[Session, CheckIn | None]] = [(session, None) for session in sessions if session.pk not in active]
    else:
        recorded = place.attendance.filter(session__in=sessions).select_related("session").first()
        if recorded is not None:
            raise AttendanceRecorded(recorded.session)
        found = [(session, active[session.pk]) for session in sessions if session.pk in active]
    if not found:
        raise AttendanceUnchanged(present)
    return found


@transaction.atomic
def decide(*, registration_id: UUID, decision: str, reason: str, by: Actor, session_id: UUID | None = None) -> Change:
    """Grant or deny one session, or the event as a whole; what was decided there before is withdrawn. Deny always wins.

    Raises NotFound, PermissionRefused, PlaceCancelled, PlaceNotConfirmed, InvalidInput.
    """
    place = places.locked(registration_id, by)
    places.require_confirmed(place)
    if decision not in AttendanceOverride.Decision.values:
        raise InvalidInput("Choose to grant or to deny.", field="decision")
    reason = text_checks.line(reason, field="reason", limit=LONGEST_REASON)
    session = places.session_of(place, session_id) if session_id else None
    former = _withdrawn(place, session_id)
    AttendanceOverride.objects.create(registration=place, session=session, decision=decision, reason=reason, by_user_id=by.user_id)
    about = session.public_id if session else "event"
    before = {"decision": former.decision if former else None}
    after = {"decision": decision, "about": about}
    organization_id = place.event.organization_id
    record(place, "registration.attendance_decided", by=by, organization_id=organization_id, before=before, after=after, reason=reason)
    return _refreshed(place, by)


@transaction.atomic
def withdraw(*, registration_id: UUID, by: Actor, session_id: UUID | None = None) -> Change:
    """What was recorded counts again. Raises NotFound, PermissionRefused, PlaceCancelled, PlaceNotConfirmed, NothingDecided."""
    place = places.locked(registration_id, by)
    places.require_confirmed(place)
    former = _withdrawn(place, session_id)
    if former is None:
        raise NothingDecided
    about = former.session.public_id if former.session else "event"
    before = {"decision": former.decision, "about": about}
    record(place, "registration.attendance_decision_withdrawn", by=by, organization_id=place.event.organization_id, before=before)
    return _refreshed(place, by)


def _withdrawn(place: Registration, session_id: UUID | None) -> AttendanceOverride | None:
    former = place.overrides.filter(session=session_id, withdrawn_at=None).select_related("session").first()
    if former is not None:
        former.withdrawn_at = timezone.now()
        former.save(update_fields=["withdrawn_at", "updated_at"])
    return former


def _refreshed(place: Registration, by: Actor) -> Change:
    change = verdicts.refresh(registration=place, by=by)
    if change is None:
        raise NotFound("registration")
    return change
