"""One event with everything that somebody decides by: sessions, refund policy, price in parts, their own place."""

import json
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.db.models.functions import JSONObject
from django.utils import timezone

from audit.actor import Actor
from billing import refund_terms
from billing.quoting import Quote, TotalAboveMaximum, TotalBelowMinimum
from core.errors import NotFound
from core.public_ids import decode, encode
from events.models import Event, Session
from public_api import event_pages
from public_api.shapes import moment, money
from registrations import quoting
from registrations.models import Registration

_SESSION = JSONObject(id="id", title="title", starts_at="starts_at", ends_at="ends_at", is_mandatory="is_mandatory")


def find(named: str, by: Actor) -> Event:
    """By typed id or by slug: whatever was ever published, and drafts for those who work on them. Raises NotFound."""
    event = _whole(Event.objects.reachable().filter(_named(named)))
    if event is None and by.user_id is not None:
        event = _whole(Event.objects.visible_to(by).filter(_named(named)))
    if event is None:
        raise NotFound("event")
    return event


def _whole(rows: QuerySet[Event]) -> Event | None:
    """With its organizer and its sessions, in one query."""
    sessions = Session.objects.filter(event=OuterRef("pk"), is_published=True).order_by("starts_at", "position").values(json=_SESSION)
    whole = rows.select_related("organization").annotate(session_rows=ArraySubquery(sessions))
    return next(iter(whole[:1]), None)  # not first(): an order is expensive to write into the statement, and there is one at most


def _named(text: str) -> Q:
    try:
        return Q(pk=decode(Event.public_prefix, text))
    except ValueError:
        if "\x00" in text or len(text) > 120:
            raise NotFound("event") from None
        return Q(slug=text)


def page(event: Event, by: Actor) -> dict[str, Any]:
    """What EventDetailOut shows."""
    return {
        **event_pages.item(event_pages.row(event), timezone.now()),
        "state": str(event.state),
        "description": event.description,
        "venue": event.venue,
        "country": event.country,
        "guests_allowed": event.guests_allowed,
        "registration_opens_at": moment(event.registration_opens_at),
        "registration_closes_at": moment(event.registration_closes_at),
        "sessions": [_session(row) for row in event.session_rows],  # type: ignore[attr-defined]  # annotated by find
        "refund_policy": {"terms": event.terms, "text": refund_terms.sentence(event.terms)},
        "quote": _quote(event),
        "my_registration": _mine(event, by),
    }


def _session(row: Any) -> dict[str, Any]:
    row = json.loads(row) if isinstance(row, str) else row
    times = {name: event_pages.from_json(row[name]) for name in ("starts_at", "ends_at")}
    return {"id": encode(Session.public_prefix, UUID(row["id"])), "title": row["title"], **times, "is_mandatory": row["is_mandatory"]}


def _quote(event: Event) -> dict[str, Any] | None:
    """For a buyer whose country is not known; None where this price cannot be charged at all."""
    try:
        return quote_parts(quoting.quote(event=event, country="", at=timezone.now()))
    except (TotalBelowMinimum, TotalAboveMaximum):
        return None


def quote_parts(quote: Quote) -> dict[str, Any]:
    """The lines that the buyer pays, tax that a price includes among them; the organizer's own fees are not the buyer's business."""
    shown = [line for line in quote.lines if line.payer == "attendee"]
    return {
        "total": money(quote.total),
        "lines": [
            {"kind": str(line.kind), "description": line.description, "amount": line.amount, "included": line.inclusive} for line in shown
        ],
        "tax_note": quote.tax_note,
    }


def _mine(event: Event, by: Actor) -> dict[str, Any] | None:
    if by.user_id is None:
        return None
    mine = Registration.objects.of(by).filter(event=event).order_by("-id").values_list("id", "state").first()
    return {"id": encode(Registration.public_prefix, mine[0]), "state": mine[1]} if mine else None
