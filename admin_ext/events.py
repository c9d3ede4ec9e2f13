"""Events and their sessions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from admin_ext.attendance import files
from admin_ext.attendance.dialogs import FileDialog, RecalculateDialog
from admin_ext.attendance.event_pages import EventPages, SessionPages
from admin_ext.attendance.rule_dialogs import EventRuleDialog, SessionRuleDialog
from admin_ext.console import columns, edits, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import list_url
from admin_ext.event_forms import EventForm, PublishDialog, SessionDialog, SessionEditDialog, UnpublishDialog, host_of
from core.errors import InvalidInput
from events import authoring, preview_links, publishing, sessions
from events.models import Event, Session
from organizations.permissions import Permission
from registrations import completion_rules, verdicts
from registrations.models import Registration


class EventAdmin(EventPages, ConsoleModelAdmin):
    form = EventForm
    view_permission = Permission.EVENT_VIEW
    edit_permission = add_permission = Permission.EVENT_MANAGE
    edit_fields = (
        "title", "description", "format", "venue", "country", "online_url", "starts_at", "ends_at", "time_zone", "registration_opens_at",
        "registration_closes_at", "capacity", "price", "currency", "tax_category", "refunds", "is_listed", "guests_allowed", "credit_type",
        "credits", "organization", "host_email",
    )  # fmt: skip
    list_display = ["title", "state_badge", "starts", "seats", "price_shown", "host_link", "organization_link"]
    list_filter = [
        ("state", filters.States),
        ("format", filters.Choice),
        ("organization", filters.RelatedFilter),
        ("starts_at", filters.MomentRange),
    ]
    autocomplete_filters = ("organization",)
    autocomplete_fields = ("organization",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization", "host"]
    search_fields = ["title", "=slug"]
    export_fields = (
        export.text("title", "Title"),
        export.text("state", "State"),
        export.text("format", "Format"),
        export.text("organization__name", "Organization", name="organization_link"),
        export.moment("starts_at", "Starts"),
        export.moment("ends_at", "Ends"),
        export.text("time_zone", "Time zone"),
        export.number("capacity", "Places"),
        export.number("seats_taken", "Places taken"),
        export.text("currency", "Currency"),
        export.money("price_amount", "Price"),
    )
    empty_sentence = "No events yet. The first one is a draft until it is published."
    actions_detail = ["publish", "unpublish", "add_session", "completion", "recalculate"]
    shown_id, state_badge = columns.number("Event"), columns.state()
    starts = columns.moment("starts_at", "Starts", zone="time_zone", sortable=True)
    published, created = columns.moment("published_at", "Published", zone="time_zone"), columns.moment("created_at", "Created")
    price_shown = columns.money("price_amount", "Price")
    host_link, organization_link = columns.link("host", "Host"), columns.link("organization", "Organization")
    terms = columns.terms("terms", "Refund terms")
    _what = ("What", {"fields": ["title", "description"]})
    _where = ("Where", {"fields": ["format", "venue", "country", "online_url"]})
    _when = ("When", {"fields": ["time_zone", "starts_at", "ends_at", "registration_opens_at", "registration_closes_at"]})
    _places = ("Places and price", {"fields": ["capacity", "price", "currency", "tax_category", "refunds", "is_listed", "guests_allowed"]})
    _credit = ("Credit", {"fields": ["credit_type", "credits"]})
    add_fieldsets = (("Who", {"fields": ["organization", "host_email"]}), _what, _where, _when, _places, _credit)
    fieldsets = [
        (None, {"fields": ["state_badge", "seats", "starts", "public_page", "door", "attendance_list", "host_link", "organization_link"]}),
        _what,
        _where,
        _when,
        _places,
        _credit,
        ("Completion", {"fields": ["rule", "credit_rule"]}),
        ("Record", {"fields": ["shown_id", "slug", "terms", "created", "published"]}),
    ]
    publish = operation_button(
        publishing.publish,
        name="publish",
        id_argument="event_id",
        label="Publish…",
        done="Published; people can register now.",
        permission=Permission.EVENT_MANAGE,
        transition="publish",
        form_class=PublishDialog,
        gone="This event is published already.",
        submit="Publish",
    )
    unpublish = operation_button(
        publishing.unpublish,
        name="unpublish",
        id_argument="event_id",
        label="Unpublish…",
        done="Back to draft; it is no longer public.",
        permission=Permission.EVENT_MANAGE,
        transition="unpublish",
        form_class=UnpublishDialog,
        gone="Only a published event that has not started can go back to draft.",
        submit="Unpublish",
    )
    add_session = operation_button(
        sessions.add,
        name="add_session",
        id_argument="event_id",
        label="Add session…",
        done="Added.",
        permission=Permission.EVENT_MANAGE,
        shows=lambda event: event.state != Event.State.COMPLETED,
        form_class=SessionDialog,
        gone="The event is over; its sessions can no longer be changed.",
        submit="Add session",
    )

    completion = operation_button(
        completion_rules.change,
        name="completion",
        id_argument="event_id",
        label="Completion…",
        done="Changed; who earned what is being worked out anew.",
        permission=Permission.EVENT_MANAGE,
        form_class=EventRuleDialog,
        submit="Change the rule",
    )
    recalculate = operation_button(
        verdicts.recalculate,
        name="recalculate",
        id_argument="event_id",
        label="Work out anew…",
        done="Who earned what is being worked out anew.",
        permission=Permission.ATTENDANCE_MANAGE,
        form_class=RecalculateDialog,
        submit="Work out anew",
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        found = super().get_fieldsets(request, obj)
        if obj is not None or self.on_staff_site:
            return found
        return [("Who", {"fields": ["host_email"]}), *found[1:]]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """One call of the operation; it locks, checks and records. Raises DomainError."""
        actor = self.actor(request)
        if change:
            edits.locked(self, request, obj)
            authoring.edit(event_id=obj.pk, by=actor, **form.changes())
            return
        chosen = form.cleaned_data.get("organization")
        organization_id = chosen.pk if chosen else actor.organization_id
        if organization_id is None:
            raise InvalidInput("Choose the organization that the event is of.", field="organization")
        host = {"host_id": host_of(organization_id, form.cleaned_data["host_email"])} if form.cleaned_data["host_email"] else {}
        values = {name: value for name, value in form.cleaned_data.items() if name not in form.NOT_OF_THE_EVENT}
        values |= form.chosen_terms()
        obj.__dict__.update(authoring.create(organization_id=organization_id, by=actor, **values, **host).__dict__)

    def public_page(self, obj: Event) -> Any:
        """A draft's link is signed anew each time the page is opened, so that a copied one lasts its whole life."""
        if obj.state == Event.State.DRAFT:
            return columns.as_anchor(preview_links.url(obj), f"Preview as attendee (link for {preview_links.VALID_FOR.days} days)")
        return columns.as_anchor(reverse("web:event", args=[obj.slug]), "See it as attendees do")

    public_page.short_description = "Public page"  # type: ignore[attr-defined]

    def seats(self, obj: Event) -> str:
        return f"{obj.seats_taken} of {obj.capacity}"

    seats.short_description = "Places taken"  # type: ignore[attr-defined]

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.organization_id, obj.host_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "host")

    def told_with(self, obj: Event) -> Sequence[QuerySet[Any]]:
        return (Session.objects.filter(event=obj),)

    def panels(self, request: HttpRequest, obj: Event) -> list[Panel]:
        actor, site = self.actor(request), self.admin_site.name
        sessions = visible(Session, actor).filter(event=obj).order_by("starts_at")[:50]
        places = visible(Registration, actor).filter(event=obj).order_by("-pk")[:20]
        zone = obj.time_zone
        can_change = obj.state != Event.State.COMPLETED and self.allowed(request, Permission.EVENT_MANAGE, obj)
        return [
            Panel(
                "Sessions",
                ["Session", "Starts", "Ends", *(["Actions"] if can_change else [])],
                [self._session_row(one, zone, can_change) for one in sessions],
                "No sessions. A published event needs at least one.",
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

    def _session_row(self, session: Session, zone: str, can_change: bool) -> list[Any]:
        site = self.admin_site.name
        row = [columns.as_link(site, session), columns.as_moment(session.starts_at, zone), columns.as_moment(session.ends_at, zone)]
        if can_change:
            dialogs = (("edit-session", "Change…"), ("remove-session", "Remove…"))
            row.append(columns.as_dialogs(site, session, dialogs))
        return row


class SessionAdmin(SessionPages, ConsoleModelAdmin):
    view_permission = Permission.EVENT_VIEW
    list_display = ["title", "event_link", "starts", "ends", "is_mandatory"]
    list_filter = [("event", filters.RelatedFilter), ("starts_at", filters.MomentRange)]
    autocomplete_filters = ("event",)
    list_select_related = ["event"]
    search_fields = ["title", "event__title"]
    empty_sentence = "Sessions appear here when an event has any."
    actions_detail = ["edit_session", "counts", "attendance_file", "remove_session"]
    event_link, shown_id = columns.link("event", "Event"), columns.number()
    starts = columns.moment("starts_at", "Starts", zone="event.time_zone", sortable=True)
    ends = columns.moment("ends_at", "Ends", zone="event.time_zone")
    edit_session = operation_button(
        sessions.edit,
        name="edit_session",
        id_argument="session_id",
        label="Change…",
        done="Changed.",
        permission=Permission.EVENT_MANAGE,
        shows=lambda session: session.event.state != Event.State.COMPLETED,
        form_class=SessionEditDialog,
        gone="The event is over; its sessions can no longer be changed.",
        submit="Change session",
        leads_to=lambda session: session.event,
    )
    remove_session = operation_button(
        sessions.remove,
        name="remove_session",
        id_argument="session_id",
        label="Remove…",
        done="Removed.",
        permission=Permission.EVENT_MANAGE,
        shows=lambda session: session.event.state != Event.State.COMPLETED,
        explain="The session disappears from the event and its public page. A published event keeps at least one.",
        gone="The event is over; its sessions can no longer be changed.",
        submit="Remove session",
        leads_to=lambda session: session.event,
        danger=True,
    )
    counts = operation_button(
        completion_rules.change_session,
        name="counts",
        id_argument="session_id",
        label="What it counts for…",
        done="Changed; who earned what is being worked out anew.",
        permission=Permission.EVENT_MANAGE,
        form_class=SessionRuleDialog,
        submit="Change it",
    )
    attendance_file = operation_button(
        files.begin,
        name="attendance_file",
        id_argument="session_id",
        label="Attendance from a file…",
        done="The file was read; look at the preview, then confirm it. Nothing has been recorded yet.",
        permission=Permission.ATTENDANCE_MANAGE,
        form_class=FileDialog,
        submit="Read the file",
        opens=lambda run: run,
    )
    fieldsets = [
        (None, {"fields": ["title", "event_link", "starts", "ends"]}),
        ("Completion", {"fields": ["is_mandatory", "attendance_percent", "credits", "kind", "is_published", "is_cancelled"]}),
        ("Record", {"fields": ["position", "shown_id"]}),
    ]

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.event.organization_id, obj.event.host_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("event")
