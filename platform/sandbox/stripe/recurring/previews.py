"""What the next invoice would be after a change of a subscription; https://docs.stripe.com/api/invoices/create_preview."""

from copy import deepcopy

from sandbox.stripe.errors import Json, invalid
from sandbox.stripe.params import EXPAND, Record, Text, Whole
from sandbox.stripe.recurring import cycles, invoices, subscriptions
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World


def create(world: World, call: Call) -> Json:
    """Prorations that wait, those of the change, and the next period; nothing is kept."""
    subscription = deepcopy(world.store.require("subscription", call.params["subscription"], param="subscription"))
    details = call.params.get("subscription_details", {})
    starts, ends = subscriptions.period_of(subscription)
    at = details.get("proration_date", int(world.now()))
    if not starts <= at <= ends:
        raise invalid(
            "The proration date must be within the current period of the subscription.", param="subscription_details[proration_date]"
        )
    lines = subscriptions.change_items(world, subscription, details.get("items", []), now=at)
    if details.get("proration_behavior", "create_prorations") == "none":
        lines = []
    waiting = world.store.setting(f"waiting:{subscription['id']}", [])
    lines = [*waiting, *lines, *_next_period(world, subscription, ends)]
    customer, total = world.store.get("customer", subscription["customer"]), sum(line["amount"] for line in lines)
    return {**invoices.upcoming(world, subscription, customer, lines, total=total, reason="upcoming"), "status": "draft", "number": None}


def _next_period(world: World, subscription: Json, starts: int) -> list[Json]:
    found = []
    for item in subscriptions.items_of(subscription):
        price, quantity = item["price"], item["quantity"]
        period = (starts, cycles.after(starts, price, anchor=subscription["billing_cycle_anchor"]))
        found.append(invoices.line(world, price["unit_amount"] * quantity, price, quantity, item=item, period=period))
    return found


_DETAILS = {"items": subscriptions.CHANGED_ITEMS, "proration_behavior": subscriptions.BEHAVIOR, "proration_date": Whole()}
ROUTES = [
    Route(
        "POST",
        "/v1/invoices/create_preview",
        create,
        {"expand": EXPAND, "subscription": Text(required=True), "subscription_details": Record(fields=_DETAILS)},
    )
]
