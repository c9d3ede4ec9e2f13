"""Intervals: what several sources say of one person adds up to the minutes that they were there, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrations.intervals import Interval, length, minutes, union
from tests.sizes import SIZES

pytestmark = pytest.mark.rule("C3")
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
HOUR = Interval(NOON, NOON + timedelta(hours=1))


def stay(start: float, end: float | None) -> Interval:
    """From and to, in minutes after noon."""
    return Interval(NOON + timedelta(minutes=start), None if end is None else NOON + timedelta(minutes=end))


@pytest.mark.parametrize(
    ("stays", "expected"),
    [
        ([], 0),
        ([stay(0, 60)], 60),
        ([stay(0, 20), stay(40, 60)], 40),  # came back
        ([stay(0, 35), stay(0, 35)], 35),  # two devices
        ([stay(0, 35), stay(20, 50), stay(45, 55)], 55),  # hosts that overlap
        ([stay(0, 20), stay(20, 40)], 40),  # one after the other
        ([stay(-30, 90)], 60),  # early and late
        ([stay(-30, -5), stay(70, 90)], 0),  # before and after it
        ([stay(30, 20)], 0),  # a clock that runs ahead of the other
        ([stay(30, 30)], 0),
        ([stay(10, None)], 50),  # nobody saw them leave
        ([stay(-10, None)], 60),
        ([stay(70, None)], 0),
        ([stay(0, 0.5), stay(10, 10.5)], 1),  # half minutes are added up first
        ([stay(0, 0.9)], 0),
    ],
)
def test_adds_up_what_was_attended(stays: list[Interval], expected: int) -> None:
    assert minutes(stays, within=HOUR) == expected


def test_counts_real_minutes_in_a_night_when_clocks_change() -> None:
    """Berlin, 31 October 2027: 02:00 to 03:00 comes twice; in spring it does not come."""
    berlin = ZoneInfo("Europe/Berlin")
    autumn = Interval(datetime(2027, 10, 31, 1, 30, tzinfo=berlin), datetime(2027, 10, 31, 3, 30, tzinfo=berlin))
    spring = Interval(datetime(2027, 3, 28, 1, 30, tzinfo=berlin), datetime(2027, 3, 28, 3, 30, tzinfo=berlin))
    second_half = Interval(datetime(2027, 10, 31, 2, 30, tzinfo=berlin, fold=1), None)

    assert (length(autumn), length(spring)) == (180, 60)
    assert minutes([second_half], within=autumn) == 60


def test_goes_on_over_midnight() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    night = Interval(datetime(2027, 1, 1, 23, tzinfo=tokyo), datetime(2027, 1, 2, 1, tzinfo=tokyo))

    assert minutes([Interval(datetime(2027, 1, 1, 23, 50, tzinfo=tokyo), datetime(2027, 1, 2, 0, 10, tzinfo=tokyo))], within=night) == 20


def test_takes_a_session_whose_end_is_not_known_for_none() -> None:
    assert minutes([stay(0, 60)], within=Interval(NOON)) == 0


STAYS = st.lists(
    st.builds(stay, st.integers(-90, 150), st.none() | st.integers(-90, 150)),
    max_size=8,
)
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])


@settings(max_examples=SIZES.hypothesis_examples)
@given(STAYS, st.builds(stay, st.integers(-90, 150), st.none() | st.integers(-90, 150)))
def test_one_more_stay_never_takes_minutes_away(stays: list[Interval], more: Interval) -> None:
    assert 0 <= minutes(stays, within=HOUR) <= minutes([*stays, more], within=HOUR) <= 60


@settings(max_examples=SIZES.hypothesis_examples)
@given(STAYS)
def test_the_union_is_in_order_inside_and_apart(stays: list[Interval]) -> None:
    covered = [(one.started_at, one.ended_at) for one in union(stays, within=HOUR)]
    edges = [edge for pair in covered for edge in pair]

    assert edges == sorted(set(edges), key=lambda edge: edge or NOON)
    assert all(HOUR.started_at <= (edge or NOON) <= NOON + timedelta(hours=1) for edge in edges)
    assert covered == [(one.started_at, one.ended_at) for one in union(reversed(stays), within=HOUR)]


@settings(max_examples=SIZES.hypothesis_examples)
@given(STAYS, ZONES, st.integers(0, 365 * 48))
def test_the_zone_that_a_clock_shows_changes_nothing(stays: list[Interval], zone: str, halves: int) -> None:
    """The same moments said in another zone, in any half hour of a year: as many minutes."""
    shift = timedelta(minutes=30 * halves)

    def told(one: Interval) -> Interval:
        ended = None if one.ended_at is None else (one.ended_at + shift).astimezone(ZoneInfo(zone))
        return Interval((one.started_at + shift).astimezone(ZoneInfo(zone)), ended)

    assert minutes([told(one) for one in stays], within=told(HOUR)) == minutes(stays, within=HOUR)
