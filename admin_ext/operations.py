"""What runs behind: jobs, schedules, the queue, messages, and the audit log."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from accounts import mails
from admin_ext import bulk_kinds, janitor, retrying
from admin_ext.console import columns, filters, history
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from admin_ext.console.buttons import operation_button
from admin_ext.ledger import organization_names
from audit.models import AuditEntry
from core.models import Job
from notifications.models import Message
from organizations.permissions import Permission


class JobAdmin(ConsoleModelAdmin):
    view_permission = Permission.JOB_VIEW
    list_display = ["name", "state_badge", "queue", "attempts_shown", "due", "created", "finished"]
    list_filter = [("state", filters.States), filters.Queue, ("created_at", filters.MomentRange)]
    lookups = ("name",)
    actions = [bulk_action(bulk_kinds.RETRY_JOBS)]
    search_fields = ["=name", "=request_id"]
    search_help_text = "A task's full name, a request id, or job_…"
    empty_sentence = "Work for the workers appears here when an operation queues it."
    actions_detail = ["retry"]
    shown_id, state_badge = columns.number("Job"), columns.state()
    due, created = columns.moment("run_after", "Due"), columns.moment("created_at", "Queued")
    finished, leased = columns.moment("finished_at", "Ended"), columns.moment("leased_until", "In a worker's hands until")
    fieldsets = [
        (None, {"fields": ["state_badge", "name", "ids", "queue", "attempts_shown", "error_shown"]}),
        ("When", {"fields": ["created", "due", "leased", "finished", "request_id", "shown_id"]}),
    ]
    retry = operation_button(
        retrying.retry_job,
        name="retry",
        id_argument="job_id",
        label="Try again…",
        done="Queued again.",
        permission=Permission.JOB_RETRY,
        transition="revive",
        explain="The job is done from its beginning; every task can be repeated without doing anything twice.",
        gone="Only a job that was given up can be tried again.",
        submit="Try again",
    )

    def attempts_shown(self, obj: Job) -> str:
        return f"{obj.attempts} of {obj.max_attempts}"

    attempts_shown.short_description = "Attempts"  # type: ignore[attr-defined]

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("janitor/", "core_janitor", self.janitor_view),)

    def janitor_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        site = self.admin_site.name
        if not self.has_view_permission(request):
            raise PermissionDenied
        done = [
            {
                "at": columns.as_moment(one.created_at),
                "action": one.action,
                "by": one.actor.removeprefix("system:"),
                "about": history.about(site, one),
            }
            for one in janitor.done()
        ]
        headers = ["What", "States", "May take", "Now", "Too old", "Oldest", "Resolved by", "Last run", "How it went"]
        return self.own_page(request, "admin_ext/janitor.html", "Janitor", rows=janitor.rows(site), headers=headers, done=done)

    def error_shown(self, obj: Job) -> Any:
        return columns.as_code(obj.error)

    error_shown.short_description = "Last error"  # type: ignore[attr-defined]


class ScheduleAdmin(ConsoleModelAdmin):
    """Kept by config.schedules, read here: when each last ran and how late it is."""

    view_permission = Permission.JOB_VIEW
    list_display = ["name", "cron", "last_run_at", "last_state", "next_run_at", "lag"]
    list_display_links = None
    ordering = ("name",)
    search_fields = ["name"]
    empty_sentence = "Clock-driven work appears here once the worker has started."
    next_run_at = columns.moment("next_run", "Next run")
    last_run_at, last_state = columns.moment("_last_run", "Last run"), columns.state("_last_state", "How it went")
    fieldsets = [(None, {"fields": ["name", "func", "args", "cron", "next_run_at"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        runs = Job.objects.filter(name=OuterRef("name")).order_by("-pk")
        annotated: QuerySet[Any] = super().get_queryset(request).annotate(_last_run=Subquery(runs.values("created_at")[:1]))
        with_state: QuerySet[Any] = annotated.annotate(_last_state=Subquery(runs.values("state")[:1]))
        return with_state

    def lag(self, obj: Schedule) -> Any:
        late = (timezone.now() - obj.next_run).total_seconds() if obj.next_run else 0
        return (
            columns.as_badge(f"{columns.age(obj.next_run)} late", columns.DANGER)
            if late > 120
            else columns.as_badge("On time", columns.SUCCESS)
        )


class QueueAdmin(ConsoleModelAdmin):
    """The nudges that wait for a worker; jobs are what counts."""

    view_permission = Permission.JOB_VIEW
    list_display = ["key", "lock_at", "work"]
    list_display_links = None
    empty_sentence = "Nothing waits for a worker."
    lock_at = columns.moment("lock", "Not before")
    fieldsets = [(None, {"fields": ["key", "lock_at"]})]

    def work(self, obj: OrmQ) -> str:
        return str(obj.name())


class MessageAdmin(ConsoleModelAdmin):
    view_permission = Permission.MESSAGE_VIEW
    list_display = ["subject", "to", "state_badge", "kind", "attempts", "created", "sent"]
    list_filter = [("state", filters.States), ("created_at", filters.MomentRange)]
    lookups = ("related_id", "user_id")
    actions = [bulk_action(bulk_kinds.RESEND_MESSAGES)]
    search_fields = ["to", "subject", "=kind"]
    palette_fields = ("to",)
    empty_sentence = "Every mail is a row here before it is sent."
    actions_detail = ["resend"]
    shown_id, state_badge = columns.number("Message"), columns.state()
    created, sent = columns.moment("created_at", "Queued"), columns.moment("sent_at", "Sent")
    fieldsets = [
        (None, {"fields": ["state_badge", "to", "subject", "text_shown", "error"]}),
        ("Record", {"fields": ["kind", "attempts", "related_type", "related_id", "created", "sent", "shown_id"]}),
    ]
    resend = operation_button(
        retrying.resend_message,
        name="resend",
        id_argument="message_id",
        label="Send again…",
        done="Queued; it goes out shortly.",
        permission=Permission.JOB_RETRY,
        transition="requeue",
        explain="The same text goes to the same address.",
        gone="Only a message that failed can be sent again.",
        submit="Send again",
    )

    @admin.display(description="Text")
    def text_shown(self, obj: Message) -> str:
        return "Not shown: it holds a key to the account." if obj.kind in mails.KEYS else obj.text_without_keys


class AuditEntryAdmin(ConsoleModelAdmin):
    view_permission = Permission.AUDIT_VIEW
    list_display = ["what", "object_shown", "who", "organization_name", "reason", "at"]
    list_filter = [("created_at", filters.MomentRange), filters.ObjectType]
    lookups = ("object_id", "user_id", "action")
    organizer_hides = ("organization_name", "ip", "request_id", "acting_for", "token_id")
    search_fields = ["=action", "=request_id", "reason"]
    search_help_text = "An action such as refund.requested, a request id, or words of the reason"
    empty_sentence = "Every operation and every edit leaves an entry here."
    at, shown_id = columns.moment("created_at", "When"), columns.number("Entry")
    fieldsets = [
        (None, {"fields": ["what", "object_shown", "who", "organization_name", "reason", "at"]}),
        ("Values", {"fields": ["before", "after"]}),
        ("Request", {"fields": ["request_id", "ip", "shown_id"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if self.on_staff_site else self.fieldsets[:2]

    def prepare_page(self, request: HttpRequest, rows: list[Any]) -> None:
        people = history.names(row.user_id for row in rows if row.user_id)
        names = organization_names(row.organization_id for row in rows)
        for row in rows:
            row._who, row._organization_name = history.who(row, people), names.get(str(row.organization_id))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        if entry is not None and not hasattr(entry, "_who"):
            self.prepare_page(request, [entry])
        return entry

    def what(self, obj: AuditEntry) -> str:
        return history.in_words(obj.action)

    def who(self, obj: AuditEntry) -> str:
        return str(getattr(obj, "_who", obj.actor))

    def organization_name(self, obj: AuditEntry) -> Any:
        return getattr(obj, "_organization_name", None) or columns.EMPTY

    organization_name.short_description = "Organization"  # type: ignore[attr-defined]

    def object_shown(self, obj: AuditEntry) -> Any:
        return history.about(self.admin_site.name, obj)

    object_shown.short_description = "About"  # type: ignore[attr-defined]
