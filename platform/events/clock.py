"""Events go live and end by the clock."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core import jobs
from events.models import Event

BY = Actor.system("events.clock")
_BATCH = 500


@jobs.task(outside=True)
def tick() -> None:
    """Bring every event to the state its times say; one that was missed is found by the next run.

    outside: each event has a transaction of its own, so that one that is locked by a registration holds up no other.
    """
    at = timezone.now()
    for event_id in Event.objects.due_to_end(at=at).values_list("pk", flat=True)[:_BATCH]:
        complete(event_id=event_id, at=at)
    for event_id in Event.objects.due_to_start(at=at).values_list("pk", flat=True)[:_BATCH]:
        go_live(event_id=event_id, at=at)


@transaction.atomic
def go_live(*, event_id: UUID, at: datetime) -> None:
    """No-op where the event is not due any more."""
    event = Event.objects.select_for_update(no_key=True).due_to_start(at=at).filter(pk=event_id).first()
    if event is not None:
        event.go_live()
        _save(event, "event.went_live")


@transaction.atomic
def complete(*, event_id: UUID, at: datetime) -> None:
    """No-op where the event is not due any more."""
    event = Event.objects.select_for_update(no_key=True).due_to_end(at=at).filter(pk=event_id).first()
    if event is not None:
        event.complete()
        _save(event, "event.completed")


def _save(event: Event, action: str) -> None:
    event.save(update_fields=["state", "updated_at"])
    record(event, action, by=BY, after={"state": event.state})
