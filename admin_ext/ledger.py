"""The books: transactions, entries, the trial balance, the rules that must hold. Nothing here can be changed."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse

from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.panels import Panel
from ledger import balances, invariants
from ledger.chart import CHART
from ledger.models import InvariantRun, LedgerEntry, LedgerTransaction
from organizations.models import Organization
from organizations.permissions import Permission

DEBIT, CREDIT = "Debit", "Credit"


class LedgerTransactionAdmin(ConsoleModelAdmin):
    view_permission = Permission.LEDGER_VIEW
    list_display = ["reference", "description", "currency", "organization_name", "occurred", "posted"]
    list_filter = [filters.Currency, ("occurred_at", filters.MomentRange)]
    lookups = ("reference", "organization_id")
    search_fields = ["=reference", "description"]
    search_help_text = "A whole reference such as payment:…, or words of the description"
    palette_fields = ("reference",)
    empty_sentence = "Each fact about money is posted here once, by the operation that made it."
    occurred, posted = columns.moment("occurred_at", "Occurred"), columns.moment("posted_at", "Posted")
    shown_id = columns.number("Transaction")
    fieldsets = [(None, {"fields": ["reference", "description", "currency", "occurred", "posted", "shown_id"]})]

    def organization_name(self, obj: LedgerTransaction) -> Any:
        return getattr(obj, "_organization_name", None) or columns.EMPTY

    organization_name.short_description = "Organization"  # type: ignore[attr-defined]

    def prepare_page(self, request: HttpRequest, rows: list[Any]) -> None:
        names = organization_names(row.organization_id for row in rows)
        for row in rows:
            row._organization_name = names.get(str(row.organization_id))

    def panels(self, request: HttpRequest, obj: LedgerTransaction) -> list[Panel]:
        entries = list(obj.entries.order_by("pk"))
        names = organization_names(entry.owner for entry in entries)
        rows = [
            [
                CHART[entry.account].meaning,
                entry.account,
                names.get(entry.owner, entry.owner),
                *debit_and_credit(entry.amount, entry.currency),
            ]
            for entry in entries
        ]
        return [Panel("Entries", ["Meaning", "Account", "Owner", DEBIT, CREDIT], rows)]

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("trial-balance/", "ledger_trial_balance", self.trial_balance_view),
            ("invariants/", "ledger_invariants", self.invariants_view),
        )

    def trial_balance_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        by_owner = request.GET.get("by") == "owner"
        rows = list(balances.trial_balance(by_owner=by_owner)) if self.has_view_permission(request) else []
        names = organization_names(row.account.owner for row in rows)
        books = []
        for currency in sorted({row.currency for row in rows}):
            lines = [row for row in rows if row.currency == currency]
            debit, credit = sum(max(0, row.amount) for row in lines), sum(min(0, row.amount) for row in lines)
            cells = [
                [
                    CHART[row.account.code].meaning,
                    row.account.code,
                    names.get(row.account.owner, row.account.owner),
                    row.kind.value,
                    *debit_and_credit(row.amount, currency),
                ]
                for row in lines
            ]
            total = [columns.as_money(debit, currency), columns.as_money(-credit, currency)]
            books.append({"currency": currency, "rows": cells, "total": total, "balanced": debit + credit == 0})
        return self.own_page(request, "admin_ext/trial_balance.html", "Trial balance", books=books, by_owner=by_owner)

    def invariants_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        """GET shows what the last nightly run found, POST asks each rule now: some read all books and Stripe's balance."""
        last = InvariantRun.objects.order_by("-id").first()
        now = invariants.violations() if request.method == "POST" and self.has_view_permission(request) else None
        found = now if now is not None else last.violations if last is not None else None
        rules = [{"rule": one, "broken": found.get(one.name, []) if found is not None else None} for one in invariants.registered()]
        at = last.ran_at if now is None and last is not None else None
        return self.own_page(request, "admin_ext/invariants.html", "Invariants", rules=rules, checked=found is not None, at=at)


class LedgerEntryAdmin(ConsoleModelAdmin):
    view_permission = Permission.LEDGER_VIEW
    list_display = ["transaction_link", "account", "owner_name", "debit", "credit", "occurred"]
    list_display_links = None
    list_filter = [filters.AccountOfChart, filters.Currency, ("transaction__occurred_at", filters.MomentRange)]
    lookups = ("account", "owner", "transaction", "transaction__organization_id")
    list_select_related = ["transaction"]
    search_fields = ["=transaction__reference", "=owner", "=account"]
    search_help_text = "A whole reference, an account, or an owner"
    export_fields = (
        export.text("transaction__reference", "Transaction"),
        export.text("account", "Account"),
        export.text("owner", "Owner"),
        export.text("currency", "Currency"),
        export.money("amount", "Amount"),
        export.moment("transaction__occurred_at", "Occurred"),
    )
    empty_sentence = "Entries appear with the transactions that they belong to."
    transaction_link = columns.link("transaction", "Transaction")
    occurred = columns.moment("transaction.occurred_at", "Occurred")
    debit, credit = columns.side(1, DEBIT), columns.side(-1, CREDIT)
    fieldsets = [(None, {"fields": ["transaction_link", "account", "owner", "debit", "credit", "occurred"]})]

    def owner_name(self, obj: LedgerEntry) -> Any:
        return getattr(obj, "_owner_name", None) or obj.owner or columns.EMPTY

    owner_name.short_description = "Owner"  # type: ignore[attr-defined]

    def prepare_page(self, request: HttpRequest, rows: list[Any]) -> None:
        names = organization_names(row.owner for row in rows)
        for row in rows:
            row._owner_name = names.get(row.owner)


def debit_and_credit(amount: int, currency: str) -> list[Any]:
    return [columns.as_money(amount, currency) if amount > 0 else "", columns.as_money(-amount, currency) if amount < 0 else ""]


def organization_names(keys: Iterable[Any]) -> dict[str, str]:
    """Names by key as text; what is no organization's key is left out."""
    wanted = {str(key) for key in keys if key and len(str(key)) == 36}
    return {str(pk): name for pk, name in Organization.objects.filter(pk__in=wanted).values_list("pk", "name")} if wanted else {}
