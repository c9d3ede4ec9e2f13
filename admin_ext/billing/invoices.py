"""Invoices of subscriptions: what was billed for which period, whether it is paid, and the ways to Stripe's pages of each."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_GET

from admin_ext.console import columns, export, filters, refusals
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import change_url
from billing import invoice_links
from billing.invoice_links import Page
from billing.models import Invoice
from core.errors import DomainError
from ledger.models import LedgerEntry
from organizations.permissions import Permission


class InvoiceAdmin(ConsoleModelAdmin):
    view_permission = Permission.SUBSCRIPTION_VIEW
    list_display = ["number_shown", "status_badge", "total_shown", "period", "organization_link", "issued", "pdf"]
    list_display_links = ["number_shown"]
    list_filter = [
        ("status", filters.Choice),
        filters.Currency,
        ("organization", filters.RelatedFilter),
        ("issued_at", filters.MomentRange),
    ]
    autocomplete_filters = ("organization",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization"]
    search_fields = ["=number", "=stripe_invoice_id", "organization__name"]
    search_help_text = "The invoice's number, or an id: inv_…, in_…"
    empty_sentence = "Stripe makes the first invoice when a plan is subscribed to."
    export_fields = (
        export.text("number", "Number"),
        export.text("status", "State"),
        export.text("organization__name", "Organization", name="organization_link"),
        export.text("currency", "Currency"),
        export.money("total", "Total"),
        export.money("tax", "Tax"),
        export.money("amount_paid", "Paid"),
        export.moment("period_starts_at", "Period from"),
        export.moment("period_ends_at", "Period to"),
        export.moment("issued_at", "Issued"),
        export.moment("paid_at", "Paid at"),
    )
    shown_id, status_badge = columns.number("Invoice"), columns.state("status")
    number_shown = columns.text("number", "Number")
    total_shown, tax_shown = columns.money("total", "Total"), columns.money("tax", "Tax")
    due_shown, paid_shown = columns.money("amount_due", "Due"), columns.money("amount_paid", "Paid")
    organization_link = columns.link("organization", "Organization")
    issued, paid_on = columns.moment("issued_at", "Issued"), columns.moment("paid_at", "Paid at")
    begins, ends = columns.moment("period_starts_at", "Period from"), columns.moment("period_ends_at", "Period to")
    next_attempt = columns.moment("next_attempt_at", "Tried again")
    at_stripe = columns.stripe("stripe_invoice_id", "Invoice at Stripe")
    intent = columns.stripe("stripe_payment_intent_id", "Payment intent")
    fieldsets = [
        (None, {"fields": ["number_shown", "status_badge", "total_shown", "tax_shown", "due_shown", "paid_shown", "pages"]}),
        ("Period", {"fields": ["begins", "ends", "organization_link"]}),
        ("Taking it", {"fields": ["attempts", "needs_action", "next_attempt", "paid_on"]}),
        ("Record", {"fields": ["issued", "shown_id", "at_stripe", "intent"]}),
    ]

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization")

    def title_of(self, obj: Invoice) -> str:
        return f"Invoice {obj}: {obj.money}"

    def period(self, obj: Invoice) -> Any:
        return f"{obj.period_starts_at:%-d %b %Y} to {obj.period_ends_at:%-d %b %Y}" if obj.period_starts_at else columns.EMPTY

    period.short_description = "Period"  # type: ignore[attr-defined]

    def pdf(self, obj: Invoice) -> Any:
        return self._way(obj, Page.PDF, "PDF") if obj.status != Invoice.Status.DRAFT else columns.EMPTY

    pdf.short_description = "PDF"  # type: ignore[attr-defined]

    def pages(self, obj: Invoice) -> Any:
        if obj.status == Invoice.Status.DRAFT:
            return columns.EMPTY
        label = "Pay at Stripe" if obj.status == Invoice.Status.OPEN else "Page at Stripe"
        return columns.joined_html(self._way(obj, Page.PDF, "PDF"), " · ", self._way(obj, Page.PAY, label))

    pages.short_description = "At Stripe"  # type: ignore[attr-defined]

    def _way(self, obj: Invoice, page: Page, label: str) -> Any:
        return columns.as_page_elsewhere(address(self.admin_site.name, obj, page), label)

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("<str:object_id>/pdf/", "billing_invoice_pdf", require_GET(self.pdf_view)),
            ("<str:object_id>/pay/", "billing_invoice_pay", require_GET(self.pay_view)),
        )

    def pdf_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        return self._leave(request, object_id, Page.PDF)

    def pay_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        return self._leave(request, object_id, Page.PAY)

    def _leave(self, request: HttpRequest, object_id: str, page: Page) -> HttpResponse:
        """To Stripe's page of the invoice, at the address that it has now. Raises Http404."""
        invoice = self.get_object(request, object_id)
        if invoice is None or not self.has_view_permission(request, invoice):
            raise Http404
        try:
            return HttpResponseRedirect(invoice_links.url(invoice_id=invoice.pk, page=page, by=self.actor(request)))
        except DomainError as refusal:
            return refusals.sentence(request, refusal, back=change_url(self.admin_site.name, invoice) or request.path)

    def panels(self, request: HttpRequest, obj: Invoice) -> list[Panel]:
        if not self.on_staff_site:
            return []
        references = [obj.reference, f"{obj.reference}:fee"]
        entries = visible(LedgerEntry, self.actor(request)).filter(transaction__reference__in=references).select_related("transaction")
        rows = [
            [
                columns.as_link(self.admin_site.name, entry.transaction),
                str(entry),
                columns.as_money(entry.amount, entry.currency) if entry.amount > 0 else "",
                columns.as_money(-entry.amount, entry.currency) if entry.amount < 0 else "",
            ]
            for entry in entries.order_by("pk")
        ]
        return [Panel("Ledger entries", ["Transaction", "Account", "Debit", "Credit"], rows, "Nothing is posted before it is paid.")]


def address(site: str, invoice: Invoice, page: Page) -> str:
    """Where this console leads to Stripe's page."""
    return reverse(f"admin:billing_invoice_{page}", args=[invoice.public_id], current_app=site)
