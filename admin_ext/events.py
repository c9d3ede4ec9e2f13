"""Events and their sessions."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import list_url
from events.models import Event, Session
from organizations.permissions import Permission
from registrations.models import Registration


class EventAdmin(ConsoleModelAdmin):
    view_permission = Permission.EVENT_VIEW
    edit_permission = Permission.EVENT_MANAGE
    edit_fields = ("title", "description", "venue", "online_url")
    list_display = ["title", "state_badge", "starts", "seats", "price_shown", "host_link", "organization_link"]
    list_filter = [
        ("state", filters.States),
        ("format", filters.Choice),
        ("organization", filters.RelatedFilter),
        ("starts_at", filters.MomentRange),
    ]
    autocomplete_filters = ("organization",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization", "host"]
    search_fields = ["title", "=slug"]
    empty_sentence = "No events yet. The first one is a draft until it is published."
    shown_id, state_badge = columns.number("Event"), columns.state()
    starts = columns.moment("starts_at", "Starts", zone="time_zone", sortable=True)
    ends = columns.moment("ends_at", "Ends", zone="time_zone")
    published, created = columns.moment("published_at", "Published", zone="time_zone"), columns.moment("created_at", "Created")
    opens = columns.moment("registration_opens_at", "Registration opens", zone="time_zone")
    closes = columns.moment("registration_closes_at", "Registration closes", zone="time_zone")
    price_shown = columns.money("price_amount", "Price")
    host_link, organization_link = columns.link("host", "Host"), columns.link("organization", "Organization")
    terms = columns.terms("refund_terms", "Refund terms")
    fieldsets = [
        (None, {"fields": ["title", "description", "venue", "online_url"]}),
        ("When", {"fields": ["state_badge", "starts", "ends", "time_zone", "opens", "closes", "published"]}),
        ("Places and price", {"fields": ["seats", "price_shown", "tax_category", "terms", "guests_allowed", "is_listed"]}),
        ("Credit", {"fields": ["credit_type", "credits"]}),
        ("Record", {"fields": ["shown_id", "slug", "format", "country", "host_link", "organization_link", "created"]}),
    ]

    def seats(self, obj: Event) -> str:
        return f"{obj.seats_taken} of {obj.capacity}"

    seats.short_description = "Places taken"  # type: ignore[attr-defined]

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.organization_id, obj.host_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "host")

    def panels(self, request: HttpRequest, obj: Event) -> list[Panel]:
        actor, site = self.actor(request), self.admin_site.name
        sessions = visible(Session, actor).filter(event=obj).order_by("starts_at")[:50]
        places = visible(Registration, actor).filter(event=obj).order_by("-pk")[:20]
        zone = obj.time_zone
        return [
            Panel(
                "Sessions",
                ["Session", "Starts", "Ends"],
                [
                    [columns.as_link(site, one), columns.as_moment(one.starts_at, zone), columns.as_moment(one.ends_at, zone)]
                    for one in sessions
                ],
                "No sessions.",
            ),
            Panel(
                "Latest registrations",
                ["Person", "Email", "State", "Registered"],
                [
                    [columns.as_link(site, one, one.name), one.email, columns.as_state(one.state), columns.as_moment(one.created_at, zone)]
                    for one in places
                ],
                "Nobody has registered yet.",
                list_url(site, Registration, f"event__id__exact={obj.pk}"),
            ),
        ]


class SessionAdmin(ConsoleModelAdmin):
    view_permission = Permission.EVENT_VIEW
    edit_permission = Permission.EVENT_MANAGE
    edit_fields = ("title",)
    list_display = ["title", "event_link", "starts", "ends", "is_mandatory"]
    list_filter = [("event", filters.RelatedFilter), ("starts_at", filters.MomentRange)]
    autocomplete_filters = ("event",)
    list_select_related = ["event"]
    search_fields = ["title", "event__title"]
    empty_sentence = "Sessions appear here when an event has any."
    event_link, shown_id = columns.link("event", "Event"), columns.number()
    starts = columns.moment("starts_at", "Starts", zone="event.time_zone", sortable=True)
    ends = columns.moment("ends_at", "Ends", zone="event.time_zone")
    fieldsets = [(None, {"fields": ["title", "event_link", "starts", "ends", "is_mandatory", "position", "shown_id"]})]

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.event.organization_id, obj.event.host_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("event")
