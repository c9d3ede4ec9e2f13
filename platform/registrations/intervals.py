"""From when to when somebody was there: the union of what the sources say, inside the session. Pure.

Everything is reckoned in UTC: two clock times of one zone differ by an hour more or less in a night when the clocks change.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """Aware moments; ended_at None: nobody saw them leave, so they stayed to the session's end."""

    started_at: datetime
    ended_at: datetime | None = None


def union(intervals: Iterable[Interval], *, within: Interval) -> list[Interval]:
    """What the intervals cover of `within` (whose end is known), in order, without overlaps or gaps of nothing.

    Coming back, two devices and two hosts that report the same person count once. One that ends before it starts, as clocks that
    disagree make it, covers nothing.
    """
    opens, closes = _utc(within.started_at), _utc(within.ended_at or within.started_at)
    covered: list[Interval] = []
    for start, end in sorted(_clamped(one, opens, closes) for one in intervals):
        if end <= start:
            continue
        last = covered[-1] if covered else None
        if last is not None and last.ended_at is not None and start <= last.ended_at:
            covered[-1] = Interval(last.started_at, max(last.ended_at, end))
        else:
            covered.append(Interval(start, end))
    return covered


def minutes(intervals: Iterable[Interval], *, within: Interval) -> int:
    """Whole minutes that the intervals cover of `within`; seconds of several stays are added up before they are cut off."""
    covered = (one.ended_at - one.started_at for one in union(intervals, within=within) if one.ended_at is not None)
    return sum(covered, timedelta()) // MINUTE


def length(within: Interval) -> int:
    """Whole minutes from start to end."""
    return minutes([within], within=within)


def _clamped(one: Interval, opens: datetime, closes: datetime) -> tuple[datetime, datetime]:
    start = _utc(one.started_at)
    end = closes if one.ended_at is None else _utc(one.ended_at)
    return (max(start, opens), min(end, closes)) if end > start else (opens, opens)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
