"""The place that somebody records attendance of: locked, and confirmed."""

from uuid import UUID

from audit.actor import Actor
from core.errors import DomainError, NotFound
from events.models import Event, Session
from organizations.permissions import Permission, require
from registrations.models import Registration


class PlaceCancelled(DomainError):
    code, http_status = "PLACE_CANCELLED", 409

    def __init__(self) -> None:
        super().__init__("This registration is cancelled; the person has no place at the event.")


class PlaceNotConfirmed(DomainError):
    code, http_status = "PLACE_NOT_CONFIRMED", 409

    def __init__(self) -> None:
        super().__init__("This registration still waits for its payment or its confirmation; it is no place yet.")


def locked(registration_id: UUID, by: Actor) -> Registration:
    """The place with its row locked: whoever records attendance of it queues here, so that its verdict is worked out from all of it.

    FOR NO KEY UPDATE: rows that merely refer to it can still be written. Raises NotFound, PermissionRefused.
    """
    rows = Registration.objects.visible_to(by).select_for_update(of=["self"], no_key=True).select_related("event")
    place = rows.filter(pk=registration_id).first()
    if place is None:
        raise NotFound("registration")
    require_attendance(place.event, by)
    return place


def require_attendance(event: Event, by: Actor) -> None:
    """Raises PermissionRefused."""
    require(by, Permission.ATTENDANCE_MANAGE, event.organization_id, responsible_id=event.host_id)


def require_confirmed(place: Registration) -> None:
    """Raises PlaceCancelled, PlaceNotConfirmed."""
    if place.state == Registration.State.CANCELLED:
        raise PlaceCancelled
    if place.state != Registration.State.CONFIRMED:
        raise PlaceNotConfirmed


def session_of(place: Registration, session_id: UUID) -> Session:
    """A session of the place's event. Raises NotFound."""
    session = Session.objects.filter(pk=session_id, event_id=place.event_id).first()
    if session is None:
        raise NotFound("session")
    return session
