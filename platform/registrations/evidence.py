"""What is recorded of an event's people, in the form that registrations.eligibility takes: read for many places at once."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from events.models import Event, Session
from registrations import eligibility, intervals
from registrations.eligibility import Attended, CreditTerms, Override, SessionTerms
from registrations.intervals import Interval
from registrations.models import AttendanceInterval, AttendanceOverride, CheckIn


@dataclass(frozen=True, slots=True)
class Rules:
    """An event's rule with its sessions in order of time; windows: by key of the session, from when to when it lasts.

    basis: the same for the same rule and sessions, another one as soon as anything of them changes that decides.
    """

    criteria: str
    value: int | None
    credit: CreditTerms
    sessions: tuple[SessionTerms, ...]
    windows: Mapping[str, Interval]
    basis: str


@dataclass(frozen=True, slots=True)
class Stay:
    """One interval of a person with what said it: a source of AttendanceInterval, or "check_in"."""

    source: str
    interval: Interval


@dataclass(slots=True)
class Evidence:
    """Of one place; by key of the session. whole: what was decided about the event as a whole."""

    stays: dict[str, list[Stay]] = field(default_factory=lambda: defaultdict(list))
    checked_in: set[str] = field(default_factory=set)
    decided: dict[str, Override] = field(default_factory=dict)
    whole: Override = Override.NONE

    def attended(self, rules: Rules) -> dict[str, Attended]:
        """By key of the session, of all that are in the rules."""
        return {
            key: Attended(
                intervals.minutes((stay.interval for stay in self.stays.get(key, ())), within=window),
                key in self.checked_in,
                self.decided.get(key, Override.NONE),
            )
            for key, window in rules.windows.items()
        }


def rules_of(event: Event, sessions: Iterable[Session]) -> Rules:
    """As the event and its sessions say, saved or not."""
    ordered = sorted(sessions, key=lambda one: (one.starts_at, one.pk))
    windows = {str(one.pk): Interval(one.starts_at, one.ends_at) for one in ordered}
    credit = CreditTerms(
        flat=event.credits,
        by_session=event.credits_by_session,
        hour=event.credit_hour_minutes,
        step=event.credit_step,
        rounding=str(event.credit_rounding),
    )
    terms = tuple(_terms(one, windows[str(one.pk)]) for one in ordered)
    criteria = str(event.completion_rule)
    said = repr((criteria, event.completion_value, credit, terms, [(key, str(one)) for key, one in windows.items()]))
    basis = sha256(said.encode()).hexdigest()[:32]
    return Rules(criteria, event.completion_value, credit, terms, windows, basis)


def _terms(session: Session, window: Interval) -> SessionTerms:
    can_count = session.is_published and not session.is_cancelled and session.kind != Session.Kind.RECORDED
    return SessionTerms(
        key=str(session.pk),
        title=session.title,
        minutes=intervals.length(window),
        percent=session.attendance_percent,
        is_mandatory=session.is_mandatory,
        counts=can_count,
        credits=session.credits,
    )


def gathered(places: Collection[UUID]) -> dict[UUID, Evidence]:
    """Of each of the places, by three queries however many they are."""
    found: dict[UUID, Evidence] = {place: Evidence() for place in places}
    rows = AttendanceInterval.objects.filter(registration_id__in=places)
    for place, session, source, start, end in rows.values_list("registration_id", "session_id", "source", "started_at", "ended_at"):
        found[place].stays[str(session)].append(Stay(source, Interval(start, end)))
    doors = CheckIn.objects.filter(registration_id__in=places, undone_at=None)
    for place, session, at in doors.values_list("registration_id", "session_id", "at"):
        found[place].stays[str(session)].append(Stay("check_in", Interval(at)))
        found[place].checked_in.add(str(session))
    decisions = AttendanceOverride.objects.filter(registration_id__in=places, withdrawn_at=None)
    for place, session, decision in decisions.values_list("registration_id", "session_id", "decision"):
        if session is None:
            found[place].whole = Override(decision)
        else:
            found[place].decided[str(session)] = Override(decision)
    return found


def verdict(rules: Rules, evidence: Evidence) -> eligibility.Verdict:
    attended = evidence.attended(rules)
    return eligibility.evaluate(rules.criteria, rules.value, rules.sessions, attended, evidence.whole, rules.credit)
