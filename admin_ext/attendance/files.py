"""A file of participants: its lines become a bulk run, previewed and confirmed like any other; who is not found is matched by hand."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from admin_ext.attendance.dialogs import MatchDialog
from admin_ext.console import bulk_runs, columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk_kinds import BulkKind, Plan, register
from admin_ext.console.buttons import operation_button
from admin_ext.models import BulkItem, BulkRun
from audit.actor import Actor
from organizations.permissions import Permission
from registrations import attendance_files, participant_files
from registrations.models import AttendanceLine

KIND = "attendance_line.apply"


@transaction.atomic
def begin(*, session_id: UUID, content: bytes, time_zone: str, by: Actor) -> BulkRun:
    """Keep the lines and have the preview worked out; nothing is recorded on return. Raises what attendance_files.read raises."""
    lines = attendance_files.read(session_id=session_id, content=content, time_zone=time_zone, by=by)
    organization_id = lines[0].session.event.organization_id
    rows = AttendanceLine.objects.filter(batch=lines[0].batch).order_by("line")
    asks = by if by.is_staff else replace(by, organization_id=organization_id)
    return bulk_runs.freeze(kind=KIND, rows=rows, as_staff=by.is_staff, by=asks)


def _plan(line: AttendanceLine, values: dict[str, Any], by: Actor) -> Plan:
    return Plan(attendance_files.check(line))


def _apply(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    return attendance_files.apply(line_id=item.object_id, by=by)


APPLY_LINES = register(
    BulkKind(
        name=KIND,
        label="Record attendance…",
        model=AttendanceLine,
        permission=Permission.ATTENDANCE_MANAGE,
        plan=_plan,
        apply=_apply,
        undo="There is no undo; what was recorded wrongly is denied on the person's page, with a reason.",
        rows=lambda rows, by: rows.select_related("session__event", "registration__event"),
    )
)


class AttendanceLineAdmin(ConsoleModelAdmin):
    view_permission = Permission.REGISTRATION_VIEW
    list_display = ["said", "outcome", "session_link", "place_link", "joined", "left", "added"]
    list_filter = [("session", filters.RelatedFilter), ("created_at", filters.MomentRange)]
    autocomplete_filters = ("session",)
    list_select_related = ["session__event", "registration"]
    search_fields = ["name", "email"]
    empty_sentence = "Lines appear here when a file of participants was read on the page of a session."
    number = columns.number("Line")
    session_link, place_link = columns.link("session", "Session"), columns.link("registration", "Is", shown="name")
    joined = columns.moment("started_at", "Joined", zone="session.event.time_zone")
    left = columns.moment("ended_at", "Left", zone="session.event.time_zone")
    added = columns.moment("created_at", "Read")
    fieldsets = [
        (None, {"fields": ["outcome", "name", "email", "place_link", "session_link", "joined", "left", "problem"]}),
        ("Record", {"fields": ["line", "added", "number"]}),
    ]
    actions_detail = ["match"]
    match = operation_button(
        attendance_files.match,
        name="match",
        id_argument="line_id",
        label="Match…",
        done="Matched and recorded.",
        permission=Permission.ATTENDANCE_MANAGE,
        shows=lambda line: line.applied_at is None and not line.problem,
        form_class=MatchDialog,
        gone="This line is recorded already, or cannot be used.",
        submit="It is this person",
    )

    def said(self, obj: AttendanceLine) -> str:
        return obj.name or obj.email or str(obj)

    said.short_description = "In the file"  # type: ignore[attr-defined]

    def outcome(self, obj: AttendanceLine) -> Any:
        if obj.applied_at is not None:
            return columns.as_badge("Recorded", columns.SUCCESS)
        if obj.problem:
            return columns.as_badge("Cannot be used", columns.DANGER)
        return columns.as_badge("Not recorded" if obj.registration_id else "Nobody found", columns.WARNING)

    outcome.short_description = "Outcome"  # type: ignore[attr-defined]

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.session.event.organization_id, obj.session.event.host_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("session__event", "registration")

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("sample.csv", "registrations_attendanceline_sample", self.sample_view),)

    def sample_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        headers = {"Content-Disposition": 'attachment; filename="participants.csv"'}
        return HttpResponse(participant_files.SAMPLE, content_type="text/csv; charset=utf-8", headers=headers)
