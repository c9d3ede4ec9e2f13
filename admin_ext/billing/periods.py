"""Months of each account and currency, and closing them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget

from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.ledger import organization_names
from billing.models import ReconciliationPeriod
from billing.reconciliation import periods
from organizations.permissions import Permission


class CloseDialog(Dialog):
    note = forms.CharField(
        label="Note",
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Kept with the period.",
    )

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.obstacles = periods.obstacles(self.obj, at=timezone.now())
        self.blocked = bool(self.obstacles)

    def explain(self) -> list[str]:
        return self.obstacles


class ReconciliationPeriodAdmin(ConsoleModelAdmin):
    view_permission = Permission.LEDGER_VIEW
    list_display = ["month", "currency", "whose", "state_badge", "at_stripe", "in_books", "transit", "closed", "closed_by_name"]
    list_filter = [("state", filters.States), filters.Currency, ("starts_on", filters.MomentRange)]
    ordering = ("-starts_on",)
    lookups = ("account",)
    list_select_related = ["closed_by"]
    search_fields = ["=account"]
    search_help_text = "A connected account: acct_…"
    empty_sentence = "Months appear here with the first reconciliation."
    actions_detail = ["close"]
    state_badge, closed, closed_by_name = columns.state(), columns.moment("closed_at", "Closed"), columns.text("closed_by", "By")
    at_stripe, in_books = columns.money("stripe_closing", "At Stripe"), columns.money("books_closing", "In our books")
    transit, run_link, shown_id = columns.money("in_transit", "In transit"), columns.link("run", "Reconciled by"), columns.number("Period")
    fieldsets = [
        (None, {"fields": ["month", "currency", "whose", "state_badge"]}),
        ("At its end", {"fields": ["at_stripe", "in_books", "transit", "note"]}),
        ("Record", {"fields": ["run_link", "closed", "closed_by_name", "shown_id"]}),
    ]
    close = operation_button(
        periods.close,
        name="close",
        id_argument="period_id",
        label="Close period…",
        done="Closed; nothing can be booked into it any more.",
        permission=Permission.PERIOD_CLOSE,
        transition="close",
        form_class=CloseDialog,
        explain="A closed period stays closed. What becomes known of it later is booked at its own date.",
        gone="This period is closed already.",
        submit="Close period",
    )

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return None, None  # the platform's books, also where the account is an organization's

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("run", "closed_by")

    def month(self, obj: ReconciliationPeriod) -> str:
        last = obj.ends_on - timedelta(days=1)
        return f"{obj.starts_on:%-d} – {last:%-d %B %Y}"

    def whose(self, obj: ReconciliationPeriod) -> str:
        return getattr(obj, "_owner_name", None) or obj.account or "Platform"

    whose.short_description = "Account"  # type: ignore[attr-defined]

    def prepare_page(self, request: HttpRequest, rows: list[Any]) -> None:
        names = organization_names(row.organization_id for row in rows)
        for row in rows:
            row._owner_name = names.get(str(row.organization_id))
