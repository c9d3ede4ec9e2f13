"""One person's outcome, session by session: what is recorded, what counts, and why or why not. The same for them and for the organizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from events.models import Session
from registrations import eligibility, evidence
from registrations.eligibility import SessionVerdict
from registrations.evidence import Stay
from registrations.models import Registration


@dataclass(frozen=True, slots=True)
class Sitting:
    """stays: what said that they were there; can_count: whether it counts towards anything at all."""

    session: Session
    can_count: bool
    outcome: SessionVerdict
    stays: Sequence[Stay]

    @property
    def why(self) -> str:
        """ "31 of 48 minutes"."""
        return self.outcome.why if self.can_count else "does not count towards completion"


@dataclass(frozen=True, slots=True)
class Explanation:
    """verdict: worked out at this moment, not read."""

    verdict: eligibility.Verdict
    sittings: Sequence[Sitting]


def explain(registration: Registration, *, published_only: bool = False) -> Explanation:
    """Of a place with its event loaded, by four queries. published_only: leave out sessions that attendees do not see."""
    sessions = sorted(registration.event.sessions.all(), key=lambda one: (one.starts_at, one.pk))
    rules, found = evidence.rules_of(registration.event, sessions), evidence.gathered([registration.pk])[registration.pk]
    attended = found.attended(rules)
    terms = {one.key: one for one in rules.sessions}
    sittings = [
        Sitting(
            session,
            terms[str(session.pk)].counts,
            eligibility.judge(terms[str(session.pk)], attended[str(session.pk)], found.whole),
            sorted(found.stays.get(str(session.pk), ()), key=lambda stay: stay.interval.started_at),
        )
        for session in sessions
        if session.is_published or not published_only
    ]
    if registration.state != Registration.State.CONFIRMED:
        return Explanation(eligibility.Verdict(False, Decimal(0), ("The registration is not confirmed.",)), sittings)
    return Explanation(evidence.verdict(rules, found), sittings)
