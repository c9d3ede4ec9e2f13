"""Whether somebody completed an event, what that earns, and why. Pure and total: every input has a verdict, and the same one always.

The rules: docs/adr/0031. A denied place earns nothing; a session that nobody attended counts only where a person granted it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from events.completion import Rounding, Rule

_CENT = Decimal("0.01")


class Override(StrEnum):
    """What a person decided, against or for what was recorded."""

    NONE = "none"
    GRANT = "grant"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """minutes: its length; percent: how much of it one must attend; credits: None for what its length gives. counts: whether it can
    count at all: published, not cancelled, not a recording."""

    key: str
    title: str
    minutes: int
    percent: int = 80
    is_mandatory: bool = True
    counts: bool = True
    credits: Decimal | None = None

    @property
    def needed(self) -> int:
        """Minutes: ceil(percent × length), and never none at all."""
        return max(1, -(-self.percent * self.minutes // 100))


@dataclass(frozen=True, slots=True)
class Attended:
    """What is recorded of one person in one session: whole minutes, as registrations.intervals counts them."""

    minutes: int = 0
    checked_in: bool = False
    override: Override = Override.NONE


@dataclass(frozen=True, slots=True)
class CreditTerms:
    """flat: what completing gives; by_session: the sum of the sessions that count instead. hour: minutes that give one credit."""

    flat: Decimal = Decimal(0)
    by_session: bool = False
    hour: int = 60
    step: Decimal = Decimal("0.25")
    rounding: str = Rounding.DOWN


@dataclass(frozen=True, slots=True)
class Verdict:
    """credits: rounded, zero unless eligible; reasons: sentences for the attendee as for the organizer. counted: keys of the sessions that
    count; minutes: attended in all that can count."""

    eligible: bool
    credits: Decimal
    reasons: tuple[str, ...]
    counted: tuple[str, ...] = ()
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class SessionVerdict:
    """why: a part of a sentence, such as "31 of 48 minutes"; minutes: attended, the whole session where it was granted."""

    terms: SessionTerms
    counts: bool
    why: str
    minutes: int


NOTHING = Attended()


def evaluate(
    criteria: str,
    value: int | None,
    sessions: Sequence[SessionTerms],
    attendance: Mapping[str, Attended],
    override: Override,
    credit: CreditTerms = CreditTerms(),
) -> Verdict:
    """The verdict on one person. attendance: by key of the session; a session that is not in it was not attended."""
    results = [judge(one, attendance.get(one.key, NOTHING), override) for one in sessions if one.counts]
    counted = [one.terms for one in results if one.counts]
    keys, attended = tuple(one.key for one in counted), sum(one.minutes for one in results)
    if override == Override.DENY:
        return Verdict(False, Decimal(0), ("Denied by the organizer.",), (), attended)
    if override == Override.GRANT:
        return Verdict(True, _credits(credit, counted), ("Granted by the organizer.",), keys, attended)
    if not results:
        return Verdict(False, Decimal(0), ("No session of this event can count.",), (), attended)
    met, reasons = _meets(criteria, value, results, attended)
    return Verdict(met, _credits(credit, counted) if met else Decimal(0), reasons, keys, attended)


def judge(terms: SessionTerms, attended: Attended, override: Override = Override.NONE) -> SessionVerdict:
    """Whether the session counts for this person. override: what was decided about the event as a whole."""
    if Override.DENY in (override, attended.override):
        return SessionVerdict(terms, False, "denied by the organizer", 0)
    if Override.GRANT in (override, attended.override):
        return SessionVerdict(terms, True, "granted by the organizer", max(terms.minutes, attended.minutes))
    minutes = max(0, attended.minutes)
    if attended.checked_in:
        return SessionVerdict(terms, True, "checked in", minutes)
    told = f"{minutes} of {terms.needed} minutes" if minutes else "not attended"
    return SessionVerdict(terms, minutes >= terms.needed, told, minutes)


def _meets(criteria: str, value: int | None, results: Sequence[SessionVerdict], attended: int) -> tuple[bool, tuple[str, ...]]:
    """Whether the rule is met, how far, and what is missing. A value that no rule can have is never met."""
    done, total = sum(one.counts for one in results), len(results)
    if criteria == Rule.ALL_SESSIONS:
        asked = [one for one in results if one.terms.is_mandatory] or list(results)
        have = sum(one.counts for one in asked)
        return _told(have == len(asked), f"{have} of {len(asked)} required {_sessions(len(asked))}.", asked)
    if value is None or value < 1 or (criteria == Rule.PERCENTAGE_OF_SESSIONS and value > 100):
        return False, ("The event's rule has no value that can be met.",)
    if criteria == Rule.PERCENTAGE_OF_SESSIONS:
        return _told(done * 100 >= value * total, f"{done} of {total} {_sessions(total)}; {value} % are required.", results)
    if criteria == Rule.MIN_SESSIONS_COUNT:
        return _told(done >= value, f"{done} of {value} required {_sessions(value)}.", results)
    if criteria == Rule.TOTAL_MINUTES:
        return _told(attended >= value, f"{attended} of {value} required minutes.", ())
    return False, ("The event's rule is not known.",)


def _told(met: bool, how_far: str, asked: Iterable[SessionVerdict]) -> tuple[bool, tuple[str, ...]]:
    missing = () if met else (f"“{one.terms.title}” missing: {one.why}." for one in asked if not one.counts)
    return met, (how_far, *missing)


def _sessions(count: int) -> str:
    return "session" if count == 1 else "sessions"


def _credits(rule: CreditTerms, counted: Iterable[SessionTerms]) -> Decimal:
    """Worked out exactly, and rounded once at the end."""
    exact = sum((_worth(one, rule.hour) for one in counted), Fraction(0)) if rule.by_session else Fraction(rule.flat)
    return rounded(exact, step=rule.step, rounding=rule.rounding)


def _worth(terms: SessionTerms, hour: int) -> Fraction:
    return Fraction(terms.minutes, hour) if terms.credits is None else Fraction(terms.credits)


def rounded(exact: Fraction, *, step: Decimal, rounding: str) -> Decimal:
    """The multiple of the step below, or the nearest one (half a step goes up), with two decimals."""
    step = max(step, _CENT)
    steps = exact / Fraction(step)
    whole = int(steps + Fraction(1, 2)) if rounding == Rounding.NEAREST else int(steps)
    return (whole * step).quantize(_CENT)
