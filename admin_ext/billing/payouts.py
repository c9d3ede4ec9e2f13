"""Payouts: ask, approve, reject, hold, let go, cancel, try again."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from admin_ext import bulk_kinds
from admin_ext.billing import earnings
from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from billing import payout_approval, payout_requests, payout_statements, statement_papers
from billing.models import PayoutRequest, StripeCommand, Transfer, TransferReversal
from core.errors import DomainError, NotFound
from core.money import Money
from organizations.permissions import Permission

GONE = "This cannot be done to the payout any more: its state has changed since the page was opened."


class DecisionDialog(Dialog):
    """What finance looks at before it decides."""

    def facts(self) -> list[tuple[str, Any]]:
        payout: PayoutRequest = self.obj
        return [
            ("Amount", str(payout.money)),
            ("Organization", payout.organization.name),
            ("Available for it now", self._available(payout)),
            ("Asked for by", str(payout.requested_by or "the schedule")),
            ("Second person needed", "yes" if payout.above_limit else "no"),
            ("Note", payout.note or "–"),
        ]

    @staticmethod
    def _available(payout: PayoutRequest) -> str:
        try:
            return str(Money(payout_approval.available_for(payout), payout.currency))
        except DomainError as refusal:
            return str(refusal)


class ReasonDialog(DecisionDialog):
    why = forms.CharField(
        label="Why", max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), help_text="The organization reads this."
    )


def _decision(operation: Any, name: str, label: str, *, done: str, explain: str, submit: str, **more: Any) -> Any:
    given = {"permission": Permission.PAYOUT_APPROVE, "transition": name, "form_class": DecisionDialog, "gone": GONE, **more}
    return operation_button(
        operation, name=name, id_argument="payout_request_id", label=label, done=done, explain=explain, submit=submit, **given
    )


class PayoutRequestAdmin(ConsoleModelAdmin):
    view_permission = Permission.PAYOUT_VIEW
    list_display = ["shown_id", "state_badge", "amount_shown", "organization_link", "source", "asked_by", "created", "paid"]
    list_filter = [
        ("state", filters.States),
        ("source", filters.Choice),
        filters.Currency,
        ("organization", filters.RelatedFilter),
        ("created_at", filters.MomentRange),
        ("paid_at", filters.MomentRange),
    ]
    autocomplete_filters = ("organization",)
    lookups = ("account",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization", "requested_by", "account"]
    actions = [bulk_action(bulk_kinds.APPROVE_PAYOUTS)]
    search_fields = ["organization__name", "=stripe_payout_id"]
    search_help_text = "The organization, or an id: pyt_…, po_…"
    palette_fields = ("stripe_payout_id",)
    empty_sentence = "Payouts are asked for on the page of the organization's payout account."
    actions_detail = ["approve", "reject", "hold", "release", "retry", "cancel"]

    shown_id, state_badge, amount_shown = columns.number("Payout"), columns.state(), columns.money("amount", "Amount")
    organization_link, account_link = columns.link("organization", "Organization"), columns.link("account", "Account")
    asked_by, approver = columns.text("requested_by", "Asked for by"), columns.text("approved_by", "Approved by")
    available = columns.money("available_at_approval", "Available when approved")
    transferred = columns.money("lacking", "Transferred for it")
    why, waits = columns.text("reason", "Why"), columns.text("blocked", "Waits because")
    stripe_payout, stripe_account = (
        columns.stripe("stripe_payout_id", "Payout at Stripe"),
        columns.stripe("stripe_account_id", "From account"),
    )
    created, approved = columns.moment("created_at", "Asked for"), columns.moment("approved_at", "Approved")
    began, arrives = columns.moment("transfer_began_at", "Transfer began"), columns.moment("arrives_at", "Expected at the bank")
    paid, ended = columns.moment("paid_at", "Paid"), columns.moment("ended_at", "Ended unpaid")
    fieldsets = [
        (None, {"fields": ["state_badge", "amount_shown", "organization_link", "account_link", "why", "waits"]}),
        ("Request", {"fields": ["source", "note", "asked_by", "approver", "second_person", "available"]}),
        ("At Stripe", {"fields": ["transferred", "stripe_account", "stripe_payout", "attempt"]}),
        ("When", {"fields": ["created", "approved", "began", "arrives", "paid", "ended", "shown_id"]}),
    ]

    def second_person(self, obj: PayoutRequest) -> str:
        return "Needed: the amount is above the limit" if obj.above_limit else "Not needed"

    second_person.short_description = "Second person"  # type: ignore[attr-defined]

    approve = _decision(
        payout_approval.approve,
        "approve",
        "Approve…",
        done="Approved; the money goes to the organization's account at Stripe now, and from there to its bank.",
        explain="The money leaves the platform's balance. Above the limit you cannot approve what you asked for yourself.",
        submit="Approve payout",
    )
    reject = _decision(
        payout_approval.reject,
        "reject",
        "Reject…",
        done="Rejected; the amount is available to the organization again.",
        explain="No money moves. The organization can ask again.",
        submit="Reject payout",
        form_class=ReasonDialog,
        danger=True,
    )
    hold = _decision(
        payout_approval.hold,
        "hold",
        "Hold…",
        done="Held; nothing goes to Stripe until somebody lets it go on.",
        explain="The payout stays approved and waits.",
        submit="Hold payout",
        form_class=ReasonDialog,
    )
    release = _decision(
        payout_approval.release,
        "release",
        "Let it go on…",
        done="Released; it goes to Stripe now.",
        explain="The payout goes on where it was held.",
        submit="Let it go on",
    )
    retry = _decision(
        payout_approval.retry,
        "retry",
        "Try again…",
        done="Queued for Stripe again under new keys.",
        explain="What was transferred lies in the organization's account; only what is lacking there is transferred now.",
        submit="Try again",
    )
    cancel = operation_button(
        payout_requests.cancel,
        name="cancel",
        id_argument="payout_request_id",
        label="Take back…",
        done="Taken back; the amount is available again.",
        permission=Permission.PAYOUT_REQUEST,
        transition="cancel",
        explain="Nobody has decided about this payout yet. It can be asked for again at any time.",
        gone=GONE,
        submit="Take payout back",
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("earnings/", "billing_earnings", self.earnings_view),
            ("<str:object_id>/statement.csv", "billing_payout_statement_csv", self.csv_view),
            ("<str:object_id>/statement.pdf", "billing_payout_statement_pdf", self.pdf_view),
        )

    def csv_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponseBase:
        return self._file(request, object_id, "csv")

    def pdf_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponseBase:
        return self._file(request, object_id, "pdf")

    def _file(self, request: HttpRequest, object_id: str, kind: str) -> HttpResponseBase:
        payout = self.get_object(request, object_id)
        if payout is None or not self.has_view_permission(request, payout):
            raise Http404
        try:
            statement = payout_statements.find(payout_request_id=payout.pk, by=self.actor(request))
        except NotFound as absent:
            raise Http404(str(absent)) from absent
        answer: HttpResponseBase = (
            HttpResponse(statement_papers.pdf(statement), content_type="application/pdf")
            if kind == "pdf"
            else StreamingHttpResponse(statement_papers.csv_rows(statement), content_type="text/csv; charset=utf-8")
        )
        answer["Content-Disposition"] = f'attachment; filename="{statement.public_id}.{kind}"'
        return answer

    def earnings_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        return earnings.page(self, request)

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "account__organization", "requested_by", "approved_by")

    def title_of(self, obj: PayoutRequest) -> str:
        return f"{obj} to {obj.organization.name}"

    def _statement(self, obj: PayoutRequest) -> Panel:
        rows = []
        statement = obj.statements.order_by("-number").first()
        if statement is not None:
            name, site = "admin:billing_payout_statement", self.admin_site.name
            links = [reverse(f"{name}_{kind}", args=[obj.public_id], current_app=site) for kind in ("pdf", "csv")]
            amounts = [columns.as_money(one, obj.currency) for one in (statement.opening, statement.movements, statement.closing)]
            files = columns.joined_html(columns.as_anchor(links[0], "PDF"), " ", columns.as_anchor(links[1], "CSV"))
            rows.append([*amounts, columns.as_moment(statement.period_to), files])
        return Panel("Statement", ["Opening", "Movements", "Closing", "Made", "Take away"], rows, "It is made once the payout is paid.")

    def told_with(self, obj: PayoutRequest) -> Sequence[QuerySet[Any]]:
        return (Transfer.objects.filter(payout_request=obj), TransferReversal.objects.filter(transfer__payout_request=obj))

    def panels(self, request: HttpRequest, obj: PayoutRequest) -> list[Panel]:
        actor, site = self.actor(request), self.admin_site.name
        transfers = visible(Transfer, actor).filter(payout_request=obj).order_by("-pk")[:20]
        rows = [
            [
                columns.as_state(one.state),
                columns.as_money(one.amount, one.currency),
                columns.as_money(one.amount_reversed, one.currency),
                columns.as_stripe(one.stripe_transfer_id),
                one.failure_reason,
            ]
            for one in transfers
        ]
        shown = [
            self._statement(obj),
            Panel("Transfers to the account", ["State", "Amount", "Came back", "At Stripe", "Why not"], rows, "Nothing was transferred."),
        ]
        if not self.on_staff_site:
            return shown
        subjects = [obj.pk, *(one.pk for one in transfers)]
        commands = visible(StripeCommand, actor).filter(subject_id__in=subjects).order_by("-pk")[:20]
        calls = [
            [columns.as_link(site, one, one.operation), columns.as_state(one.state), str(one.calls), columns.as_moment(one.sent_at)]
            for one in commands
        ]
        return [*shown, Panel("Calls to Stripe", ["Call", "State", "Sent", "Last sent at"], calls, "Stripe was not asked yet.")]
