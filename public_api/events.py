"""Published events: the list and one event, as everybody may see them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, StringConstraints

from events.models import Event
from public_api import caching, event_pages
from public_api.auth import ANYONE
from public_api.envelope import ERRORS
from public_api.pagination import Cursor, Limit
from public_api.shapes import MoneyOut, Text
from public_api.throttling import READ

router = Router()


class Order(StrEnum):
    SOONEST = "starts_at"
    LATEST = "-starts_at"


class Price(StrEnum):
    FREE = "free"
    PAID = "paid"


class Format(StrEnum):
    IN_PERSON = Event.Format.IN_PERSON.value
    ONLINE = Event.Format.ONLINE.value
    HYBRID = Event.Format.HYBRID.value


class Filters(Schema):
    """search: every word must occur in the title or the organizer's name. order: closed list; the cursor belongs to it."""

    search: Annotated[Text, StringConstraints(max_length=200)] = ""
    format: Format | None = None
    price: Price | None = None
    starts_after: AwareDatetime | None = None
    starts_before: AwareDatetime | None = None
    organization: Annotated[str, StringConstraints(max_length=80, pattern=r"^[\w-]+$")] | None = None
    order: Order = Order.SOONEST
    cursor: Cursor | None = None
    limit: Limit = 20


class OrganizerOut(Schema):
    id: str
    slug: str
    name: str


class CreditsOut(Schema):
    amount: str
    type: str


class EventOut(Schema):
    """places_left counts held places as taken; registration_open is what holds at this moment."""

    id: str
    slug: str
    title: str
    format: Format
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    price: MoneyOut
    credits: CreditsOut | None
    places_left: int
    registration_open: bool
    organization: OrganizerOut


class EventPage(Schema):
    items: list[EventOut]
    next: str | None


@router.get("/events", response={200: EventPage, 304: None, **ERRORS}, operation_id="list_events", auth=ANYONE, throttle=READ)
def list_events(request: HttpRequest, filters: Query[Filters]) -> HttpResponse:
    """Published and listed events, one page at a time."""
    rows, more = event_pages.rows(filters)
    etag = event_pages.etag(rows, more)
    if caching.matches(request, etag):
        return caching.not_modified(request, etag)
    return caching.answer(request, event_pages.page(rows, more, filters), etag=etag)
