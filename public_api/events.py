"""Published events: the list and one event, as everybody may see them."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from core.public_ids import encode
from events.models import Event
from promo_codes import tries
from public_api import caching, event_detail, event_pages
from public_api.auth import ANYONE, actor
from public_api.envelope import ERRORS
from public_api.event_shapes import EventDetailOut, EventPage, Filters, QuoteIn, QuoteOut
from public_api.shapes import EventId
from public_api.throttling import QUOTE, READ
from registrations import attendees, discounting, quoting

router = Router()


@router.get("/events", response={200: EventPage, 304: None, **ERRORS}, operation_id="list_events", auth=ANYONE, throttle=READ)
def list_events(request: HttpRequest, filters: Query[Filters]) -> HttpResponse:
    """Published and listed events, one page at a time."""
    rows, more = event_pages.rows(filters)
    etag = event_pages.etag(rows, more)
    if caching.matches(request, etag):
        return caching.not_modified(request, etag)
    return caching.answer(request, event_pages.page(rows, more, filters), etag=etag)


@router.get("/events/{event}", response={200: EventDetailOut, 304: None, **ERRORS}, operation_id="get_event", auth=ANYONE, throttle=READ)
def get_event(request: HttpRequest, event: str) -> HttpResponse:
    """One event by its id or its slug, whether it is listed or not."""
    by = actor(request)
    return caching.answer(request, json.dumps(event_detail.page(event_detail.find(event, by), by)).encode())


@router.post("/events/{event_id}/quote", response={200: QuoteOut, **ERRORS}, operation_id="quote_event", auth=ANYONE, throttle=QUOTE)
def quote_event(request: HttpRequest, event_id: EventId, body: QuoteIn) -> dict[str, Any]:
    """What a place costs this buyer, in parts. Nothing is reserved: not the place, and not a use of the promo code."""
    by, at = actor(request), timezone.now()
    event = event_detail.find(encode(Event.public_prefix, event_id), by)
    code = None
    if body.promo_code:
        tries.count(by=by)
        code = discounting.usable(text=body.promo_code, event=event, attendee=attendees.looking(by), at=at)
    return event_detail.quote_parts(quoting.quote(event=event, country=body.country, at=at, code=code))
