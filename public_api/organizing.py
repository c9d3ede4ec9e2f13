"""Thin doors for organizers: publishing, and who is coming."""

from enum import StrEnum
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from core.errors import NotFound
from core.public_ids import encode
from events import publishing
from events.models import Event
from public_api import event_detail, registrations
from public_api import registration_shapes as shapes
from public_api.auth import SIGNED_IN, actor
from public_api.envelope import ERRORS
from public_api.event_shapes import EventDetailOut
from public_api.pagination import Page, keyset_page
from public_api.registration_shapes import ListedRegistrationOut
from public_api.shapes import EventId
from public_api.throttling import READ, WRITE
from registrations.models import Registration

router = Router(auth=SIGNED_IN)


class State(StrEnum):
    PENDING = Registration.State.PENDING.value
    CONFIRMED = Registration.State.CONFIRMED.value
    CANCELLED = Registration.State.CANCELLED.value


class Wanted(Page):
    state: State | None = None


class RegistrationPage(Schema):
    items: list[ListedRegistrationOut]
    next: str | None


@router.post("/events/{event_id}/publish", response={200: EventDetailOut, **ERRORS}, operation_id="publish_event", throttle=WRITE)
def publish_event(request: HttpRequest, event_id: EventId) -> dict[str, Any]:
    """People can see the event and register. A refusal names everything that is missing at once (`details.failures`)."""
    by = actor(request)
    publishing.publish(event_id=event_id, by=by)
    return event_detail.page(event_detail.find(encode(Event.public_prefix, event_id), by), by)


@registrations.router.get(  # one address, two methods: one router must hold both, or one of them is never reached
    "/events/{event_id}/registrations",
    response={200: RegistrationPage, **ERRORS},
    operation_id="list_event_registrations",
    auth=SIGNED_IN,
    throttle=READ,
)
def list_event_registrations(request: HttpRequest, event_id: EventId, wanted: Query[Wanted]) -> dict[str, Any]:
    """Who registered for an event of one's organization, the latest first."""
    by = actor(request)
    if not Event.objects.visible_to(by).filter(pk=event_id).exists():
        raise NotFound("event")
    rows = Registration.objects.visible_to(by).filter(event_id=event_id)
    if wanted.state is not None:
        rows = rows.filter(state=wanted.state.value)
    found, following = keyset_page(rows.values_list(*shapes.LISTED), wanted, listing=f"registrations:{event_id}")
    return {"items": [shapes.listed(row) for row in found], "next": following}
