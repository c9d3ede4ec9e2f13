"""What an event's and a session's page have beyond fields: the check-in desk, who earned what, and the effect of a rule."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from admin_ext.attendance.rule_dialogs import EventRuleDialog, SessionRuleDialog
from admin_ext.console import columns
from admin_ext.console.urls import change_url, list_url
from core.errors import InvalidInput
from events import completion, local_times
from events.models import Event
from organizations.permissions import Permission
from registrations import check_ins
from registrations.models import Verdict

if TYPE_CHECKING:
    from admin_ext.console.base import ConsoleModelAdmin as _Base
else:
    _Base = object


def effect(admin: Any, request: HttpRequest, object_id: str, form_class: Callable[..., Any]) -> HttpResponse:
    """What the dialog shows below its fields: who gains and who loses by what is typed, sealed. Raises Http404, PermissionDenied."""
    obj = admin.get_object(request, object_id)
    if obj is None or not admin.has_view_permission(request, obj):
        raise Http404
    if not admin.allowed(request, Permission.EVENT_MANAGE, obj):
        raise PermissionDenied
    form = form_class(request=request, obj=obj, actor=admin.actor(request), token="", data=request.POST)
    seal, lines = form.preview()
    return TemplateResponse(request, "admin_ext/what_if.html", {"seal": seal, "lines": lines})


class EventPages(_Base):
    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("<str:object_id>/desk/", "events_event_desk", require_GET(self.desk_view)),
            ("<str:object_id>/completion-preview/", "events_event_completion_preview", require_POST(self.effect_view)),
        )

    def effect_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        return effect(self, request, object_id, EventRuleDialog)

    def desk_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        """The check-in desk: a page of its own, for a telephone at the door. Raises Http404, PermissionDenied."""
        event = self.get_object(request, object_id)
        if event is None or not self.has_view_permission(request, event):
            raise Http404
        if not self.allowed(request, Permission.ATTENDANCE_MANAGE, event):
            raise PermissionDenied
        sessions = list(event.sessions.filter(is_published=True, is_cancelled=False).order_by("starts_at", "id"))
        try:
            now = check_ins.session_at(sessions, timezone.now())
        except InvalidInput:
            now = None
        context = {
            "event": event,
            "sessions": [(one, f"{local_times.in_zone(one.starts_at, event.time_zone):%a %d %b, %H:%M}", one == now) for one in sessions],
            "back": change_url(self.admin_site.name, event),
            "api": reverse("api:check_in", args=[event.public_id]),
        }
        return TemplateResponse(request, "admin_ext/desk.html", context)

    def door(self, obj: Event) -> Any:
        address = reverse("admin:events_event_desk", args=[obj.public_id], current_app=self.admin_site.name)
        return columns.as_anchor(address, "Open the check-in desk")

    door.short_description = "At the door"  # type: ignore[attr-defined]

    def attendance_list(self, obj: Event) -> Any:
        return columns.as_anchor(list_url(self.admin_site.name, Verdict, f"event__id__exact={obj.pk}"), "Who earned what")

    attendance_list.short_description = "Attendance"  # type: ignore[attr-defined]

    def rule(self, obj: Event) -> str:
        label = completion.Rule(obj.completion_rule).label
        return f"{label}: {obj.completion_value}" if obj.completion_value else label

    rule.short_description = "Completed with"  # type: ignore[attr-defined]

    def credit_rule(self, obj: Event) -> str:
        what = "By session" if obj.credits_by_session else f"{obj.credits} for the event"
        rounded = completion.Rounding(obj.credit_rounding).label.lower()
        return f"{what}, in steps of {obj.credit_step}, rounded {rounded}; an hour has {obj.credit_hour_minutes} minutes"

    credit_rule.short_description = "Credits"  # type: ignore[attr-defined]


class SessionPages(_Base):
    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("<str:object_id>/counts-preview/", "events_session_counts_preview", require_POST(self.effect_view)),)

    def effect_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        return effect(self, request, object_id, SessionRuleDialog)
