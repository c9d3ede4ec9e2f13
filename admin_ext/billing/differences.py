"""Differences between Stripe and the books, and what finance can do about each."""

from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import change_url, decoded
from admin_ext.ledger import debit_and_credit
from billing.models import Discrepancy, Dispute, Payment, Refund
from billing.reconciliation import fixing, refetching
from core.money import CURRENCIES, Money
from core.public_ids import encode
from ledger.chart import CHART
from ledger.models import LedgerEntry
from organizations.models import Organization
from organizations.permissions import Permission

_NOT_A_COUNTERPART = ("stripe_balance", "connected_balance", "reconciliation_suspense", "write_off")
_MODELS: dict[str, type[Payment] | type[Refund] | type[Dispute]] = {"payment": Payment, "refund": Refund, "dispute": Dispute}


def _is_live(row: Discrepancy) -> bool:
    return row.state in Discrepancy.LIVE


def _side(amount: int | None, fee: int | None, currency: str) -> str:
    if amount is None:
        return "nothing"
    return str(Money(amount, currency)) + (f", fee {Money(fee, currency)}" if fee else "")


class FixDialog(Dialog):
    """Shows both sides; subclasses add what has to be typed."""

    reason = forms.CharField(
        label="Reason",
        min_length=3,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Whoever audits the books reads this.",
    )

    def facts(self) -> list[tuple[str, Any]]:
        row: Discrepancy = self.obj
        found = [
            ("Stripe", _side(row.their_amount, row.their_fee, row.their_currency)),
            ("Our books", _side(row.our_amount, row.our_fee, row.our_currency)),
            *((f"Difference in {currency}", str(Money(amount, currency))) for currency, amount in row.differences.items()),
        ]
        return [*found, ("Now", "booked to suspense")] if row.is_suspended else found


class AskDialog(FixDialog):
    reason = None  # type: ignore[assignment]  # nothing has to be typed


class AdjustDialog(FixDialog):
    account = forms.ChoiceField(
        label="Account",
        choices=[(code, f"{code.replace('_', ' ')}: {kind.meaning}") for code, kind in CHART.items() if code not in _NOT_A_COUNTERPART],
        widget=UnfoldAdminSelectWidget,
        help_text="The other side of the entry: where this money belongs. Of a mere difference in Stripe's fee nothing goes there.",
    )
    owner = forms.CharField(
        label="Owner of the account",
        max_length=60,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="For an organization's account its id (org_…), for a tax account the jurisdiction; empty for the others.",
    )
    field_order = ("account", "owner", "reason")

    def clean_owner(self) -> str:
        text = self.cleaned_data["owner"].strip()
        if CHART[self.cleaned_data.get("account") or "write_off"].owner != "organization":
            return str(text)
        key = decoded(Organization, text)
        if key is None or not visible(Organization, self.actor).filter(pk=key).exists():
            raise forms.ValidationError("This account is kept by organization: write its id, such as org_01….")
        return str(key)


class DiscrepancyCurrency(DropdownFilter):  # type: ignore[misc]
    """Differences that move this currency on either side."""

    title, parameter_name = "currency", "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(currency, currency) for currency in sorted(CURRENCIES)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        return queryset.filter(Q(their_currency=wanted) | Q(our_currency=wanted)) if wanted else queryset


class DiscrepancyAdmin(ConsoleModelAdmin):
    view_permission = Permission.LEDGER_VIEW
    list_display = ["shown_id", "kind_badge", "state_badge", "about_shown", "theirs", "ours", "difference", "account_shown", "happened"]
    list_filter = [
        ("state", filters.States),
        ("kind", filters.States),
        DiscrepancyCurrency,
        ("is_suspended", filters.YesNo),
        ("happened_at", filters.MomentRange),
    ]
    lookups = ("seen_in", "account", "kind")
    list_select_related = ["balance_transaction"]
    search_fields = ["=about", "=balance_transaction__stripe_id", "=balance_transaction__source"]
    search_help_text = "A ledger reference such as payment:…, or an id: dif_…, txn_…, ch_…, re_…"
    empty_sentence = "Stripe and the books agree, as far as the last reconciliation looked."
    actions_detail = ["refetch", "import_external", "adjust", "explain", "write_off"]
    shown_id, state_badge = columns.number("Difference"), columns.state()
    happened, closed = columns.moment("happened_at", "Happened"), columns.moment("closed_at", "Settled")
    closed_by_name, found_link = columns.text("closed_by", "Settled by"), columns.link("found_in", "Found by")
    seen_link, movement = columns.link("seen_in", "Last seen by"), columns.stripe("balance_transaction.stripe_id", "Movement at Stripe")
    source = columns.stripe("balance_transaction.source", "Object at Stripe")
    movement_type, category = (
        columns.text("balance_transaction.type", "Type"),
        columns.text("balance_transaction.reporting_category", "Category"),
    )
    fieldsets = [
        (None, {"fields": ["kind_badge", "state_badge", "about_shown", "theirs", "ours", "difference", "suspended"]}),
        ("At Stripe", {"fields": ["account_shown", "movement", "source", "movement_type", "category", "happened"]}),
        ("Settled", {"fields": ["reason", "closed_by_name", "closed"]}),
        ("Record", {"fields": ["found_link", "seen_link", "shown_id"]}),
    ]

    refetch = operation_button(
        fixing.refetch,
        name="refetch",
        id_argument="discrepancy_id",
        label="Ask Stripe again…",
        done="Stripe is asked again; what it shows is booked, and the difference closes by itself if both sides then agree.",
        permission=Permission.DISCREPANCY_FIX,
        shows=lambda row: _is_live(row) and refetching.is_possible(row),
        form_class=AskDialog,
        explain="Reads the payment, refund or dispute at Stripe and books what was never heard of.",
        gone="This difference is settled, or Stripe has nothing behind it that could be read.",
        submit="Ask Stripe",
    )
    import_external = operation_button(
        fixing.import_external,
        name="import_external",
        id_argument="discrepancy_id",
        label="Import from Stripe…",
        done="It is recorded and booked as Stripe has it.",
        permission=Permission.DISCREPANCY_FIX,
        shows=lambda row: _is_live(row) and refetching.is_importable(row),
        form_class=AskDialog,
        explain="Somebody made this at Stripe and not here. It is recorded as made there, and booked.",
        gone="This difference is settled, or it is nothing that can be imported.",
        submit="Import",
    )
    adjust = operation_button(
        fixing.adjust,
        name="adjust",
        id_argument="discrepancy_id",
        label="Post an adjustment…",
        done="Posted at today's date; both sides agree.",
        permission=Permission.DISCREPANCY_FIX,
        shows=_is_live,
        form_class=AdjustDialog,
        explain="Posts entries after which our books hold what Stripe does. They cannot be taken back, only posted against.",
        gone="This difference is settled.",
        submit="Post adjustment",
    )
    explain = operation_button(
        fixing.explain,
        name="explain",
        id_argument="discrepancy_id",
        label="Explain…",
        done="Kept with your explanation; it is open again if the difference changes.",
        permission=Permission.DISCREPANCY_FIX,
        shows=lambda row: row.state == Discrepancy.State.OPEN and not row.is_suspended,
        form_class=FixDialog,
        explain="Nothing is booked: the difference is right as it is. It no longer counts as residual.",
        gone="This difference is settled, or its money lies in suspense and needs an account.",
        submit="Keep explanation",
    )
    write_off = operation_button(
        fixing.write_off,
        name="write_off",
        id_argument="discrepancy_id",
        label="Write off…",
        done="Written off; both sides agree.",
        permission=Permission.DISCREPANCY_FIX,
        shows=_is_live,
        form_class=FixDialog,
        explain="The difference becomes a loss (or a gain) of the platform, in your name.",
        gone="This difference is settled.",
        submit="Write off",
        danger=True,
    )

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return None, None  # the platform's books, also where the account is an organization's

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("balance_transaction", "found_in", "seen_in", "closed_by")

    def kind_badge(self, obj: Discrepancy) -> Any:
        return columns.as_state(obj.kind, obj.get_kind_display())

    kind_badge.short_description = "Class"  # type: ignore[attr-defined]

    def suspended(self, obj: Discrepancy) -> str:
        return "Booked to suspense: say which account it belongs to." if obj.is_suspended else "No"

    suspended.short_description = "In suspense"  # type: ignore[attr-defined]

    def about_shown(self, obj: Discrepancy) -> Any:
        """The payment, refund or dispute that the reference names, else the reference itself."""
        kind, _, rest = obj.about.partition(":")
        model = _MODELS.get(kind)
        if model is None:
            return columns.as_stripe(obj.about) if not rest else obj.about
        key = UUID(rest.split(":")[0])
        return columns.as_anchor(change_url(self.admin_site.name, model(pk=key)), encode(model.public_prefix, key))

    about_shown.short_description = "About"  # type: ignore[attr-defined]

    def theirs(self, obj: Discrepancy) -> str:
        return _side(obj.their_amount, obj.their_fee, obj.their_currency)

    theirs.short_description = "Stripe"  # type: ignore[attr-defined]

    def ours(self, obj: Discrepancy) -> str:
        return _side(obj.our_amount, obj.our_fee, obj.our_currency)

    ours.short_description = "Our books"  # type: ignore[attr-defined]

    def difference(self, obj: Discrepancy) -> Any:
        amounts = "; ".join(str(Money(amount, currency)) for currency, amount in obj.differences.items())
        return columns.as_badge(amounts, columns.PLAIN) if amounts else columns.EMPTY

    def account_shown(self, obj: Discrepancy) -> str:
        return obj.account or "Platform"

    account_shown.short_description = "Account"  # type: ignore[attr-defined]

    def panels(self, request: HttpRequest, obj: Discrepancy) -> list[Panel]:
        names = [
            obj.about,
            f"{obj.about}:fee",
            *(f"discrepancy:{obj.pk}{more}" for more in ("", ":ours", ":suspense", ":fee", ":ours:fee")),
        ]
        entries = visible(LedgerEntry, self.actor(request)).filter(transaction__reference__in=names)
        rows = [
            [columns.as_link(self.admin_site.name, one.transaction), str(one), *debit_and_credit(one.amount, one.currency)]
            for one in entries.select_related("transaction").order_by("pk")[:100]
        ]
        return [Panel("Ledger entries", ["Transaction", "Account", "Debit", "Credit"], rows, "Nothing is booked under this name.")]
