"""Payments: what was sold, what came in, what went back, and every trace of it."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from admin_ext import bulk_kinds
from admin_ext.billing import documents
from admin_ext.billing.dialogs import RefundDialog
from admin_ext.console import columns, export, filters, refusals
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from admin_ext.console.buttons import operation_button
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import change_url, list_url
from admin_ext.dashboards import money
from billing import refunds, stripe_receipts
from billing.models import CheckoutSession, Dispute, DisputeResponse, Document, Payment, PaymentLine, Refund, StripeCommand
from core.errors import DomainError
from ledger.models import LedgerEntry
from organizations.permissions import Permission
from registrations import payment_retry
from registrations.models import Registration


class PaymentAdmin(ConsoleModelAdmin):
    view_permission = Permission.PAYMENT_VIEW
    list_display = ["shown_id", "state_badge", "due_amount", "refunded", "email", "description", "organization_link", "created"]
    list_display_links = ["shown_id"]
    list_filter = [
        ("state", filters.States),
        filters.Currency,
        ("organization", filters.RelatedFilter),
        ("created_at", filters.MomentRange),
        ("paid_at", filters.MomentRange),
    ]
    autocomplete_filters = ("organization",)
    lookups = ("registration", "group", "subject")
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization"]
    actions = [bulk_action(bulk_kinds.REFUND_PAYMENTS)]
    search_fields = ["email", "name", "description", "=subject", "=group", "=stripe_payment_intent_id", "=stripe_charge_id"]
    search_help_text = "Email, name, title, or an id: pay_…, reg_…, evt_…, pi_…, ch_…"
    palette_fields = ("email", "stripe_payment_intent_id", "stripe_charge_id", "subject")
    export_fields = (
        export.text("state", "State"),
        export.text("name", "Name"),
        export.text("email", "Email"),
        export.text("description", "For"),
        export.text("organization__name", "Organization", name="organization_link"),
        export.text("currency", "Currency"),
        export.money("amount", "Due"),
        export.money("amount_captured", "Captured"),
        export.money("amount_refunded", "Refunded"),
        export.moment("created_at", "Created"),
        export.moment("paid_at", "Paid"),
        export.text("stripe_payment_intent_id", "Payment intent"),
    )
    empty_sentence = "Payments appear here as soon as somebody starts to pay."

    shown_id, state_badge = columns.number("Payment"), columns.state()
    why_not = columns.text("failure_message", "Why it failed")
    due_amount = columns.money("amount", "Due")
    captured = columns.money("amount_captured", "Captured")
    refunded = columns.money("amount_refunded", "Refunded", zero=False)
    disputed = columns.money("amount_disputed", "Disputed", zero=False)
    fee = columns.money("stripe_fee", "Stripe's fee")
    organization_link = columns.link("organization", "Organization")
    user_link = columns.link("user", "Account")
    registration_link = columns.link("registration", "Registration")
    created = columns.moment("created_at", "Created")
    paid, release = columns.moment("paid_at", "Paid"), columns.moment("release_at", "Earnings available")
    starts, checked = columns.moment("service_starts_at", "Starts"), columns.moment("checked_at", "Last checked at Stripe")
    intent = columns.stripe("stripe_payment_intent_id", "Payment intent")
    charge = columns.stripe("stripe_charge_id", "Charge")
    balance_transaction = columns.stripe("stripe_balance_transaction_id", "Balance transaction")
    terms = columns.terms("refund_terms", "Refund terms")
    fieldsets = [
        (None, {"fields": ["state_badge", "due_amount", "captured", "refunded", "disputed", "failure_message"]}),
        ("Who and what", {"fields": ["name", "email", "user_link", "description", "registration_link", "organization_link", "starts"]}),
        ("Terms", {"fields": ["terms", "refund_fee_policy", "release"]}),
        ("At Stripe", {"fields": ["intent", "charge", "stripe_receipt", "balance_transaction", "fee", "checked"]}),
        ("Record", {"fields": ["shown_id", "purpose", "subject", "group", "created", "paid"]}),
    ]

    actions_detail = ["refund", "retry_link"]
    refund = operation_button(
        refunds.request,
        name="refund",
        id_argument="payment_id",
        label="Refund…",
        done="Refund requested; Stripe confirms it shortly.",
        permission=Permission.PAYMENT_REFUND,
        form_class=RefundDialog,
        shows=lambda payment: payment.is_captured and refunds.refundable(payment).amount > 0,
        gone="Nothing of this payment can be refunded: it is unpaid, disputed, or refunded in full.",
        submit="Request refund",
    )

    retry_link = operation_button(
        payment_retry.send_link,
        name="retry_link",
        id_argument="payment_id",
        label="Send retry link…",
        done="The place is held again, and its attendee has a mail with a link to pay.",
        permission=Permission.PAYMENT_RETRY,
        shows=lambda payment: payment.state in payment_retry.RETRYABLE and hasattr(payment, "registration"),
        explain="Holds the place for a day and mails the attendee a link to pay it. An expired payment gets a new place at today's price.",
        gone="Only a failed or expired payment of a registration can be paid again.",
        submit="Send the link",
    )

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "user", "registration__event")

    def told_with(self, obj: Any) -> Sequence[QuerySet[Any]]:
        return (
            Refund.objects.filter(payment=obj),
            Dispute.objects.filter(payment=obj),
            DisputeResponse.objects.filter(dispute__payment=obj),
            Document.objects.filter(payment=obj),
            Registration.objects.filter(payment=obj),
        )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("money/", "billing_money", self.money_view),
            ("<str:object_id>/refund-preview/", "billing_payment_refund_preview", require_POST(self.refund_preview_view)),
            ("<str:object_id>/stripe-receipt/", "billing_payment_stripe_receipt", require_GET(self.stripe_receipt_view)),
        )

    def stripe_receipt(self, obj: Payment) -> Any:
        if not obj.stripe_charge_id:
            return columns.EMPTY
        url = reverse("admin:billing_payment_stripe_receipt", args=[obj.public_id], current_app=self.admin_site.name)
        return columns.as_page_elsewhere(url, "Receipt at Stripe")

    stripe_receipt.short_description = "Receipt"  # type: ignore[attr-defined]

    def stripe_receipt_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        """To Stripe's receipt, at the address that it has now. Raises Http404."""
        payment = self.get_object(request, object_id)
        if payment is None or not self.has_view_permission(request, payment):
            raise Http404
        try:
            return HttpResponseRedirect(stripe_receipts.url(payment_id=payment.pk, by=self.actor(request)))
        except DomainError as refusal:
            return refusals.sentence(request, refusal, back=change_url(self.admin_site.name, payment) or request.path)

    def money_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        return money.page(self, request)

    def refund_preview_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        """What the dialog's amount would take from whom; changes nothing. Raises Http404."""
        payment = self.get_object(request, object_id)
        if payment is None or not self.allowed(request, Permission.PAYMENT_REFUND, payment):
            raise Http404
        form = RefundDialog(request=request, obj=payment, actor=self.actor(request), token="", data=request.POST)
        return TemplateResponse(request, "admin_ext/refund_preview.html", {"rows": form.preview(), "form": form})

    def get_list_display(self, request: HttpRequest) -> list[str]:
        """Where unpaid ones are looked at, the reason stands beside the amount."""
        shown, states = super().get_list_display(request), request.GET.get("state__exact") or request.GET.get("state__in", "")
        is_unpaid = bool(set(states.split(",")) & set(payment_retry.RETRYABLE))
        return [*shown, "why_not"] if is_unpaid else shown

    def title_of(self, obj: Payment) -> str:
        return f"{obj.due} from {obj.name or obj.email}"

    def panels(self, request: HttpRequest, obj: Payment) -> list[Panel]:
        papers = documents.panel(self.admin_site.name, self.actor(request), payment=obj)
        found = [_lines(obj), papers, self._refunds(request, obj), self._sessions(request, obj)]
        disputes = visible(Dispute, self.actor(request)).filter(payment=obj).order_by("-pk")
        if disputes:
            rows = [
                [columns.as_link(self.admin_site.name, one), columns.as_state(one.status), columns.as_moment(one.due_by)]
                for one in disputes
            ]
            found.append(Panel("Disputes", ["Dispute", "Status", "Answer by"], rows))
        if self.on_staff_site:
            found += [_ledger(request, self, obj), _commands(request, self, obj)]
        return found

    def _refunds(self, request: HttpRequest, obj: Payment) -> Panel:
        site = self.admin_site.name
        refunds = visible(Refund, self.actor(request)).filter(payment=obj).select_related("requested_by").order_by("-pk")[:50]
        rows = [
            [
                columns.as_link(site, one, one.public_id),
                columns.as_state(one.state),
                columns.as_money(one.amount, one.currency),
                one.get_reason_display(),
                one.requested_by or one.get_source_display(),
                columns.as_moment(one.created_at),
            ]
            for one in refunds
        ]
        more = list_url(site, Refund, f"payment__id__exact={obj.pk}")
        return Panel(
            "Refunds",
            ["Refund", "State", "Amount", "Reason", "Asked by", "Asked at"],
            rows,
            "Nothing was refunded.",
            more if rows else None,
        )

    def _sessions(self, request: HttpRequest, obj: Payment) -> Panel:
        sessions = visible(CheckoutSession, self.actor(request)).filter(payment=obj).order_by("-number")[:20]
        rows = [
            [str(one.number), columns.as_state(one.state), columns.as_stripe(one.stripe_session_id), columns.as_moment(one.expires_at)]
            for one in sessions
        ]
        return Panel("Checkout sessions", ["Attempt", "State", "Stripe", "Expires"], rows, "Checkout was never opened.")


def _lines(obj: Payment) -> Panel:
    rows = [
        [
            line.description,
            line.get_kind_display(),
            line.get_payer_display(),
            line.jurisdiction or columns.EMPTY,
            _line_amount(line, obj.currency),
        ]
        for line in obj.lines.order_by("position")
    ]
    return Panel("Lines", ["What", "Kind", "Paid by", "Jurisdiction", "Amount"], rows, "No lines were stored.")


def _line_amount(line: PaymentLine, currency: str) -> Any:
    shown = columns.as_money(line.amount, currency)
    return shown if not line.inclusive else columns.joined_html(shown, " included")


def _ledger(request: HttpRequest, admin: PaymentAdmin, obj: Payment) -> Panel:
    references = [f"payment:{obj.pk}", f"payment:{obj.pk}:fee"]
    prefixes = [f"refund:{key}" for key in obj.refunds.values_list("pk", flat=True)[:50]]
    entries = visible(LedgerEntry, admin.actor(request)).select_related("transaction").order_by("pk")
    wanted = entries.filter(transaction__reference__in=references)
    for prefix in prefixes:
        wanted = wanted | entries.filter(transaction__reference__startswith=prefix)
    rows = [
        [
            columns.as_link(admin.admin_site.name, entry.transaction),
            str(entry),
            columns.as_money(entry.amount, entry.currency) if entry.amount > 0 else "",
            columns.as_money(-entry.amount, entry.currency) if entry.amount < 0 else "",
            columns.as_moment(entry.transaction.occurred_at),
        ]
        for entry in wanted[:200]
    ]
    return Panel("Ledger entries", ["Transaction", "Account", "Debit", "Credit", "Occurred"], rows, "Nothing is posted before money moves.")


def _commands(request: HttpRequest, admin: PaymentAdmin, obj: Payment) -> Panel:
    subjects = [obj.pk, *obj.refunds.values_list("pk", flat=True)[:50], *obj.checkout_sessions.values_list("pk", flat=True)[:50]]
    commands = visible(StripeCommand, admin.actor(request)).filter(subject_id__in=subjects).order_by("-pk")[:50]
    site = admin.admin_site.name
    rows = [
        [columns.as_link(site, one, one.operation), columns.as_state(one.state), str(one.calls), columns.as_moment(one.sent_at)]
        for one in commands
    ]
    return Panel("Calls to Stripe", ["Call", "State", "Sent", "Last sent at"], rows, "Stripe was not called for this payment.")
