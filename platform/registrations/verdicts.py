"""Who earned what, kept beside each confirmed place: worked out anew whenever something changes that decides, and the same if asked again.

Order of locks: event, registration. Whoever adds attendance holds the registration's lock, and so does whoever works its verdict out.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import NotFound
from events.models import Event
from organizations.permissions import Permission, require
from registrations import eligibility, evidence
from registrations.models import Registration, Verdict

BY = Actor.system("registrations.verdicts")
CHUNK = 500
SECONDS = 20.0  # one job's share; then the next job goes on
LOOKS_BACK = timedelta(days=30)  # how long after its end an event is still looked at by the clock; later changes work out their own
_FIELDS = ("is_eligible", "credits", "sessions_counted", "minutes", "reasons", "basis")


@dataclass(frozen=True, slots=True)
class Change:
    """What a place had earned and earns now; None before the first time."""

    registration_id: UUID
    before: tuple[bool, Decimal] | None
    after: tuple[bool, Decimal]

    @property
    def is_one(self) -> bool:
        return self.before is not None and self.before != self.after

    def told(self) -> str:
        """ "not earned, then 1.50 credits"."""
        said = [words(*each) for each in (self.before, self.after) if each is not None]
        return ", then ".join(said) if self.is_one else said[-1]


def words(eligible: bool, earned: Decimal) -> str:
    return f"{earned} credits" if eligible and earned else "completed" if eligible else "not earned"


def refresh(*, registration: Registration, by: Actor) -> Change | None:
    """Work out the verdict of one place, in the caller's transaction, which holds its lock. None where the place is not confirmed."""
    if registration.state != Registration.State.CONFIRMED:
        forget(registration_id=registration.pk)
        return None
    changes = _store(registration.event, [registration], by=by)
    return changes[0]


def forget(*, registration_id: UUID) -> None:
    """A place that was given up earns nothing."""
    Verdict.objects.filter(registration_id=registration_id).delete()


def _store(event: Event, places: Sequence[Registration], *, by: Actor) -> list[Change]:
    """Write the verdicts of places of one event, and into the audit log those that became others; the caller holds their locks."""
    rules = evidence.rules_of(event, event.sessions.all())
    recorded = evidence.gathered([place.pk for place in places])
    had = {one.registration_id: one for one in Verdict.objects.filter(registration__in=places)}
    rows, changes = [], []
    for place in places:
        found, before = evidence.verdict(rules, recorded[place.pk]), had.get(place.pk)
        rows.append(_row(event, place, found, rules.basis))
        change = Change(place.pk, (before.is_eligible, before.credits) if before else None, (found.eligible, found.credits))
        changes.append(change)
        if before is not None and change.is_one:
            after = {"earned": words(*change.after), "reasons": list(found.reasons)}
            told = {"earned": words(before.is_eligible, before.credits)}
            record(place, "registration.verdict_changed", by=by, organization_id=event.organization_id, before=told, after=after)
    Verdict.objects.bulk_create(rows, update_conflicts=True, unique_fields=["registration"], update_fields=[*_FIELDS, "updated_at"])
    return changes


def _row(event: Event, place: Registration, found: eligibility.Verdict, basis: str) -> Verdict:
    return Verdict(
        registration=place,
        event=event,
        is_eligible=found.eligible,
        credits=found.credits,
        sessions_counted=len(found.counted),
        minutes=found.minutes,
        reasons=list(found.reasons),
        basis=basis,
    )


@transaction.atomic
def recalculate(*, event_id: UUID, by: Actor) -> Event:
    """Have all verdicts of an event worked out anew; queued on return. Raises NotFound, PermissionRefused."""
    event = Event.objects.visible_to(by).filter(pk=event_id).first()
    if event is None:
        raise NotFound("event")
    require(by, Permission.ATTENDANCE_MANAGE, event.organization_id, responsible_id=event.host_id)
    record(event, "event.verdicts_requested", by=by)
    jobs.enqueue(recompute, event_id=event.pk)
    return event


def outdated(event: Event, *, most: int | None = None) -> list[Change]:
    """What working out anew would change now, against what is kept; nothing is written. most: how many places are looked at."""
    rules = evidence.rules_of(event, event.sessions.all())
    places = Registration.objects.filter(event=event, state=Registration.State.CONFIRMED).order_by("pk")
    found: list[Change] = []
    keys = list(places.values_list("pk", flat=True)[:most])
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        recorded = evidence.gathered(part)
        had = {
            row[0]: (row[1], row[2]) for row in Verdict.objects.filter(registration__in=part).values_list("registration_id", *_FIELDS[:2])
        }
        for key in part:
            verdict = evidence.verdict(rules, recorded[key])
            change = Change(key, had.get(key, (False, Decimal(0))), (verdict.eligible, verdict.credits))
            found += [change] if change.is_one else []
    return found


@jobs.task(queue="bulk", outside=True)
def recompute(*, event_id: UUID, after: UUID | None = None) -> None:
    """Work out the verdicts of an event's places beyond `after`, part by part. Repeatable: the same attendance has the same verdict."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        after = _recompute_chunk(event_id, after)
        if after is None:
            return
    with transaction.atomic():
        jobs.enqueue(recompute, event_id=event_id, after=after)


@transaction.atomic
def _recompute_chunk(event_id: UUID, after: UUID | None) -> UUID | None:
    """The last place that was worked out, None where there are no more."""
    event = Event.objects.filter(pk=event_id).first()
    if event is None:
        return None
    rows = Registration.objects.filter(event=event, state=Registration.State.CONFIRMED).order_by("pk")
    rows = rows.filter(pk__gt=after) if after else rows
    places = list(rows.select_for_update(no_key=True)[:CHUNK])  # nobody adds attendance to them between our look and our commit
    if not places:
        return None
    _store(event, places, by=BY)
    return places[-1].pk


@jobs.task()
def sweep() -> None:
    """Queue every event that has begun and has places whose verdict is missing or goes by a rule that is not the event's any more."""
    now = timezone.now()
    for event in Event.objects.filter(starts_at__lte=now, ends_at__gt=now - LOOKS_BACK).exclude(state="draft").order_by("pk"):
        basis = evidence.rules_of(event, event.sessions.all()).basis
        places = Registration.objects.filter(event=event, state=Registration.State.CONFIRMED)
        if places.filter(Q(verdict=None) | ~Q(verdict__basis=basis)).exists():
            jobs.enqueue(recompute, event_id=event.pk, after=None)
