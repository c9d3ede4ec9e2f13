"""What an organization's events mean for its members and for closing it: the answer to organizations.belongings."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.actor import Actor
from audit.recording import record
from core.public_ids import encode
from events import publishing
from events.models import Event, Session
from organizations.belongings import Blocker, Held, Table

_EVENT = ("id", "title", "state", "format", "starts_at", "ends_at", "time_zone", "venue", "capacity", "seats_taken", "currency")
_SESSION = ("id", "event_id", "title", "starts_at", "ends_at", "is_mandatory")
_AT_ONCE = 2_000


class EventBelongings:
    def held(self, *, organization_id: UUID, user_id: UUID) -> list[Held]:
        return [Held("events", Event.objects.filter(organization_id=organization_id, host_id=user_id).count())]

    def hand_over(self, *, organization_id: UUID, from_user_id: UUID, to_user_id: UUID, by: Actor) -> None:
        """Past events too: their registrations and money still need somebody who answers for them."""
        hosted = Event.objects.filter(organization_id=organization_id, host_id=from_user_id).order_by("pk")
        for event in hosted.select_for_update(of=["self"], no_key=True):
            event.host_id = to_user_id
            event.save(update_fields=["host", "updated_at"])
            record(event, "event.handed_over", by=by, before={"host_id": from_user_id}, after={"host_id": to_user_id})

    def blockers(self, *, organization_id: UUID, at: datetime) -> list[Blocker]:
        """Events under way, and future ones that people have places at."""
        ahead = Event.objects.filter(organization_id=organization_id, state__in=["published", "live"], ends_at__gt=at)
        taken = ahead.filter(seats_taken__gt=0).count()
        found = []
        if taken:
            sentence = f"{Held('events', taken)} still ahead with places taken: hold them, or cancel the places and refund what was paid."
            found.append(Blocker("events_ahead", sentence))
        if ahead.filter(state=Event.State.LIVE, seats_taken=0).exists():
            found.append(Blocker("event_live", "An event is under way; wait until it has ended."))
        return found

    def archive(self, *, organization_id: UUID, at: datetime, by: Actor) -> None:
        """What is published and ahead goes back to draft: nobody has a place there, or it would block."""
        ahead = Event.objects.filter(organization_id=organization_id, state=Event.State.PUBLISHED, starts_at__gt=at).order_by("pk")
        for event_id in ahead.values_list("pk", flat=True):
            publishing.unpublish(event_id=event_id, by=by)

    def export(self, *, organization_id: UUID) -> list[Table]:
        return [
            Table("events", (*_EVENT, "price"), _events(organization_id)),
            Table("sessions", _SESSION, _sessions(organization_id)),
        ]


def _events(organization_id: UUID) -> Iterator[Sequence[Any]]:
    for event in Event.objects.filter(organization_id=organization_id).order_by("pk").iterator(chunk_size=_AT_ONCE):
        yield [event.public_id, *(getattr(event, name) for name in _EVENT[1:]), event.price.major]


def _sessions(organization_id: UUID) -> Iterator[Sequence[Any]]:
    rows = Session.objects.filter(event__organization_id=organization_id).order_by("pk").values_list(*_SESSION)
    for key, event_id, *rest in rows.iterator(chunk_size=_AT_ONCE):
        yield [encode(Session.public_prefix, key), encode(Event.public_prefix, event_id), *rest]
