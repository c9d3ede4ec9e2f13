"""How organizations stand to their plans: trials, what is paid, what has run out, and the history of each."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from admin_ext.billing import plan_page
from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from admin_ext.dashboards import usage
from billing import trials
from billing.models import Plan, PlanAccess
from entitlements.models import Allowance
from organizations.permissions import Permission


class TrialDialog(Dialog):
    plan = forms.ChoiceField(label="Plan", widget=UnfoldAdminSelectWidget)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        plan: Any = self.fields["plan"]
        offered = Plan.objects.offered().filter(audience=self.obj.kind, is_contact_sales=False, trial_days__gt=0)
        plan.choices = [(one.code, f"{one.name}: {one.trial_days} days") for one in offered]
        self.blocked = not plan.choices

    def explain(self) -> list[str]:
        return ["No plan with a trial is offered for this kind of organization."] if self.blocked else []


class ExtendDialog(Dialog):
    days = forms.IntegerField(label="Further days", min_value=1, max_value=trials.LONGEST_EXTENSION, widget=UnfoldAdminIntegerFieldWidget)
    reason = forms.CharField(label="Reason", max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


START_TRIAL = operation_button(
    trials.start,
    name="start_trial",
    id_argument="organization_id",
    label="Start a trial…",
    done="Started; everything that the plan allows can be used now.",
    permission=Permission.SUBSCRIPTION_MANAGE,
    form_class=TrialDialog,
    shows=lambda organization: not PlanAccess.objects.filter(organization=organization).exclude(state="free").exists(),
    explain="No card is needed. You have the trial of each plan once. When it is over nothing new can be made until it is paid for.",
    gone="The organization has a plan already.",
    submit="Start trial",
)


class PlanAccessAdmin(ConsoleModelAdmin):
    view_permission = Permission.SUBSCRIPTION_VIEW
    list_display = ["plan_shown", "organization_link", "state_badge", "trial_ends", "grace_ends", "changed"]
    list_display_links = ["plan_shown"]
    list_filter = [("state", filters.States), ("organization", filters.RelatedFilter), ("trial_ends_at", filters.MomentRange)]
    autocomplete_filters = ("organization",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization", "plan"]
    search_fields = ["organization__name"]
    empty_sentence = "No plan was chosen yet. A trial is started on the organization's page."
    actions_detail = ["extend_trial"]
    shown_id, state_badge = columns.number("Subscription"), columns.state()
    organization_link = columns.link("organization", "Organization")
    trial_ends, grace_ends = columns.moment("trial_ends_at", "Trial ends"), columns.moment("grace_ends_at", "Grace period ends")
    created, changed = columns.moment("created_at", "Begun"), columns.moment("updated_at", "Last changed", sortable=True)
    fieldsets = [
        (None, {"fields": ["plan_shown", "organization_link", "state_badge", "trial_ends", "grace_ends"]}),
        ("Record", {"fields": ["created", "changed", "shown_id"]}),
    ]
    extend_trial = operation_button(
        trials.extend,
        name="extend_trial",
        id_argument="access_id",
        label="Extend trial…",
        done="Extended.",
        permission=Permission.TRIAL_EXTEND,
        form_class=ExtendDialog,
        shows=lambda access: access.state == PlanAccess.State.TRIAL,
        gone="Only a trial that runs can be made longer.",
        submit="Extend trial",
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("plans/", "billing_plan_compare", self.plans_view),
            ("plans/try/", "billing_plan_try", require_POST(self.try_view)),
            ("plans/subscribe/", "billing_plan_subscribe", require_POST(self.subscribe_view)),
            ("plans/portal/", "billing_plan_portal", require_POST(self.portal_view)),
            ("plans/change/", "billing_plan_change", require_POST(self.change_plan_view)),
        )

    def plans_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        return plan_page.show(self, request)

    def try_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        return plan_page.start_trial(self, request)

    def subscribe_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        return plan_page.subscribe(self, request)

    def portal_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        return plan_page.portal(self, request)

    def change_plan_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        return plan_page.change(self, request)

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "plan")

    def plan_shown(self, obj: PlanAccess) -> str:
        return obj.plan_name

    plan_shown.short_description = "Plan"  # type: ignore[attr-defined]

    def panels(self, request: HttpRequest, obj: PlanAccess) -> list[Panel]:
        site = self.admin_site.name
        mine = Allowance.objects.visible_to(self.actor(request)).filter(grant__organization_id=obj.organization_id)
        quotas = mine.select_related("grant")
        changes = obj.changes.order_by("-pk")[:20]
        return [
            Panel(
                "Quotas",
                ["What", "Used", "Limit"],
                [
                    [
                        columns.as_link(site, one, one.get_resource_display()),
                        str(one.used) if one.is_counted else "",
                        "No limit" if one.effective_limit(obj.updated_at) is None else str(one.effective_limit(obj.updated_at)),
                    ]
                    for one in quotas.order_by("pk")
                ],
                "Nothing can be made without a plan.",
                usage.url_for(site, obj.organization),
            ),
            Panel(
                "History",
                ["When", "State", "Plan", "By"],
                [
                    [
                        columns.as_moment(one.created_at),
                        f"{one.old_state} → {one.new_state}",
                        " → ".join(dict.fromkeys([one.old_plan or "free", one.new_plan or "free"])),
                        one.source,
                    ]
                    for one in changes
                ],
                "Nothing has changed yet.",
            ),
        ]
