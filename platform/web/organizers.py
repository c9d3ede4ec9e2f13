"""The public directory of organizers, and the profile of one: only of those that opted in."""

from typing import Any
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from core import full_text
from core.errors import NotFound
from events.models import Event
from organizations import branding
from organizations.models import Organization
from web.events import summary

_PER_PAGE = 20
_EVENTS = 50
_PLACES = Signer(salt="web.organizers")


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """By name, found by the beginnings of words; pages go on from the last name."""
    words = request.GET.get("search", "").strip()[:100]
    rows = Organization.objects.public().order_by("name", "id")
    if words:
        rows = full_text.matching(rows, words)
    found = list(_after(rows, request.GET.get("after", ""))[: _PER_PAGE + 1])
    shown = found[:_PER_PAGE]
    more = _PLACES.sign_object([shown[-1].name, shown[-1].pk.hex]) if len(found) > _PER_PAGE else ""
    return render(request, "web/organizers.html", {"organizations": shown, "search": words, "more": more})


def _after(rows: QuerySet[Organization], place: str) -> QuerySet[Organization]:
    """From the start where the place is none of ours."""
    try:
        name, key = _PLACES.unsign_object(place) if place else (None, None)
    except (BadSignature, ValueError):
        return rows
    return rows if name is None else rows.filter(Q(name__gt=name) | Q(name=name, id__gt=UUID(key)), name__gte=name)


@require_safe
def profile(request: HttpRequest, slug: str) -> HttpResponse:
    """What the organization says of itself, and its upcoming public events."""
    organization = get_object_or_404(Organization.objects.public(), slug=slug)
    upcoming = Event.objects.public().filter(organization=organization).upcoming(at=timezone.now()).select_related("organization")
    events: list[dict[str, Any]] = [summary(event) for event in upcoming.order_by("starts_at", "id")[:_EVENTS]]
    return render(request, "web/organizer.html", {"organization": organization, "events": events})


@require_GET
def logo(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_object_or_404(Organization.objects.public(), slug=slug)
    headers = {"Cache-Control": "public, max-age=300", "Content-Security-Policy": "default-src 'none'"}
    try:
        return HttpResponse(branding.logo(organization), content_type="image/png", headers=headers)
    except NotFound as error:
        raise Http404 from error
