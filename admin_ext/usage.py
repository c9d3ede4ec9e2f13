"""Quotas: what each organization may use, how much of it is used, and what the nightly count found wrong."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.dashboards import usage
from admin_ext.ledger import organization_names
from billing import usage_overrides
from entitlements.models import Allowance, UsageDrift
from organizations.permissions import Permission


class OverrideDialog(Dialog):
    limit = forms.IntegerField(
        label="Limit instead of the plan's",
        required=False,
        min_value=0,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Left empty: the plan's own limit counts again.",
    )
    until = forms.DateTimeField(
        label="Until", required=False, widget=UnfoldAdminDateWidget(attrs={"type": "date"}), help_text="UTC. Left empty: without end."
    )
    reason = forms.CharField(label="Reason", max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


class AllowanceAdmin(ConsoleModelAdmin):
    view_permission = Permission.USAGE_VIEW
    list_display = ["resource_shown", "organization_name", "plan", "bar", "used_shown", "period_ends"]
    list_display_links = ["resource_shown"]
    list_filter = [("resource", filters.Choice)]
    list_select_related = ["grant"]
    organizer_hides = ("organization_name",)
    empty_sentence = "Quotas appear here when a plan is chosen. Without a plan nothing can be created."
    actions_detail = ["override"]
    shown_id, plan = columns.number("Quota"), columns.text("grant.plan", "Plan")
    period_starts, period_ends = columns.moment("grant.period_starts_at", "Counted since"), columns.moment("grant.period_ends_at", "Until")
    override_ends, override_why = columns.moment("override_until", "Given until"), columns.text("override_reason", "Reason")
    fieldsets = [
        (None, {"fields": ["organization_name", "bar", "used_shown", "plan", "access", "period_starts", "period_ends"]}),
        ("Given by staff", {"fields": ["override_limit", "override_ends", "override_why"]}),
        ("Record", {"fields": ["shown_id"]}),
    ]
    override = operation_button(
        usage_overrides.override,
        name="override",
        id_argument="allowance_id",
        label="Give another limit…",
        done="Changed; it counts from now on.",
        permission=Permission.QUOTA_OVERRIDE,
        form_class=OverrideDialog,
        explain="The organization's plan stays as it is. The limit and the reason stand in the audit log.",
        submit="Change limit",
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("usage/", usage.PAGE, self.usage_view),)

    def usage_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        return usage.page(self, request)

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("grant")

    def prepare_page(self, request: HttpRequest, rows: list[Any]) -> None:
        names = organization_names(row.grant.organization_id for row in rows)
        for row in rows:
            row.organization_name_shown = names.get(str(row.grant.organization_id), "")

    def resource_shown(self, obj: Allowance) -> str:
        return str(obj.get_resource_display())

    resource_shown.short_description = "What"  # type: ignore[attr-defined]

    def organization_name(self, obj: Allowance) -> str:
        return _name(obj, obj.grant.organization_id)

    organization_name.short_description = "Organization"  # type: ignore[attr-defined]

    def access(self, obj: Allowance) -> str:
        return str(obj.grant.get_access_display())

    def used_shown(self, obj: Allowance) -> str:
        limit = obj.effective_limit(timezone.now())
        allowed = "no limit" if limit is None else str(limit)
        return f"{obj.used} of {allowed}" if obj.is_counted else f"At most {allowed}"

    used_shown.short_description = "Used"  # type: ignore[attr-defined]

    def bar(self, obj: Allowance) -> Any:
        limit = obj.effective_limit(timezone.now())
        if not obj.is_counted or not limit:
            return columns.EMPTY
        label = f"{obj.used} of {limit} {obj.get_resource_display().lower()} used"
        return format_html('<meter min="0" max="{}" high="{}" value="{}" aria-label="{}"></meter>', limit, limit * 0.8, obj.used, label)

    bar.short_description = "Share"  # type: ignore[attr-defined]

    def title_of(self, obj: Allowance) -> str:
        return f"{obj.get_resource_display()}: {self.used_shown(obj)}"


class UsageDriftAdmin(ConsoleModelAdmin):
    view_permission = Permission.LEDGER_VIEW
    list_display = ["what", "organization_name", "counter", "counted", "found", "period_starts"]
    list_display_links = ["what"]
    list_filter = [("resource", filters.Choice), ("created_at", filters.MomentRange)]
    empty_sentence = "Counters of quotas that did not agree with what they count appear here; none has."
    shown_id, found = columns.number("Drift"), columns.moment("created_at", "Found and corrected", sortable=True)
    period_starts = columns.moment("period_starts_at", "Period since")
    fieldsets = [(None, {"fields": ["organization_name", "what", "counter", "counted", "found", "period_starts", "shown_id"]})]

    def prepare_page(self, request: HttpRequest, rows: list[Any]) -> None:
        names = organization_names(row.organization_id for row in rows)
        for row in rows:
            row.organization_name_shown = names.get(str(row.organization_id), "")

    def what(self, obj: UsageDrift) -> str:
        return str(obj.get_resource_display())

    what.short_description = "What"  # type: ignore[attr-defined]

    def organization_name(self, obj: UsageDrift) -> str:
        return _name(obj, obj.organization_id)

    organization_name.short_description = "Organization"  # type: ignore[attr-defined]


def _name(obj: Any, organization_id: Any) -> str:
    """Hung on the rows of a list with one query for all of them; asked for on the page of one."""
    known = getattr(obj, "organization_name_shown", None)
    return known if known is not None else organization_names([organization_id]).get(str(organization_id), "")
