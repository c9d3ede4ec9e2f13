"""Reading and writing a page of the public list: one query for plain rows, JSON straight from them, since this is what is read most."""

import hashlib
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from core import full_text
from core.public_ids import decode, encode
from events.models import Event
from organizations.models import Organization
from public_api.pagination import InvalidCursor, cursor_for, read_cursor

_COLUMNS = (
    "id",
    "slug",
    "title",
    "format",
    "starts_at",
    "ends_at",
    "time_zone",
    "price_amount",
    "currency",
    "credits",
    "credit_type",
    "capacity",
    "seats_taken",
    "registration_opens_at",
    "registration_closes_at",
    "organization_id",
    "organization__slug",
    "organization__name",
)
type Row = tuple[Any, ...]
event_id = lru_cache(maxsize=8192)(lambda key: encode(Event.public_prefix, key))
organization_id = lru_cache(maxsize=4096)(lambda key: encode(Organization.public_prefix, key))


class Wanted(Protocol):
    search: str
    format: Any
    price: Any
    starts_after: datetime | None
    starts_before: datetime | None
    organization: str | None
    order: Any
    cursor: str | None
    limit: int


def rows(wanted: Wanted) -> tuple[list[Row], bool]:
    """One page of rows, and whether there are more after it. Raises InvalidCursor."""
    events = _filtered(Event.objects.public(), wanted)
    events = _after(events, wanted).order_by(*_ordering(wanted))
    found = list(events.values_list(*_COLUMNS)[: wanted.limit + 1])
    return found[: wanted.limit], len(found) > wanted.limit


def _ordering(wanted: Wanted) -> tuple[str, str]:
    return ("-starts_at", "-id") if wanted.order == "-starts_at" else ("starts_at", "id")


def _filtered(events: QuerySet[Event], wanted: Wanted) -> QuerySet[Event]:
    if wanted.search.strip():
        events = _found(events, wanted.search)
    if wanted.format is not None:
        events = events.filter(format=wanted.format.value)
    if wanted.price is not None:
        events = events.filter(price_amount=0) if wanted.price == "free" else events.filter(price_amount__gt=0)
    if wanted.starts_after is not None:
        events = events.filter(starts_at__gte=wanted.starts_after)
    if wanted.starts_before is not None:
        events = events.filter(starts_at__lt=wanted.starts_before)
    return events.filter(_organizer(wanted.organization)) if wanted.organization else events


def _found(events: QuerySet[Event], text: str) -> QuerySet[Event]:
    """Every term begins a word of the title, or every term a word of the organizer's name; both by their index."""
    if not full_text.terms_of(text):
        return events.none()
    organizers = list(full_text.matching(Organization.objects.order_by(), text).values_list("pk", flat=True)[:200])
    titled = Q(words_=full_text.query(text))
    wanted = titled | Q(organization_id__in=organizers) if organizers else titled
    return events.alias(words_=full_text.Words(*full_text.indexed(Event))).filter(wanted)


def _organizer(named: str) -> Q:
    """By typed id or by slug."""
    try:
        return Q(organization_id=decode(Organization.public_prefix, named))
    except ValueError:
        return Q(organization__slug=named)


def _after(events: QuerySet[Event], wanted: Wanted) -> QuerySet[Event]:
    if wanted.cursor is None:
        return events
    try:
        text, hexadecimal = read_cursor(wanted.cursor, listing=f"events:{wanted.order}")
        last, key = datetime.fromisoformat(text), UUID(hexadecimal)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidCursor from error
    if wanted.order == "-starts_at":
        return events.filter(Q(starts_at__lt=last) | Q(starts_at=last, id__lt=key), starts_at__lte=last)
    return events.filter(Q(starts_at__gt=last) | Q(starts_at=last, id__gt=key), starts_at__gte=last)


def etag(found: list[Row], more: bool) -> str:
    """Strong: the page's bytes follow from these rows and the minute, which decides about registration_open."""
    minute = timezone.now().replace(second=0, microsecond=0)
    return f'"{hashlib.blake2b(repr((found, more, minute)).encode(), digest_size=16).hexdigest()}"'


def page(found: list[Row], more: bool, wanted: Wanted) -> bytes:
    at = timezone.now()
    last = found[-1] if more else None
    following = cursor_for(listing=f"events:{wanted.order}", values=[last[4].isoformat(), last[0].hex]) if last else None
    return json.dumps({"items": [item(row, at) for row in found], "next": following}).encode()


def utc(value: datetime) -> str:
    """The connection's times are UTC already."""
    return f"{value.replace(tzinfo=None, microsecond=0).isoformat()}Z"


def item(row: Row, at: datetime) -> dict[str, Any]:
    (
        key,
        slug,
        title,
        form,
        starts,
        ends,
        zone,
        price,
        currency,
        amount,
        kind,
        capacity,
        taken,
        opens,
        closes,
        owner,
        owner_slug,
        name,
    ) = row
    return {
        "id": event_id(key),
        "slug": slug,
        "title": title,
        "format": form,
        "starts_at": utc(starts),
        "ends_at": utc(ends),
        "time_zone": zone,
        "price": {"amount": price, "currency": currency},
        "credits": {"amount": str(amount), "type": kind} if amount else None,
        "places_left": capacity - taken,
        "registration_open": capacity > taken and at < (closes or starts) and (opens is None or opens <= at),
        "organization": {"id": organization_id(owner), "slug": owner_slug, "name": name},
    }


def row(event: Event) -> Row:
    """The same columns of an event that was read whole."""
    own = [getattr(event, column) for column in _COLUMNS[:-2]]
    return (*own, event.organization.slug, event.organization.name)


def from_json(text: str) -> str:
    """A time as PostgreSQL writes it into JSON."""
    return utc(datetime.fromisoformat(text).astimezone(UTC))
