"""Changing what completing an event takes: first who would gain and who would lose, then, confirmed by the hash of just that, the change.

Nothing that was issued is taken back by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from events import completion, locking
from events.models import Event, Session
from organizations.permissions import Permission, require
from registrations import evidence, verdicts
from registrations.models import Registration

_CHUNK = 1_000


class RuleChanges(TypedDict, total=False):
    """completion_value: None with all sessions; credits: what the event gives where they do not go by session."""

    completion_rule: str
    completion_value: int | None
    credits: Decimal
    credits_by_session: bool
    credit_hour_minutes: int
    credit_step: Decimal
    credit_rounding: str


class SessionRuleChanges(TypedDict, total=False):
    """credits: None for what the session's length gives."""

    is_mandatory: bool
    is_published: bool
    is_cancelled: bool
    kind: str
    attendance_percent: int
    credits: Decimal | None


@dataclass(frozen=True, slots=True)
class Affected:
    """One place whose outcome the change would turn into another: whether it is completed, and the credits."""

    registration_id: UUID
    before: tuple[bool, Decimal]
    after: tuple[bool, Decimal]

    @property
    def gains(self) -> bool:
        return self.after > self.before

    def told(self) -> str:
        return f"{verdicts.words(*self.before)}, then {verdicts.words(*self.after)}"


@dataclass(frozen=True, slots=True)
class WhatIf:
    """affected: in order of their places; places: how many there are in all; seal: of exactly this, empty where nobody is affected."""

    affected: tuple[Affected, ...]
    places: int
    seal: str

    @property
    def gaining(self) -> list[Affected]:
        return [one for one in self.affected if one.gains]

    @property
    def losing(self) -> list[Affected]:
        return [one for one in self.affected if not one.gains]

    def summary(self) -> str:
        """ "Of 12 people, 2 gain and 1 loses." """
        if not self.affected:
            return "Nobody gains or loses by it."
        gain, lose = len(self.gaining), len(self.losing)
        return (
            f"Of {self.places} {'person' if self.places == 1 else 'people'}, {gain} {_verb(gain, 'gain')} and {lose} {_verb(lose, 'lose')}."
        )


def _verb(count: int, verb: str) -> str:
    return f"{verb}s" if count == 1 else verb


class EffectNotConfirmed(DomainError):
    """what_if: what the change would do now; its seal confirms it."""

    code, http_status = "EFFECT_NOT_CONFIRMED", 409

    def __init__(self, what_if: WhatIf) -> None:
        self.what_if = what_if
        super().__init__(f"{what_if.summary()} Look at who, then confirm.")

    @property
    def details(self) -> dict[str, Any]:
        return {"gain": len(self.what_if.gaining), "lose": len(self.what_if.losing), "seal": self.what_if.seal}


def what_if(event: Event, *, changes: RuleChanges, sessions: Mapping[UUID, SessionRuleChanges] | None = None) -> WhatIf:
    """Who would gain and lose, of the confirmed places as their attendance is now; nothing is written. Raises InvalidInput."""
    before = evidence.rules_of(event, event.sessions.all())
    changed = _changed_sessions(event, sessions or {})
    after = evidence.rules_of(_changed(event, changes, changed), changed)
    keys = list(Registration.objects.filter(event=event, state="confirmed").order_by("pk").values_list("pk", flat=True))
    affected: list[Affected] = []
    for start in range(0, len(keys), _CHUNK):
        recorded = evidence.gathered(keys[start : start + _CHUNK])
        for key, found in recorded.items():
            had, has = evidence.verdict(before, found), evidence.verdict(after, found)
            one = Affected(key, (had.eligible, had.credits), (has.eligible, has.credits))
            affected += [one] if one.before != one.after else []
    return WhatIf(tuple(affected), len(keys), _seal(event, after, affected) if affected else "")


def _seal(event: Event, after: evidence.Rules, affected: list[Affected]) -> str:
    said = repr((event.pk, after.basis, [(one.registration_id, one.before, one.after) for one in affected]))
    return sha256(said.encode()).hexdigest()


def _changed(event: Event, changes: RuleChanges, sessions: list[Session]) -> Event:
    """A copy of the event that is not saved, with the new rule. Raises InvalidInput where no rule could be so."""
    copy = Event.objects.get(pk=event.pk)
    for name, value in changes.items():
        setattr(copy, name, value)
    wrong = {
        "completion_rule": None if copy.completion_rule in completion.Rule.values else "Choose one of the rules.",
        "completion_value": completion.value_failure(
            copy.completion_rule, copy.completion_value, len(completion.countable(sessions)) if sessions else None
        ),
        "credits": None if _is_credit(copy.credits) else "Give the credits as a number from 0 with at most two decimals.",
        "credit_hour_minutes": None if copy.credit_hour_minutes in completion.HOURS else "Choose an hour of 60 or of 50 minutes.",
        "credit_step": None if copy.credit_step in completion.STEPS else "Choose a step of 0.2, 0.25, 0.5 or 1.",
        "credit_rounding": None if copy.credit_rounding in completion.Rounding.values else "Choose to round down or to the nearest step.",
    }
    for field, sentence in wrong.items():
        if sentence:
            raise InvalidInput(sentence, field=field)
    return copy


def _is_credit(value: Decimal) -> bool:
    return value.is_finite() and 0 <= value < 10_000 and value == value.quantize(Decimal("0.01"))


def _changed_sessions(event: Event, changes: Mapping[UUID, SessionRuleChanges]) -> list[Session]:
    """The event's sessions, not saved, with what they would count for. Raises InvalidInput."""
    found = list(event.sessions.all())
    for session in found:
        for name, value in changes.get(session.pk, {}).items():
            setattr(session, name, value)
        if not 0 <= session.attendance_percent <= 100:
            raise InvalidInput("Give the share of the session from 0 to 100 percent.", field="attendance_percent")
        if session.kind not in Session.Kind.values:
            raise InvalidInput("Choose live or recorded.", field="kind")
        if session.credits is not None and not _is_credit(session.credits):
            raise InvalidInput("Give the credits as a number from 0 with at most two decimals, or leave them empty.", field="credits")
    if found and not completion.countable(found) and event.state != Event.State.DRAFT:
        raise InvalidInput("Keep at least one session that can count: published, not cancelled and live.", field="is_cancelled")
    return found


@transaction.atomic
def change(*, event_id: UUID, by: Actor, seal: str = "", **changes: Unpack[RuleChanges]) -> Event:
    """The event goes by the new rule, and every verdict is queued to be worked out anew.

    seal: of the preview that was looked at; it is needed as soon as anybody gains or loses, and must be of just what happens now.
    Raises NotFound, PermissionRefused, InvalidInput, EffectNotConfirmed.
    """
    event = locking.locked(event_id, by)
    require(by, Permission.EVENT_MANAGE, event.organization_id, responsible_id=event.host_id)
    found = what_if(event, changes=changes)
    _require_confirmed(found, seal)
    before = {name: getattr(event, name) for name, value in changes.items() if getattr(event, name) != value}
    if not before:
        return event
    for name in before:
        setattr(event, name, changes[name])  # type: ignore[literal-required]
    event.save(update_fields=[*before, "updated_at"])
    after = {**{name: getattr(event, name) for name in before}, **_counts(found)}
    record(event, "event.completion_changed", by=by, before=before, after=after)
    jobs.enqueue(verdicts.recompute, event_id=event.pk, after=None)
    return event


@transaction.atomic
def change_session(*, session_id: UUID, by: Actor, seal: str = "", **changes: Unpack[SessionRuleChanges]) -> Session:
    """What one session counts for, and whether it can count at all; otherwise as `change`."""
    seen = Session.objects.visible_to(by).filter(pk=session_id).first()
    if seen is None:
        raise NotFound("session")
    event = locking.locked(seen.event_id, by)
    require(by, Permission.EVENT_MANAGE, event.organization_id, responsible_id=event.host_id)
    session = event.sessions.filter(pk=session_id).first()  # read again under the event's lock: it may just have been removed
    if session is None:
        raise NotFound("session")
    found = what_if(event, changes={}, sessions={session.pk: changes})
    _require_confirmed(found, seal)
    before = {name: getattr(session, name) for name, value in changes.items() if getattr(session, name) != value}
    if not before:
        return session
    for name in before:
        setattr(session, name, changes[name])  # type: ignore[literal-required]
    session.save(update_fields=[*before, "updated_at"])
    after = {**{name: getattr(session, name) for name in before}, **_counts(found)}
    record(session, "session.completion_changed", by=by, organization_id=event.organization_id, before=before, after=after)
    jobs.enqueue(verdicts.recompute, event_id=event.pk, after=None)
    return session


def _require_confirmed(found: WhatIf, seal: str) -> None:
    if found.affected and seal != found.seal:
        raise EffectNotConfirmed(found)


def _counts(found: WhatIf) -> dict[str, int]:
    return {"gain": len(found.gaining), "lose": len(found.losing)}
