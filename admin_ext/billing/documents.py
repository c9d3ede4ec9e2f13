"""Receipts and credit notes: found by number, downloaded as PDF. Nobody changes one."""

import re
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET

from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import list_url
from audit.actor import Actor
from billing.documents import printing
from billing.models import Document
from core.money import Money
from organizations.permissions import Permission
from typesetting.answers import pdf_answer

_NUMBER = re.compile(r"([rcx])-(\d{4})-0*(\d{1,9})", re.IGNORECASE)
_KIND = {letter: kind for kind, letter in Document.LETTERS.items()}


def download(site: str, document: Document) -> Any:
    """A link to the PDF, named by the document's number."""
    try:
        url = reverse("admin:billing_document_pdf", args=[document.public_id], current_app=site)
    except NoReverseMatch:
        return document.shown_number
    return columns.as_anchor(url, document.shown_number)


def panel(site: str, by: Actor, **of: Any) -> Panel:
    """What was issued for a payment or a refund."""
    found = visible(Document, by).filter(**of).defer("content").order_by("id")[:50]
    rows = [
        [
            download(site, one),
            columns.as_link(site, one, one.get_kind_display()),
            columns.as_money(one.amount, one.currency),
            columns.as_moment(one.issued_at),
        ]
        for one in found
    ]
    field, owner = next(iter(of.items()))
    more = list_url(site, Document, f"{field}__id__exact={owner.pk}") if rows else None
    headers = ["PDF", "Document", "Amount", "Issued"]
    return Panel("Receipts and credit notes", headers, rows, "None yet; a receipt follows a moment after the money.", more)


class DocumentAdmin(ConsoleModelAdmin):
    view_permission = Permission.PAYMENT_VIEW
    list_display = ["number_shown", "kind_shown", "amount_shown", "payment_link", "organization_link", "issued", "pdf"]
    list_filter = [
        ("kind", filters.Choice),
        filters.Currency,
        ("organization", filters.RelatedFilter),
        ("issued_at", filters.MomentRange),
    ]
    autocomplete_filters = ("organization",)
    lookups = ("payment", "refund", "about")
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization", "payment"]
    search_fields = ["payment__email", "payment__name"]
    search_help_text = "A number such as R-2026-000123, the buyer's email or name, or an id: doc_…"
    empty_sentence = "A receipt appears here for each payment, a credit note for each refund that was paid out."

    export_fields = (
        export.text("kind", "Kind"),
        export.number("year", "Year"),
        export.number("number", "Number"),
        export.moment("issued_at", "Issued"),
        export.text("currency", "Currency"),
        export.money("amount", "Amount"),
        export.text("payment__email", "Email"),
        export.text("payment__description", "For"),
        export.text("organization__name", "Organization", name="organization_link"),
    )
    shown_id = columns.number()
    amount_shown, issued = columns.money("amount", "Amount"), columns.moment("issued_at", "Issued")
    payment_link = columns.link("payment", "Payment", shown="email")
    refund_link, about_link = columns.link("refund", "Refund"), columns.link("about", "About")
    organization_link = columns.link("organization", "Organization")
    fieldsets = [
        (None, {"fields": ["kind_shown", "number_shown", "amount_shown", "issued", "pdf"]}),
        ("About", {"fields": ["payment_link", "refund_link", "about_link", "organization_link", "shown_id"]}),
    ]

    def number_shown(self, obj: Document) -> Any:
        return format_html('<span class="console-number">{}</span>', obj.shown_number)

    number_shown.short_description = "Number"  # type: ignore[attr-defined]

    def kind_shown(self, obj: Document) -> str:
        return obj.get_kind_display()

    kind_shown.short_description = "Kind"  # type: ignore[attr-defined]

    def pdf(self, obj: Document) -> Any:
        return format_html('<span class="console-number">{}</span>', download(self.admin_site.name, obj))

    pdf.short_description = "PDF"  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("content")

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        rows = visible(Document, self.actor(request)).order_by("-pk")
        return rows.select_related("organization", "payment", "refund__payment", "about")

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.organization_id, obj.payment.responsible_id

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """A whole number names its documents, one for each organization, by the index of numbers."""
        named = _NUMBER.fullmatch(search_term.strip())
        if named is None:
            return super().get_search_results(request, queryset, search_term)
        letter, year, number = named.groups()
        return queryset.filter(kind=_KIND[letter.upper()], year=int(year), number=int(number)), False

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("<str:object_id>/pdf/", "billing_document_pdf", require_GET(self.pdf_view)),)

    def pdf_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        document = self.get_object(request, object_id)
        if document is None or not self.has_view_permission(request, document):
            raise Http404
        return pdf_answer(printing.pdf(document), name=printing.file_name(document))

    def panels(self, request: HttpRequest, obj: Document) -> list[Panel]:
        said = obj.content
        rows = [[line["description"], columns.as_money(line["amount"], obj.currency)] for line in said["lines"]]
        taxes = [
            [f"{tax['name']} ({tax['jurisdiction']})", str(Money(tax["base"], obj.currency)), str(Money(tax["amount"], obj.currency))]
            for tax in said["taxes"]
        ]
        found = [Panel("Lines", ["What", "Amount"], rows)]
        found += [Panel("Tax", ["Tax", "Net", "Tax amount"], taxes)] if taxes else []
        later = panel(self.admin_site.name, self.actor(request), about=obj)
        return [*found, Panel("Later documents about it", later.headers, later.rows)] if later.rows else found
