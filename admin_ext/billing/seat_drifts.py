"""Seats that Stripe bills otherwise than they are counted, as the nightly comparison found them."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from billing import seat_drifts
from billing.models import SeatDrift
from organizations.permissions import Permission


class SeatDriftAdmin(ConsoleModelAdmin):
    view_permission = Permission.LEDGER_VIEW
    list_display = ["shown_id", "organization_link", "state_badge", "counted", "here", "billed", "found"]
    list_filter = [("state", filters.States), ("created_at", filters.MomentRange)]
    list_select_related = ["organization"]
    search_fields = ["organization__name"]
    empty_sentence = "Stripe bills every seat as it is counted, as far as the last comparison looked."
    actions_detail = ["mend"]
    shown_id, state_badge = columns.number("Drift"), columns.state()
    organization_link = columns.link("organization", "Organization")
    found, settled = columns.moment("created_at", "Found", sortable=True), columns.moment("settled_at", "Settled")
    settled_by_name = columns.text("settled_by", "Mended by")
    fieldsets = [
        (None, {"fields": ["organization_link", "state_badge", "counted", "here", "billed"]}),
        ("Record", {"fields": ["found", "settled", "settled_by_name", "shown_id"]}),
    ]
    mend = operation_button(
        seat_drifts.mend,
        name="mend",
        id_argument="drift_id",
        label="Mend…",
        done="Counted anew; the drift is settled as soon as Stripe bills that number.",
        permission=Permission.DISCREPANCY_FIX,
        shows=lambda row: row.state == SeatDrift.State.OPEN,
        explain="The seats are counted anew from the people there, and Stripe is told to bill that number from now on.",
        gone="The numbers of this drift agree already; there is nothing to mend.",
        submit="Mend",
    )

    def here(self, obj: SeatDrift) -> int:
        return obj.ours

    here.short_description = "To be billed"  # type: ignore[attr-defined]

    def billed(self, obj: SeatDrift) -> int:
        return obj.at_stripe

    billed.short_description = "Billed by Stripe"  # type: ignore[attr-defined]

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "settled_by")

    def owner_of(self, obj: Any) -> tuple[Any, Any]:
        return None, None  # the platform's check, whosever seats they are
