"""Who completed an event: each rule at its edges, and what no rule may ever do."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.completion import STEPS, Rounding, Rule
from registrations.eligibility import Attended, CreditTerms, Override, SessionTerms, Verdict, evaluate, judge, rounded
from tests.sizes import SIZES

pytestmark = [pytest.mark.gap("1.8"), pytest.mark.rule("C3")]
ALL, SHARE, COUNT, MINUTES = Rule.ALL_SESSIONS, Rule.PERCENTAGE_OF_SESSIONS, Rule.MIN_SESSIONS_COUNT, Rule.TOTAL_MINUTES
NONE, GRANT, DENY = Override
FULL, ABSENT, HALF = Attended(60), Attended(), Attended(31)
FLAT = CreditTerms(flat=Decimal(3))


def sitting(key: str, **values: Any) -> SessionTerms:
    return SessionTerms(**{"key": key, "title": f"Part {key}", "minutes": 60, **values})


THREE = [sitting("a"), sitting("b"), sitting("c")]


def verdict(rule: str, value: int | None, attendance: Mapping[str, Attended], sessions: Any = THREE, override: Override = NONE) -> Verdict:
    return evaluate(rule, value, sessions, attendance, override, FLAT)


class TestASession:
    @pytest.mark.parametrize(
        ("percent", "length", "needed"),
        [(80, 60, 48), (80, 61, 49), (67, 50, 34), (100, 60, 60), (1, 60, 1), (0, 60, 1), (50, 45, 23)],
    )
    def test_asks_for_the_percentage_rounded_up_and_never_for_nothing(self, percent: int, length: int, needed: int) -> None:
        terms = sitting("a", percent=percent, minutes=length)

        assert terms.needed == needed
        assert judge(terms, Attended(needed)).counts
        assert not judge(terms, Attended(needed - 1)).counts

    @pytest.mark.parametrize(
        ("attended", "whole", "counts", "why"),
        [
            (Attended(47), NONE, False, "47 of 48 minutes"),
            (Attended(48), NONE, True, "48 of 48 minutes"),
            (Attended(0), NONE, False, "not attended"),
            (Attended(-5), NONE, False, "not attended"),
            (Attended(0, checked_in=True), NONE, True, "checked in"),
            (Attended(0, override=GRANT), NONE, True, "granted by the organizer"),
            (Attended(60, True, DENY), NONE, False, "denied by the organizer"),
            (Attended(60, True, DENY), GRANT, False, "denied by the organizer"),
            (Attended(0), GRANT, True, "granted by the organizer"),
            (Attended(60, True, GRANT), DENY, False, "denied by the organizer"),
        ],
    )
    def test_counts_when_granted_checked_in_or_attended_and_never_when_denied(
        self, attended: Attended, whole: Override, counts: bool, why: str
    ) -> None:
        found = judge(sitting("a"), attended, whole)

        assert (found.counts, found.why) == (counts, why)


class TestEveryRule:
    @pytest.mark.parametrize(
        ("rule", "value", "attendance", "eligible"),
        [
            (ALL, None, {"a": FULL, "b": FULL, "c": FULL}, True),
            (ALL, None, {"a": FULL, "b": FULL, "c": HALF}, False),
            (ALL, None, {}, False),
            (SHARE, 66, {"a": FULL, "b": FULL}, True),  # 200 >= 198
            (SHARE, 67, {"a": FULL, "b": FULL}, False),  # 200 < 201
            (SHARE, 100, {"a": FULL, "b": FULL, "c": FULL}, True),
            (SHARE, 1, {"a": FULL}, True),
            (SHARE, 1, {}, False),
            (SHARE, 0, {"a": FULL, "b": FULL, "c": FULL}, False),
            (SHARE, 101, {"a": FULL, "b": FULL, "c": FULL}, False),
            (SHARE, None, {"a": FULL, "b": FULL, "c": FULL}, False),
            (COUNT, 2, {"a": FULL, "b": FULL}, True),
            (COUNT, 2, {"a": FULL, "b": HALF}, False),
            (COUNT, 0, {"a": FULL}, False),
            (COUNT, None, {"a": FULL}, False),
            (COUNT, 4, {"a": FULL, "b": FULL, "c": FULL}, False),
            (MINUTES, 91, {"a": FULL, "b": HALF}, True),
            (MINUTES, 92, {"a": FULL, "b": HALF}, False),
            (MINUTES, 0, {}, False),
            (MINUTES, -1, {"a": FULL}, False),
            (MINUTES, None, {"a": FULL}, False),
            (MINUTES, 60, {"a": Attended(0, override=GRANT)}, True),
            (MINUTES, 60, {"a": Attended(60, override=DENY)}, False),
            ("something else", 1, {"a": FULL, "b": FULL, "c": FULL}, False),
        ],
    )
    def test_is_met_exactly_from_its_edge_on(self, rule: str, value: int | None, attendance: Any, eligible: bool) -> None:
        found = verdict(rule, value, attendance)

        assert found.eligible is eligible
        assert found.credits == (Decimal(3) if eligible else 0)
        assert found.reasons

    def test_all_sessions_means_the_mandatory_ones_where_there_are_any(self) -> None:
        sessions = [sitting("a"), sitting("b", is_mandatory=False), sitting("c", is_mandatory=False)]

        assert verdict(ALL, None, {"a": FULL}, sessions).eligible
        assert not verdict(ALL, None, {"b": FULL, "c": FULL}, sessions).eligible  # two optional ones are no mandatory one

    def test_all_sessions_means_every_one_where_none_is_mandatory(self) -> None:
        sessions = [sitting("a", is_mandatory=False), sitting("b", is_mandatory=False)]

        assert verdict(ALL, None, {"a": FULL, "b": FULL}, sessions).eligible
        assert not verdict(ALL, None, {"a": FULL}, sessions).eligible

    @pytest.mark.parametrize(("rule", "value"), [(ALL, None), (SHARE, 50), (COUNT, 1), (MINUTES, 10)])
    def test_leaves_out_sessions_that_cannot_count(self, rule: str, value: int | None) -> None:
        sessions = [sitting("a"), sitting("x", counts=False)]

        assert verdict(rule, value, {"a": FULL}, sessions).eligible
        assert not verdict(rule, value, {"x": FULL}, sessions).eligible
        assert verdict(rule, value, {"x": FULL}, [sitting("x", counts=False)]).reasons == ("No session of this event can count.",)


class TestWhy:
    def test_says_how_far_it_is_and_what_is_missing(self) -> None:
        found = verdict(ALL, None, {"a": FULL, "b": FULL, "c": HALF})

        assert found.reasons == ("2 of 3 required sessions.", "“Part c” missing: 31 of 48 minutes.")
        assert (found.counted, found.minutes) == (("a", "b"), 151)

    def test_says_it_of_a_share_a_number_and_minutes_too(self) -> None:
        assert verdict(SHARE, 100, {"a": FULL, "b": FULL}).reasons[0] == "2 of 3 sessions; 100 % are required."
        assert verdict(COUNT, 1, {"a": FULL}).reasons == ("1 of 1 required session.",)
        assert verdict(MINUTES, 90, {"a": FULL}).reasons == ("60 of 90 required minutes.",)

    def test_does_not_name_optional_sessions_as_missing(self) -> None:
        sessions = [sitting("a"), sitting("b", is_mandatory=False)]

        assert verdict(ALL, None, {}, sessions).reasons == ("0 of 1 required session.", "“Part a” missing: not attended.")


class TestAnOverrideOfTheWholeEvent:
    def test_denies_whatever_was_attended(self) -> None:
        found = verdict(ALL, None, dict.fromkeys("abc", FULL), override=DENY)

        assert (found.eligible, found.credits, found.reasons, found.counted) == (False, 0, ("Denied by the organizer.",), ())

    def test_grants_whatever_was_missed(self) -> None:
        found = verdict(MINUTES, 999, {}, override=GRANT)

        assert (found.eligible, found.credits, found.reasons) == (True, Decimal(3), ("Granted by the organizer.",))

    def test_grants_no_credit_for_a_session_that_was_denied(self) -> None:
        rule = CreditTerms(by_session=True)
        found = evaluate(ALL, None, THREE, {"a": Attended(60, override=DENY)}, GRANT, rule)

        assert (found.eligible, found.credits, found.counted) == (True, Decimal(2), ("b", "c"))


class TestCredits:
    @pytest.mark.parametrize(
        ("exact", "step", "rounding", "expected"),
        [
            (Fraction(7, 6), "0.25", Rounding.DOWN, "1.00"),
            (Fraction(7, 6), "0.25", Rounding.NEAREST, "1.25"),
            (Fraction(9, 8), "0.25", Rounding.NEAREST, "1.25"),  # half a step goes up
            (Fraction(6, 5), "0.20", Rounding.DOWN, "1.20"),
            (Fraction(13, 10), "0.20", Rounding.DOWN, "1.20"),
            (Fraction(99, 100), "0.50", Rounding.DOWN, "0.50"),
            (Fraction(99, 100), "1.00", Rounding.DOWN, "0.00"),
            (Fraction(1, 2), "1.00", Rounding.NEAREST, "1.00"),
            (Fraction(49, 100), "1.00", Rounding.NEAREST, "0.00"),
            (Fraction(1, 3), "0.00", Rounding.DOWN, "0.33"),  # no step at all: cents
        ],
    )
    def test_are_rounded_by_step(self, exact: Fraction, step: str, rounding: str, expected: str) -> None:
        assert rounded(exact, step=Decimal(step), rounding=rounding) == Decimal(expected)

    @pytest.mark.parametrize(
        ("hour", "step", "expected"),
        [(60, "0.25", "1.25"), (50, "0.20", "1.60"), (50, "0.50", "1.50"), (50, "1.00", "1.00")],
    )
    def test_by_session_go_by_the_hour_and_are_rounded_once_over_the_sum(self, hour: int, step: str, expected: str) -> None:
        """Two sessions of 40 minutes are 80: 1.33 hours of 60 minutes, 1.6 of 50."""
        sessions = [sitting("a", minutes=40), sitting("b", minutes=40), sitting("c", minutes=40)]
        rule = CreditTerms(by_session=True, hour=hour, step=Decimal(step))
        found = evaluate(COUNT, 2, sessions, {"a": Attended(40), "b": Attended(40)}, NONE, rule)

        assert found.credits == Decimal(expected)

    def test_by_session_take_what_a_session_says_it_gives(self) -> None:
        sessions = [sitting("a", credits=Decimal("1.5")), sitting("b", credits=Decimal(0)), sitting("c")]
        found = evaluate(COUNT, 2, sessions, {"a": FULL, "b": FULL, "c": FULL}, NONE, CreditTerms(by_session=True))

        assert found.credits == Decimal("2.50")


ATTENDED = st.builds(Attended, st.integers(0, 70), st.booleans(), st.sampled_from(Override))
SITTINGS = st.lists(
    st.tuples(st.integers(0, 90), st.integers(0, 100), st.booleans(), st.booleans(), st.none() | st.decimals(0, 9, places=2)), max_size=5
).map(lambda rows: [SessionTerms(str(n), f"Part {n}", *row) for n, row in enumerate(rows)])
CREDITS = st.builds(
    CreditTerms,
    st.decimals(0, 20, places=2),
    st.booleans(),
    st.sampled_from([50, 60]),
    st.sampled_from(STEPS),
    st.sampled_from(Rounding.values),
)
CASES = st.tuples(
    st.sampled_from([*Rule.values, "unknown"]),
    st.none() | st.integers(-2, 120),
    SITTINGS,
    st.dictionaries(st.sampled_from("01234"), ATTENDED),
    st.sampled_from(Override),
    CREDITS,
)
lots = settings(max_examples=SIZES.hypothesis_examples)


class TestWhateverTheCase:
    @lots
    @given(CASES)
    def test_there_is_one_verdict_with_a_reason(self, case: Any) -> None:
        found = evaluate(*case)

        assert found == evaluate(*case)
        assert found.reasons
        assert all(found.reasons)
        assert found.credits >= 0
        assert found.eligible or found.credits == 0
        assert found.credits % case[5].step == 0

    @lots
    @given(CASES, st.sampled_from("01234"), st.integers(0, 60), st.booleans())
    def test_more_attendance_never_loses_anything(self, case: Any, key: str, more: int, at_the_door: bool) -> None:
        rule, value, sessions, attendance, override, credit = case
        had = attendance.get(key, Attended())
        richer = {**attendance, key: Attended(had.minutes + more, had.checked_in or at_the_door, had.override)}
        before, after = evaluate(*case), evaluate(rule, value, sessions, richer, override, credit)

        assert after.credits >= before.credits
        assert after.eligible >= before.eligible
        assert after.minutes >= before.minutes

    @lots
    @given(CASES)
    def test_nobody_earns_who_was_not_there_and_was_granted_nothing(self, case: Any) -> None:
        rule, value, sessions, attendance, _, credit = case
        absent = {key: Attended(0, False, DENY if one.override == DENY else NONE) for key, one in attendance.items()}
        found = evaluate(rule, value, sessions, absent, NONE, credit)

        assert (found.eligible, found.credits, found.counted) == (False, 0, ())

    @lots
    @given(CASES)
    def test_deny_wins(self, case: Any) -> None:
        rule, value, sessions, attendance, override, credit = case
        denied = {key: Attended(one.minutes, one.checked_in, DENY) for key, one in attendance.items()}

        assert not evaluate(rule, value, sessions, attendance, DENY, credit).eligible
        assert not set(evaluate(rule, value, sessions, denied, override, credit).counted) & set(attendance)
