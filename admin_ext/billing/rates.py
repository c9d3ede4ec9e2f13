"""Fee schedules and tax rates: finance keeps them here, every change is recorded."""

from typing import Any
from uuid import UUID

from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from billing.models import FeeSchedule, TaxRate
from organizations.permissions import Permission


class RateAdmin(ConsoleModelAdmin):
    """A change counts for sales from then on; payments keep the lines they were made with."""

    view_permission = Permission.LEDGER_VIEW
    edit_permission = add_permission = Permission.FEE_EDIT
    shown_id, created, changed = columns.number(), columns.moment("created_at", "Added"), columns.moment("updated_at", "Last changed")

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return None, None  # the platform's, also where it is about one organization


class FeeScheduleAdmin(RateAdmin):
    list_display = ["whose", "currency_shown", "service", "processing", "payer", "changed"]
    list_filter = [("payer", filters.Choice), ("organization", filters.RelatedFilter)]
    autocomplete_filters = ("organization",)
    autocomplete_fields = ("organization",)
    list_select_related = ["organization"]
    edit_fields = (
        "organization",
        "currency",
        "service_basis_points",
        "service_fixed",
        "processing_basis_points",
        "processing_fixed",
        "payer",
    )
    empty_sentence = "Without a schedule no fees are taken. Add one without an organization for the whole platform."
    fieldsets = [
        (None, {"fields": ["organization", "currency", "payer"]}),
        ("Service fee", {"fields": ["service_basis_points", "service_fixed"]}),
        ("Processing fee", {"fields": ["processing_basis_points", "processing_fixed"]}),
    ]

    def whose(self, obj: FeeSchedule) -> str:
        return obj.organization.name if obj.organization else "The platform"

    whose.short_description = "For"  # type: ignore[attr-defined]

    def currency_shown(self, obj: FeeSchedule) -> str:
        return obj.currency or "Every currency"

    currency_shown.short_description = "Currency"  # type: ignore[attr-defined]

    def service(self, obj: FeeSchedule) -> Any:
        return _fee(obj.service_basis_points, obj.service_fixed, obj.currency)

    def processing(self, obj: FeeSchedule) -> Any:
        return _fee(obj.processing_basis_points, obj.processing_fixed, obj.currency)


class TaxRateAdmin(RateAdmin):
    list_display = ["name", "jurisdiction", "category", "percent", "inclusive", "starts_on", "ends_on"]
    list_filter = [("inclusive", filters.YesNo)]
    search_fields = ["name", "jurisdiction", "category"]
    edit_fields = ("name", "jurisdiction", "category", "basis_points", "inclusive", "starts_on", "ends_on")
    empty_sentence = "Without a rate for a jurisdiction no tax is taken there."
    fieldsets = [(None, {"fields": list(edit_fields)})]

    def percent(self, obj: TaxRate) -> str:
        return f"{obj.basis_points / 100:g} %"

    def title_of(self, obj: TaxRate) -> str:
        return str(obj)


def _fee(basis_points: int, fixed: int, currency: str) -> Any:
    percent = f"{basis_points / 100:g} %"
    return columns.joined_html(percent, " + ", columns.as_money(fixed, currency)) if fixed and currency else percent
