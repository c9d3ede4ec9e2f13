"""The public directory of organizers and their profiles, and making an organization of one's own."""

import json
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import StringConstraints

from core import full_text
from core.errors import NotFound
from core.public_ids import decode
from events.models import Event
from organizations import creating
from organizations.models import Organization
from public_api import caching, event_pages, idempotency
from public_api.auth import ANYONE, SIGNED_IN, actor
from public_api.envelope import ERRORS
from public_api.event_shapes import EventOut
from public_api.idempotency import Key
from public_api.pagination import InvalidCursor, Page, cursor_for, read_cursor
from public_api.shapes import Body, Line, Text
from public_api.throttling import READ, WRITE

router = Router()
_EVENTS = 50


class ProfileOut(Schema):
    """logo: address of a PNG, null where there is none. brand_color: #rrggbb, or empty."""

    id: str
    slug: str
    name: str
    description: str
    website: str
    country: str
    brand_color: str
    logo: str | None


class ProfilePage(Schema):
    items: list[ProfileOut]
    next: str | None


class ProfileDetailOut(ProfileOut):
    """events: upcoming public ones, the soonest first, fifty at most; GET /events?organization= has all of them."""

    events: list[EventOut]


class OrganizersWanted(Page):
    search: Annotated[Text, StringConstraints(max_length=100)] = ""


class Kind(StrEnum):
    PERSONAL = Organization.Kind.PERSONAL.value
    TEAM = Organization.Kind.TEAM.value


class OrganizationIn(Body):
    name: Line
    kind: Kind
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class OrganizationOut(Schema):
    id: str
    slug: str
    name: str
    kind: Kind
    country: str


@router.get(
    "/public/organizations", response={200: ProfilePage, 304: None, **ERRORS}, operation_id="list_organizers", auth=ANYONE, throttle=READ
)
def list_organizers(request: HttpRequest, wanted: Query[OrganizersWanted]) -> HttpResponse:
    """Organizations that opted in to the directory, by name."""
    rows = Organization.objects.public().order_by("name", "id")
    if wanted.search.strip():
        rows = full_text.matching(rows, wanted.search)
    found = list(_after(rows, wanted)[: wanted.limit + 1])
    shown = found[: wanted.limit]
    more = cursor_for(listing="organizers", values=[shown[-1].name, shown[-1].pk.hex]) if len(found) > wanted.limit else None
    return caching.answer(request, json.dumps({"items": [_shown(one) for one in shown], "next": more}).encode())


def _after(rows: QuerySet[Organization], wanted: OrganizersWanted) -> QuerySet[Organization]:
    if wanted.cursor is None:
        return rows
    try:
        name, hexadecimal = read_cursor(wanted.cursor, listing="organizers")
        key = UUID(hexadecimal)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidCursor from error
    return rows.filter(Q(name__gt=name) | Q(name=name, id__gt=key), name__gte=name)


@router.get(
    "/public/organizations/{organization}",
    response={200: ProfileDetailOut, 304: None, **ERRORS},
    operation_id="get_organizer",
    auth=ANYONE,
    throttle=READ,
)
def get_organizer(request: HttpRequest, organization: str) -> HttpResponse:
    """One of them by its id or its slug, with its upcoming public events."""
    found = Organization.objects.public().filter(_named(organization)).first()
    if found is None:
        raise NotFound("organization")
    at = timezone.now()
    upcoming = Event.objects.public().filter(organization=found).upcoming(at=at).select_related("organization")
    events = [event_pages.item(event_pages.row(event), at) for event in upcoming.order_by("starts_at", "id")[:_EVENTS]]
    return caching.answer(request, json.dumps({**_shown(found), "events": events}).encode())


def _named(text: str) -> Q:
    try:
        return Q(pk=decode(Organization.public_prefix, text))
    except ValueError:
        return Q(slug=text) if text.isprintable() else Q(pk=None)


def _shown(organization: Organization) -> dict[str, Any]:
    fields = ("slug", "name", "description", "website", "country", "brand_color")
    logo = f"{settings.BASE_URL}/organizers/{organization.slug}/logo.png" if organization.logo else None
    return {"id": organization.public_id, **{name: getattr(organization, name) for name in fields}, "logo": logo}


@router.post(
    "/organizations", response={201: OrganizationOut, **ERRORS}, operation_id="create_organization", auth=SIGNED_IN, throttle=WRITE
)
def create_organization(request: HttpRequest, body: OrganizationIn, idempotency_key: Key) -> HttpResponse:
    """A new organization with oneself as its admin; the address of the account must be verified."""
    by = actor(request)

    def perform() -> tuple[int, dict[str, Any]]:
        made = creating.create(name=body.name, kind=body.kind.value, country=body.country, by=by)
        return 201, {"id": made.public_id, "slug": made.slug, "name": made.name, "kind": str(made.kind), "country": made.country}

    return idempotency.once(request, by=by, route="create_organization", key=idempotency_key, perform=perform).respond()
