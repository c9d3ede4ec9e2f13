"""How an event's row is locked. Order of locks everywhere: payment, organization, event, registration."""

from uuid import UUID

from audit.actor import Actor
from core.errors import NotFound
from events.models import Event
from organizations import locking


def locked(event_id: UUID, by: Actor) -> Event:
    """The event with its row locked, so that nobody registers meanwhile on terms that are being changed. Raises NotFound.

    FOR NO KEY UPDATE: rows that merely refer to the event can still be written.
    """
    rows = Event.objects.visible_to(by).select_for_update(of=["self"], no_key=True).select_related("organization")
    event = rows.filter(pk=event_id).first()
    if event is None:
        raise NotFound("event")
    return event


def locked_in_open_organization(event_id: UUID, by: Actor) -> Event:
    """The same, and its organization's row first: whoever closes that meanwhile waits, or has done so. Raises NotFound."""
    organization_id = Event.objects.visible_to(by).filter(pk=event_id).values_list("organization_id", flat=True).first()
    if organization_id is None:
        raise NotFound("event")
    locking.locked(organization_id, by)
    return locked(event_id, by)
