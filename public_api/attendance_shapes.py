"""Attendance as the API shows it: a person's outcome session by session, check-ins, and the list of who earned what."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from ninja import Schema

from core.public_ids import encode
from events.models import Session
from public_api.shapes import moment
from registrations.explaining import Explanation, Sitting
from registrations.models import CheckIn, Registration, Verdict


class StayOut(Schema):
    """source: zoom, import, manual or check_in; ended_at: null where nobody saw them leave, until the session's end."""

    source: str
    started_at: datetime
    ended_at: datetime | None


class SittingOut(Schema):
    """counts: towards completion, for this person; why: such as "31 of 48 minutes"."""

    session: str
    title: str
    starts_at: datetime
    ends_at: datetime
    counts: bool
    why: str
    minutes: int
    stays: list[StayOut]


class AttendanceOut(Schema):
    """eligible: whether the event is completed; credits: earned by that, as a decimal; reasons: sentences that say why or why not."""

    registration: str
    eligible: bool
    credits: str
    reasons: list[str]
    sessions: list[SittingOut]


class ListedAttendanceOut(Schema):
    registration: str
    name: str
    email: str
    eligible: bool
    credits: str
    sessions_counted: int
    minutes: int
    reasons: list[str]


class CheckInOut(Schema):
    """undone_at: null while it counts."""

    id: str
    registration: str
    name: str
    session: str
    session_title: str
    at: datetime
    method: str
    undone_at: datetime | None


class PersonAtTheDoorOut(Schema):
    """check_in: the one that counts, null where there is none; at: when it was made."""

    registration: str
    name: str
    email: str
    state: str
    check_in: str | None
    at: datetime | None


def credits_shown(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01")))


def explained(registration: Registration, found: Explanation) -> dict[str, Any]:
    """What AttendanceOut shows."""
    return {
        "registration": registration.public_id,
        "eligible": found.verdict.eligible,
        "credits": credits_shown(found.verdict.credits),
        "reasons": list(found.verdict.reasons),
        "sessions": [_sitting(one) for one in found.sittings],
    }


def _sitting(one: Sitting) -> dict[str, Any]:
    return {
        "session": one.session.public_id,
        "title": one.session.title,
        "starts_at": moment(one.session.starts_at),
        "ends_at": moment(one.session.ends_at),
        "counts": one.can_count and one.outcome.counts,
        "why": one.why,
        "minutes": one.outcome.minutes,
        "stays": [
            {"source": stay.source, "started_at": moment(stay.interval.started_at), "ended_at": moment(stay.interval.ended_at)}
            for stay in one.stays
        ],
    }


def listed(row: Verdict) -> dict[str, Any]:
    """What ListedAttendanceOut shows; the row with its registration."""
    return {
        "registration": row.registration.public_id,
        "name": row.registration.name,
        "email": row.registration.email,
        "eligible": row.is_eligible,
        "credits": credits_shown(row.credits),
        "sessions_counted": row.sessions_counted,
        "minutes": row.minutes,
        "reasons": list(row.reasons),
    }


def check_in_shown(made: CheckIn) -> dict[str, Any]:
    """What CheckInOut shows; the row with its registration and session."""
    return {
        "id": made.public_id,
        "registration": encode(Registration.public_prefix, made.registration_id),
        "name": made.registration.name,
        "session": encode(Session.public_prefix, made.session_id),
        "session_title": made.session.title,
        "at": moment(made.at),
        "method": str(made.method),
        "undone_at": moment(made.undone_at),
    }


def at_the_door(place: Registration, made: CheckIn | None) -> dict[str, Any]:
    return {
        "registration": place.public_id,
        "name": place.name,
        "email": place.email,
        "state": str(place.state),
        "check_in": made.public_id if made else None,
        "at": moment(made.at) if made else None,
    }
