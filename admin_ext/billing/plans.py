"""The plan catalogue: finance keeps plans, limits and prices here; Stripe gets them from a task."""

from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from admin_ext.console import columns, edits, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from billing import plan_catalogue
from billing.models import Plan, PlanPrice
from core.money import Money, parse_major
from organizations.permissions import Permission


class PriceDialog(Dialog):
    """amount in major units."""

    kind = forms.ChoiceField(label="Of", choices=PlanPrice.Kind.choices, widget=UnfoldAdminSelectWidget)
    interval = forms.ChoiceField(label="Paid", choices=PlanPrice.Interval.choices, widget=UnfoldAdminSelectWidget)
    currency = forms.ChoiceField(label="Currency", widget=UnfoldAdminSelectWidget)
    amount = forms.CharField(
        label="Price",
        max_length=30,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="Without tax, such as 49.",
    )

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        currency: Any = self.fields["currency"]
        currency.choices = [(one, one) for one in sorted(settings.SETTLEMENT_CURRENCIES)]
        currency.initial = "USD"

    def facts(self) -> list[tuple[str, Any]]:
        return [(f"{price.get_kind_display()}, now", str(price)) for price in self.obj.prices.current().order_by("kind", "interval")]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        text, currency = values.get("amount", ""), values.get("currency")
        if text and currency:
            try:
                values["amount"] = parse_major(text.strip(), currency)
            except ValueError:
                self.add_error("amount", f"Write the price as a number that {currency} has, such as {Money(4_900, currency).major}.")
        return values


class PlanAdmin(ConsoleModelAdmin):
    view_permission = Permission.PLAN_VIEW
    edit_permission = add_permission = Permission.PLAN_EDIT
    edit_fields = plan_catalogue.EDITABLE
    ordering = ("position", "-pk")
    list_display = ["name", "audience", "is_active", "is_contact_sales", "prices_shown", "trial_days", "pushed"]
    list_filter = [("audience", filters.Choice), ("is_active", filters.YesNo)]
    search_fields = ["name", "code"]
    empty_sentence = "Without a plan nobody can subscribe. Add one, or have an engineer run seed_plans for the usual ones."
    shown_id = columns.number("Plan")
    created, pushed = columns.moment("created_at", "Added"), columns.moment("pushed_at", "Last told Stripe")
    product = columns.stripe("stripe_product_id", "Product at Stripe")
    _what = (None, {"fields": ["name", "description", "audience", "position", "is_active", "is_contact_sales", "trial_days", "grace_days"]})
    _limits = (
        "What it allows",
        {
            "fields": [
                ("events_per_month", "events_unlimited"),
                ("courses_per_month", "courses_unlimited"),
                ("certificates_per_month", "certificates_unlimited"),
                ("attendees_per_event", "attendees_unlimited"),
                "seats_included",
                "features",
            ]
        },
    )
    add_fieldsets = (_what, _limits)
    fieldsets = [_what, _limits, ("Record", {"fields": ["code", "product", "pushed", "created", "shown_id"]})]
    actions_detail = ["set_price"]
    set_price = operation_button(
        plan_catalogue.set_price,
        name="set_price",
        id_argument="plan_id",
        label="Change price…",
        done="Changed; new subscribers pay this from now on.",
        permission=Permission.PLAN_EDIT,
        form_class=PriceDialog,
        explain="Stripe's prices never change: a new one takes the place of the old. Whoever subscribed already stays at the old price.",
        submit="Change price",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("prices")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """One call of the operation; it locks, checks, records and has Stripe told. Raises DomainError."""
        actor = self.actor(request)
        values = {name: form.cleaned_data[name] for name in self.edit_fields if name in form.cleaned_data}
        if change:
            edits.locked(self, request, obj)
            plan_catalogue.edit(plan_id=obj.pk, by=actor, **{name: values[name] for name in form.changed_data if name in values})
            return
        obj.__dict__.update(plan_catalogue.create(by=actor, **values).__dict__)

    def prices_shown(self, obj: Plan) -> str:
        base = [price for price in obj.prices.all() if price.retired_at is None and price.kind == PlanPrice.Kind.BASE]
        return ", ".join(str(price) for price in sorted(base, key=lambda price: price.amount)) or "Free"

    prices_shown.short_description = "Price"  # type: ignore[attr-defined]

    def panels(self, request: HttpRequest, obj: Plan) -> list[Panel]:
        prices = sorted(obj.prices.all(), key=lambda price: (price.retired_at is not None, price.kind, price.interval))
        rows = [
            [
                price.get_kind_display(),
                price.get_interval_display(),
                str(price.money),
                columns.as_moment(price.created_at),
                columns.as_moment(price.retired_at),
                price.stripe_price_id or "On its way",
            ]
            for price in prices
        ]
        headers = ["Of", "Paid", "Price", "Since", "Replaced", "At Stripe"]
        return [Panel("Prices", headers, rows, "No prices: it is free, or cannot be bought yet.")]
