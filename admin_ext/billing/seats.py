"""Seats on the page of an organization's plan: how many there are and what each costs; buying, lowering, giving."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from billing import seat_prices, seat_standing, seats
from billing.models import SeatAccount
from organizations.models import Organization
from organizations.permissions import Permission


class _Seats(Dialog):
    """What is, before it is changed; a plan that sells no seat says so instead of asking."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.found = seat_standing.of(self.obj.pk)
        self.blocked = self.found.price is None or bool(self.found.why)

    def facts(self) -> list[tuple[str, Any]]:
        return _facts(self.found)

    def explain(self) -> list[str]:
        if self.blocked:
            return [self.found.why]
        return ["The next invoice has what the change adds or gives back for the rest of the period; nothing is charged before."]


class BuyDialog(_Seats):
    seats = forms.IntegerField(label="Further seats, all in all", min_value=1, max_value=seats.MOST, widget=UnfoldAdminIntegerFieldWidget)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.fields["seats"].initial = self.found.billed + 1

    def explain(self) -> list[str]:
        said = super().explain()
        if self.blocked:
            return said
        price, subscription = self.found.price, self.found.subscription
        if price is None or subscription is None:
            return said
        billed = self.found.billed
        due = seat_prices.by_rule(subscription, price, before=billed, after=billed + 1, at=timezone.now())
        return [*said, f"One more now adds {due} for the rest of this period, by Stripe's rule."]


class LowerDialog(_Seats):
    seats = forms.IntegerField(label="Further seats that stay", min_value=0, max_value=seats.MOST, widget=UnfoldAdminIntegerFieldWidget)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.fields["seats"].initial = max(0, self.found.used - self.found.included)


class GiveDialog(Dialog):
    seats = forms.IntegerField(label="Seats that nobody pays", min_value=0, max_value=seats.MOST, widget=UnfoldAdminIntegerFieldWidget)
    reason = forms.CharField(label="Reason", max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))

    def facts(self) -> list[tuple[str, Any]]:
        return _facts(seat_standing.of(self.obj.pk))


def _facts(found: seat_standing.Standing) -> list[tuple[str, Any]]:
    price = f"{found.price.money} a {found.price.interval}" if found.price is not None else "none can be bought"
    return [("Used", found.used), ("Included", found.included), ("Bought", found.billed), ("One more", price)]


def _is_active(organization: Organization) -> bool:
    return organization.is_active


BUY = operation_button(
    seats.buy,
    name="buy_seats",
    id_argument="organization_id",
    label="Buy seats…",
    done="Bought; Stripe hears of it in a moment.",
    permission=Permission.SUBSCRIPTION_MANAGE,
    form_class=BuyDialog,
    shows=_is_active,
    gone="This organization is closed; it needs no seats any more.",
    submit="Buy",
)
LOWER = operation_button(
    seats.lower,
    name="lower_seats",
    id_argument="organization_id",
    label="Give seats back…",
    done="Given back; the next invoice has the rest of the period.",
    permission=Permission.SUBSCRIPTION_MANAGE,
    form_class=LowerDialog,
    shows=lambda organization: organization.is_active and SeatAccount.objects.filter(organization=organization, bought__gt=0).exists(),
    gone="No seat is kept beyond those that people use.",
    submit="Give back",
)
GIVE = operation_button(
    seats.give,
    name="give_seats",
    id_argument="organization_id",
    label="Give seats free of charge…",
    done="Given; they count from now on.",
    permission=Permission.QUOTA_OVERRIDE,
    form_class=GiveDialog,
    shows=_is_active,
    explain="Besides those of its plan. The number and the reason stand in the audit log.",
    gone="This organization is closed; it needs no seats any more.",
    submit="Give",
)


def panel(organization_id: UUID) -> Panel:
    found = seat_standing.of(organization_id)
    row = SeatAccount.objects.filter(organization_id=organization_id).first()
    told = "Stripe bills that number" if row is None or row.is_pushed else row.failure_reason or "Stripe is being told"
    return Panel(
        "Seats",
        ["What", "How many"],
        [*([name, str(value)] for name, value in _facts(found)), ["At Stripe", told if found.subscription else "No subscription"]],
        "",
    )
