"""Moments as people at the event say them: in its own IANA zone, by that zone's rules for the day."""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from core.errors import InvalidInput


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA zone, compared with the list: a name from outside never becomes a path."""
    return name in _known()


def in_zone(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone))


def moment(clock: datetime, zone: str, *, field: str) -> datetime:
    """The moment at which the clocks in `zone` show `clock`, the first where they show it twice. Raises InvalidInput where they skip it."""
    found = clock.replace(tzinfo=ZoneInfo(zone), fold=0)
    if found.astimezone(UTC).astimezone(found.tzinfo).replace(tzinfo=None) != clock:
        shown = f"{clock:%H:%M} on {clock.day} {clock:%B %Y}"
        raise InvalidInput(f"The clocks in {zone} are put forward over {shown}; choose another time.", field=field)
    return found


def text(at: datetime, zone: str) -> str:
    """ "Monday 23 November 2026, 15:00 (Europe/Berlin)"."""
    local = in_zone(at, zone)
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M} ({zone})"


def span(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """Start and end; the second day is named only where it is another one."""
    start, end = in_zone(starts_at, zone), in_zone(ends_at, zone)
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%A} {end.day} {end:%B %Y, %H:%M}"
    return f"{start:%A} {start.day} {start:%B %Y, %H:%M} to {until} ({zone})"
