"""The audit trail of Stripe's fees: for each charge what Stripe took, what the books hold of it, and who bore it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.http import HttpRequest

from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.urls import change_url
from billing.models import BalanceTransaction, Payment, PaymentLine, Refund
from billing.reconciliation import linking
from core.public_ids import encode
from ledger.models import LedgerEntry
from organizations.permissions import Permission


@dataclass(frozen=True, slots=True)
class Fees:
    """Minor units. booked: what the ledger holds as Stripe's fee of the payment, None where nothing is; charged_to_buyer: the processing
    fee among its lines; borne_by_organization: processing fees it absorbed, and the share of Stripe's fee passed on with refunds."""

    payment_id: UUID | None = None
    booked: int | None = None
    charged_to_buyer: int = 0
    borne_by_organization: int = 0


def attach(rows: Sequence[BalanceTransaction]) -> None:
    """Hang `_fees` on each row, with a constant number of queries."""
    keys = {row.about: UUID(row.about.split(":")[1]) for row in rows if row.about.startswith("payment:")}
    booked = _stripe_fees([f"{about}:fee" for about in keys])
    lines: dict[tuple[UUID, str], int] = {}
    processing = PaymentLine.objects.filter(payment__in=keys.values(), kind=PaymentLine.Kind.PROCESSING_FEE).order_by()
    for payment_id, payer, amount in processing.values_list("payment_id", "payer").annotate(total=Sum("amount")):
        lines[payment_id, payer] = amount
    passed_on = _passed_on(list(keys.values()))
    for row in rows:
        key = keys.get(row.about)
        row._fees = (  # type: ignore[attr-defined]  # hung on for the columns
            Fees(
                key,
                booked.get(f"{row.about}:fee", 0 if row.fee == 0 else None),
                lines.get((key, "attendee"), 0),
                lines.get((key, "organizer"), 0) + passed_on.get(key, 0),
            )
            if key is not None
            else Fees()
        )


def _stripe_fees(references: list[str]) -> dict[str, int]:
    entries = LedgerEntry.objects.filter(transaction__reference__in=references, account="stripe_fees").order_by()
    return dict(entries.values_list("transaction__reference").annotate(total=Sum("amount")))


def _passed_on(payments: list[UUID]) -> dict[UUID, int]:
    refunds = Refund.objects.filter(payment__in=payments).only("pk", "payment_id", "retries")
    owners = {name: refund.payment_id for refund in refunds for name in refund.references("fee", "fee-reversal")}
    found: dict[UUID, int] = {}
    for reference, amount in _stripe_fees(list(owners)).items():
        found[owners[reference]] = found.get(owners[reference], 0) - amount
    return found


class ChargeFeeAdmin(ConsoleModelAdmin):
    view_permission = Permission.LEDGER_VIEW
    list_display = ["movement", "payment_shown", "charged", "taken", "booked", "from_buyer", "from_organization", "verdict", "at"]
    list_display_links = None
    ordering = ("-created_at", "-id")
    list_filter = [filters.Currency, ("created_at", filters.MomentRange)]
    search_fields = ["=stripe_id", "=source"]
    search_help_text = "An id of Stripe: txn_…, ch_…"
    empty_sentence = "Charges appear here with the first reconciliation."
    movement, charged, at = columns.stripe("stripe_id", "Movement"), columns.money("amount", "Charge"), columns.moment("created_at", "When")
    taken = columns.money("fee", "Stripe took")
    fieldsets = [(None, {"fields": ["movement", "charged", "taken", "at"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(account="", type__in=linking.CHARGES)  # charges are always the platform's

    def prepare_page(self, request: HttpRequest, rows: list[Any]) -> None:
        attach(rows)

    def payment_shown(self, obj: Any) -> Any:
        key = obj._fees.payment_id
        url = change_url(self.admin_site.name, Payment(pk=key)) if key else None
        return columns.as_anchor(url, encode(Payment.public_prefix, key)) if key else columns.EMPTY

    payment_shown.short_description = "Payment"  # type: ignore[attr-defined]

    def booked(self, obj: Any) -> Any:
        return columns.as_money(obj._fees.booked, obj.currency)

    def from_buyer(self, obj: Any) -> Any:
        return columns.as_money(obj._fees.charged_to_buyer, obj.currency)

    from_buyer.short_description = "Charged to the buyer"  # type: ignore[attr-defined]

    def from_organization(self, obj: Any) -> Any:
        return columns.as_money(obj._fees.borne_by_organization, obj.currency)

    from_organization.short_description = "Borne by the organization"  # type: ignore[attr-defined]

    def verdict(self, obj: Any) -> Any:
        if obj._fees.booked is None:
            return columns.as_badge("Not booked", columns.WARNING)
        is_equal = obj._fees.booked == obj.fee
        return columns.as_badge("Agrees", columns.SUCCESS) if is_equal else columns.as_badge("Differs", columns.DANGER)

    verdict.short_description = "Books"  # type: ignore[attr-defined]
