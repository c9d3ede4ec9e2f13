"""Who earned what: an event's attendance, with its file for a spreadsheet."""

from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, Func, QuerySet, TextField, Value, When
from django.http import HttpRequest

from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from organizations.permissions import Permission
from registrations.models import Verdict


class _Sentences(Func):
    """A list of sentences as one text; none of them begins with what a spreadsheet takes for a formula."""

    template = "array_to_string(ARRAY(SELECT jsonb_array_elements_text(%(expressions)s)), ' ')"
    output_field = TextField()


_COMPLETED = export.Column(
    "Completed", lambda: Case(When(is_eligible=True, then=Value("yes")), default=Value("no"), output_field=CharField())
)


class VerdictAdmin(ConsoleModelAdmin):
    view_permission = Permission.REGISTRATION_VIEW
    list_display = ["name", "email", "event_link", "completed", "credits", "sessions_counted", "minutes", "why", "worked_out"]
    list_filter = [("event", filters.RelatedFilter), ("is_eligible", filters.YesNo), ("updated_at", filters.MomentRange)]
    autocomplete_filters = ("event",)
    list_select_related = ["registration", "event"]
    search_fields = ["registration__email", "registration__name"]
    search_help_text = "Name or email"
    export_fields = (
        export.text("registration__name", "Name"),
        export.text("registration__email", "Email"),
        export.text("event__title", "Event"),
        _COMPLETED,
        export.number("credits", "Credits"),
        export.number("sessions_counted", "Sessions counted"),
        export.number("minutes", "Minutes"),
        export.Column("Why", lambda: _Sentences("reasons")),
        export.moment("updated_at", "Worked out"),
    )
    empty_sentence = "Who earned what appears here once an event has begun, or somebody's attendance is recorded."
    number = columns.number("Outcome")
    name, email = columns.text("registration.name", "Person"), columns.text("registration.email", "Email")
    person = columns.link("registration", "Registration", shown="name")
    event_link = columns.link("event", "Event")
    worked_out = columns.moment("updated_at", "Worked out", zone="event.time_zone")
    why = columns.joined("reasons", "Why or why not")
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "completed",
                    "person",
                    "email",
                    "event_link",
                    "credits",
                    "sessions_counted",
                    "minutes",
                    "why",
                    "worked_out",
                    "number",
                ]
            },
        )
    ]

    def completed(self, obj: Verdict) -> Any:
        return columns.as_badge("Completed", columns.SUCCESS) if obj.is_eligible else columns.as_badge("Not completed", columns.PLAIN)

    completed.short_description = "Completed"  # type: ignore[attr-defined]

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.event.organization_id, obj.event.host_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("registration", "event")
