"""Attendance on the page of a registration: session by session, and why or why not."""

from typing import Any

from admin_ext.console import columns
from admin_ext.console.panels import Panel
from registrations import explaining
from registrations.explaining import Sitting
from registrations.models import AttendanceInterval, Registration

_SOURCES = {**dict(AttendanceInterval.Source.choices), "check_in": "Check-in"}


def of(place: Registration, site: str) -> list[Panel]:
    found = explaining.explain(place)
    badge = columns.as_badge("Completed", columns.SUCCESS) if found.verdict.eligible else columns.as_badge("Not completed", columns.PLAIN)
    outcome = [[badge, f"{found.verdict.credits} credits", " ".join(found.verdict.reasons)]]
    return [
        Panel("Outcome", ["Completed", "Earned", "Why or why not"], outcome),
        Panel(
            "Attendance",
            ["Session", "Starts", "Recorded", "Minutes", "Counts", "Why"],
            [_row(one, place, site) for one in found.sittings],
            "The event has no session.",
        ),
    ]


def _row(one: Sitting, place: Registration, site: str) -> list[Any]:
    zone = place.event.time_zone
    counts = one.can_count and one.outcome.counts
    badge = columns.as_badge("Counts", columns.SUCCESS) if counts else columns.as_badge("Does not count", columns.PLAIN)
    recorded = ", ".join(dict.fromkeys(_SOURCES[stay.source] for stay in one.stays)) or "Nothing"
    return [
        columns.as_link(site, one.session),
        columns.as_moment(one.session.starts_at, zone),
        recorded,
        str(one.outcome.minutes),
        badge,
        one.why,
    ]
