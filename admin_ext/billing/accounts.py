"""Where organizations are paid out to: the account at Stripe, what it still needs, what is earned and can be asked for."""

from typing import Any
from urllib.parse import urljoin

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from admin_ext.billing.earnings import BALANCE_HEADERS, balance_cells, payouts_panel
from admin_ext.console import columns, filters, refusals
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import change_url
from audit.actor import Actor
from billing import connect, earnings, payout_requests
from billing.gateway.base import GatewayError
from billing.models import ConnectedAccount, PayoutRequest
from core.money import Money, parse_major
from organizations.permissions import Permission, allows


class PayoutDialog(Dialog):
    """amount in major units; empty takes all that is available."""

    currency = forms.ChoiceField(label="Currency", widget=UnfoldAdminSelectWidget)
    amount = forms.CharField(
        label="Amount",
        max_length=30,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="Left empty: all that is available.",
    )
    note = forms.CharField(label="Note", max_length=1000, required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.balances = earnings.balances_of(self.obj.organization_id, at=timezone.now())
        currency: Any = self.fields["currency"]
        currency.choices = [(one.currency, f"{one.currency}: {payout_requests.payable_out(one)} available") for one in self.balances]

    def facts(self) -> list[tuple[str, Any]]:
        return [(f"Available in {one.currency}", str(payout_requests.payable_out(one))) for one in self.balances]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        text, currency = values.get("amount", "").strip(), values.get("currency")
        values["amount"] = None
        if text and currency:
            try:
                values["amount"] = parse_major(text, currency)
            except ValueError:
                self.add_error("amount", f"Write the amount as a number that {currency} has, such as {Money(25_000, currency).major}.")
        return values

    def values(self) -> dict[str, Any]:
        return {**self.cleaned_data, "source": PayoutRequest.Source.CONSOLE, "request_token": f"dialog-{self.token}"}


class ScheduleDialog(Dialog):
    payout_schedule = forms.ChoiceField(label="Ask for payouts", choices=ConnectedAccount.Schedule.choices, widget=UnfoldAdminSelectWidget)


def request_for_account(*, account_id: Any, by: Actor, **values: Any) -> PayoutRequest:
    """The button stands on the account, the operation is the organization's."""
    organization_id = ConnectedAccount.objects.values_list("organization_id", flat=True).get(pk=account_id)
    return payout_requests.request(organization_id=organization_id, by=by, **values)


class ConnectedAccountAdmin(ConsoleModelAdmin):
    view_permission = Permission.CONNECT_VIEW
    list_display = ["organization_link", "state_badge", "usable", "currencies_shown", "missing_shown", "country", "schedule", "synced"]
    list_display_links = ["state_badge"]
    list_filter = [
        ("state", filters.States),
        ("payouts_enabled", filters.YesNo),
        ("payout_schedule", filters.Choice),
        ("organization", filters.RelatedFilter),
    ]
    autocomplete_filters = ("organization",)
    list_select_related = ["organization"]
    search_fields = ["organization__name", "=stripe_account_id"]
    search_help_text = "The organization, or an id: cac_…, acct_…"
    palette_fields = ("stripe_account_id",)
    empty_sentence = "Payout accounts appear here when an organization sets payouts up."
    actions_detail = ["request_payout", "payout_schedule"]
    change_form_outer_before_template = "admin_ext/account_before.html"

    shown_id, state_badge = columns.number("Account"), columns.state()
    organization_link = columns.link("organization", "Organization")
    currencies_shown, missing_shown = columns.joined("currencies", "Bank accounts in"), columns.joined("missing", "Stripe still asks for")
    disabled, stripe_account = (
        columns.text("disabled_reason", "Switched off because"),
        columns.stripe("stripe_account_id", "Account at Stripe"),
    )
    synced, gone = columns.moment("synced_at", "Last heard from Stripe"), columns.moment("deauthorized_at", "Taken away")
    fieldsets = [
        (None, {"fields": ["organization_link", "state_badge", "usable", "currencies_shown", "missing_shown", "disabled"]}),
        (
            "At Stripe",
            {"fields": ["stripe_account", "country", "default_currency", "details_submitted", "transfers_enabled", "payouts_enabled"]},
        ),
        ("Payouts", {"fields": ["schedule", "synced", "gone", "shown_id"]}),
    ]

    request_payout = operation_button(
        request_for_account,
        name="request_payout",
        id_argument="account_id",
        label="Ask for a payout…",
        done="Asked for; finance decides about it, then it goes to the bank.",
        permission=Permission.PAYOUT_REQUEST,
        form_class=PayoutDialog,
        shows=lambda account: account.is_usable,
        explain="What is reserved until events have ended, disputed or asked for already is not available.",
        gone="Payouts are not usable yet; finish the set-up at Stripe first.",
        submit="Ask for payout",
    )
    payout_schedule = operation_button(
        connect.set_schedule,
        name="payout_schedule",
        id_argument="account_id",
        label="Schedule…",
        done="Changed.",
        permission=Permission.PAYOUT_REQUEST,
        form_class=ScheduleDialog,
        explain="A scheduled payout asks for all that is available, where that reaches the minimum.",
        submit="Change",
    )

    def schedule(self, obj: ConnectedAccount) -> str:
        return obj.get_payout_schedule_display()

    schedule.short_description = "Payouts are asked for"  # type: ignore[attr-defined]

    def usable(self, obj: ConnectedAccount) -> Any:
        return columns.as_badge("Usable", columns.SUCCESS) if obj.is_usable else columns.as_badge("Not usable yet", columns.WARNING)

    usable.short_description = "Payouts"  # type: ignore[attr-defined]

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization")

    def title_of(self, obj: ConnectedAccount) -> str:
        return f"Payout account of {obj.organization.name}"

    def panels(self, request: HttpRequest, obj: ConnectedAccount) -> list[Panel]:
        if not self.allowed(request, Permission.PAYOUT_VIEW, obj):
            return []
        balances = [balance_cells(one) for one in earnings.balances_of(obj.organization_id, at=timezone.now())]
        return [
            Panel("Balance", BALANCE_HEADERS, balances, "Nothing was earned yet."),
            payouts_panel(self, visible(PayoutRequest, self.actor(request)).filter(account=obj), f"account__id__exact={obj.pk}"),
        ]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        obj = self.get_object(request, object_id) if object_id else None
        url = None
        if obj is not None and self.allowed(request, Permission.CONNECT_MANAGE, obj):
            url = reverse("admin:billing_account_onboard", args=[obj.public_id], current_app=self.admin_site.name)
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), "onboard_url": url})

    # --- set-up at Stripe ---------------------------------------------------------------------------------------------------------------

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("set-up/", "billing_account_set_up", require_POST(self.set_up_view)),
            ("<str:object_id>/onboard/", "billing_account_onboard", require_POST(self.onboard_view)),
            ("<str:object_id>/returned/", "billing_account_returned", self.returned_view),
        )

    def set_up_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        """Begin the account of the organization that the console is switched to, and go to Stripe's pages."""
        actor = self.actor(request)
        if actor.organization_id is None or not allows(actor, Permission.CONNECT_MANAGE, actor.organization_id):
            raise PermissionDenied
        account = connect.begin(organization_id=actor.organization_id, by=actor)
        return self._to_stripe(request, account)

    def _found(self, request: HttpRequest, object_id: str) -> ConnectedAccount:
        account = self.get_object(request, object_id)
        if account is None or not self.has_view_permission(request, account):
            raise Http404
        found: ConnectedAccount = account
        return found

    def onboard_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        return self._to_stripe(request, self._found(request, object_id))

    def _to_stripe(self, request: HttpRequest, account: ConnectedAccount) -> HttpResponse:
        """Stripe's pages for this account; the addresses it sends people back to are ours."""
        page = change_url(self.admin_site.name, account) or "/"
        name = "admin:billing_account_returned"
        returned = urljoin(settings.BASE_URL, reverse(name, args=[account.public_id], current_app=self.admin_site.name))
        try:
            url = connect.onboarding_url(
                organization_id=account.organization_id,
                return_url=returned,
                refresh_url=f"{returned}?expired=1",
                by=self.actor(request),
            )
        except refusals.REFUSALS as refusal:
            return refusals.sentence(request, refusal, back=page)
        if url is None:
            messages.warning(request, "Stripe did not answer in time; try again in a minute.")
        return HttpResponseRedirect(url or page)

    def returned_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        """Where Stripe sends people back to: what they filled in is read anew; a link that was too old is said to be."""
        account = self._found(request, object_id)
        try:
            account = connect.refresh(account_id=account.pk, by=self.actor(request), patient=False)
        except GatewayError:
            messages.warning(request, "Stripe could not be asked just now; this page follows as soon as it says something.")
        if "expired" in request.GET:
            messages.info(request, "Stripe's link had expired; go on with the set-up from here.")
        elif not account.is_usable:
            messages.info(request, "Stripe is still checking, or still asks for something; it stands below.")
        return HttpResponseRedirect(change_url(self.admin_site.name, account) or "/")
