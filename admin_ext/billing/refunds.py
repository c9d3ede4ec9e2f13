"""Refunds: ask, approve, reject, try again."""

from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from admin_ext import bulk_kinds
from admin_ext.billing import documents
from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from billing import refund_approval
from billing.models import Refund, StripeCommand
from organizations.permissions import Permission


class RejectDialog(Dialog):
    why = forms.CharField(
        label="Why",
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Whoever asked for the refund reads this.",
    )


class ApproveDialog(Dialog):
    def facts(self) -> list[tuple[str, Any]]:
        refund: Refund = self.obj
        return [
            ("Amount", str(refund.money)),
            ("Payment", str(refund.payment)),
            ("Asked for by", str(refund.requested_by or "–")),
            ("Reason", refund.get_reason_display()),
            ("Note", refund.note or "–"),
        ]


class RefundAdmin(ConsoleModelAdmin):
    view_permission = Permission.PAYMENT_VIEW
    list_display = ["shown_id", "state_badge", "amount_shown", "payment_link", "reason", "asked_by", "organization_link", "created"]
    list_filter = [
        ("state", filters.States),
        ("reason", filters.Choice),
        ("source", filters.Choice),
        filters.Currency,
        ("payment__organization", filters.RelatedFilter),
        ("created_at", filters.MomentRange),
        ("succeeded_at", filters.MomentRange),
    ]
    autocomplete_filters = ("organization",)
    lookups = ("payment",)
    organizer_hides = ("organization_link", "payment__organization")
    list_select_related = ["payment__organization", "requested_by"]
    actions = [bulk_action(bulk_kinds.APPROVE_REFUNDS)]
    search_fields = ["payment__email", "payment__description", "=stripe_refund_id"]
    search_help_text = "The payment's email or title, or an id: rfd_…, re_…"
    palette_fields = ("stripe_refund_id",)
    export_fields = (
        export.text("state", "State"),
        export.text("payment__email", "Email"),
        export.text("payment__description", "For"),
        export.text("payment__organization__name", "Organization", name="organization_link"),
        export.text("currency", "Currency"),
        export.money("amount", "Amount"),
        export.text("reason", "Reason"),
        export.moment("created_at", "Asked for"),
        export.moment("succeeded_at", "Succeeded"),
        export.text("stripe_refund_id", "Refund at Stripe"),
    )
    empty_sentence = "Refunds are asked for on the page of a payment or a registration."
    actions_detail = ["approve", "reject", "retry"]

    shown_id, state_badge, amount_shown = columns.number("Refund"), columns.state(), columns.money("amount", "Amount")
    payment_link = columns.link("payment", "Payment", shown="email")
    organization_link = columns.link("payment.organization", "Organization")
    asked_by, approver = columns.text("requested_by", "Asked for by"), columns.text("approved_by", "Approved by")
    created, submitted = columns.moment("created_at", "Asked for"), columns.moment("submitted_at", "Sent to Stripe")
    succeeded, failed = columns.moment("succeeded_at", "Succeeded"), columns.moment("failed_at", "Failed or rejected")
    stripe_refund = columns.stripe("stripe_refund_id", "Refund at Stripe")
    balance_transaction = columns.stripe("stripe_balance_transaction_id", "Balance transaction")
    fieldsets = [
        (None, {"fields": ["state_badge", "amount_shown", "payment_link", "organization_link", "failure_reason"]}),
        ("Request", {"fields": ["reason", "note", "source", "releases_place", "asked_by", "approver"]}),
        ("At Stripe", {"fields": ["stripe_refund", "balance_transaction", "attempt"]}),
        ("When", {"fields": ["created", "submitted", "succeeded", "failed", "shown_id"]}),
    ]

    approve = operation_button(
        refund_approval.approve,
        name="approve",
        id_argument="refund_id",
        label="Approve…",
        done="Approved; Stripe is asked for the refund now.",
        permission=Permission.REFUND_APPROVE,
        transition="approve",
        form_class=ApproveDialog,
        explain="The money goes back to the buyer. You cannot approve what you asked for yourself.",
        gone="This refund does not wait for approval any more.",
        submit="Approve refund",
    )
    reject = operation_button(
        refund_approval.reject,
        name="reject",
        id_argument="refund_id",
        label="Reject…",
        done="Rejected; no money moves.",
        permission=Permission.REFUND_APPROVE,
        transition="reject",
        form_class=RejectDialog,
        explain="No money moves; the amount can be refunded again later.",
        gone="This refund does not wait for approval any more.",
        submit="Reject refund",
        danger=True,
    )
    retry = operation_button(
        refund_approval.retry,
        name="retry",
        id_argument="refund_id",
        label="Try again…",
        done="Queued for Stripe again under a new key.",
        permission=Permission.REFUND_RETRY,
        transition="retry",
        explain="Stripe said no for good the last time. This asks once more, as a new refund at Stripe.",
        gone="Only a failed refund can be tried again.",
        submit="Try again",
    )

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.payment.organization_id, obj.payment.responsible_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("payment__organization", "requested_by", "approved_by")

    def title_of(self, obj: Refund) -> str:
        return f"{obj} to {obj.payment.name or obj.payment.email}"

    def panels(self, request: HttpRequest, obj: Refund) -> list[Panel]:
        site = self.admin_site.name
        papers = documents.panel(site, self.actor(request), refund=obj)
        if not self.on_staff_site:
            return [papers]
        commands = visible(StripeCommand, self.actor(request)).filter(subject_id=obj.pk).order_by("-pk")[:20]
        rows = [
            [columns.as_link(site, one, one.operation), columns.as_state(one.state), str(one.calls), columns.as_moment(one.sent_at)]
            for one in commands
        ]
        return [papers, Panel("Calls to Stripe", ["Call", "State", "Sent", "Last sent at"], rows, "Stripe was not asked yet.")]
