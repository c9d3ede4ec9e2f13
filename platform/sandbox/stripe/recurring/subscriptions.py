"""Subscriptions; https://docs.stripe.com/api/subscriptions. Items stand inside them, as they are shown."""

from typing import Any

from sandbox.stripe import payment_methods
from sandbox.stripe.errors import Json, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.expanding import part
from sandbox.stripe.listing import page, short_list
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Flag, ListOf, Moment, Record, Text, Whole, merged_metadata
from sandbox.stripe.recurring import clocks, collecting, cycles, invoices
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

RENEW, RETRY, REMIND = "renew_subscription", "retry_invoice", "trial_will_end"  # tasks of the clock
BEFORE_TRIAL_ENDS = 3 * 86_400
LIVE = ("trialing", "active", "past_due", "unpaid", "paused", "incomplete")
RETRIES = (3, 5, 7)  # days between the attempts to take what is due; after the last the subscription is canceled
_EMPTY = """
application application_fee_percent billing_cycle_anchor_config billing_thresholds cancel_at canceled_at days_until_due
default_source default_tax_rates description ended_at latest_invoice next_pending_invoice_item_invoice on_behalf_of pause_collection
pending_invoice_item_interval pending_setup_intent pending_update schedule transfer_data
"""


def new(world: World, customer: Json, lines: list[tuple[Json, int]], **given: Any) -> Json:
    """A subscription from now on: on trial until `trial_end`, else with its first invoice, paid or not."""
    now = int(world.now())
    trial_end = given.get("trial_end")
    subscription = stamp(
        world,
        "sub",
        "subscription",
        **dict.fromkeys(_EMPTY.split()),
        automatic_tax={"disabled_reason": None, "enabled": False, "liability": None},
        billing_cycle_anchor=trial_end or now,
        billing_mode={"type": "classic", "flexible": None},
        billing_schedules=[],
        cancel_at_period_end=False,
        cancellation_details={"comment": None, "feedback": None, "reason": None},
        collection_method="charge_automatically",
        currency=lines[0][0]["currency"],
        customer=customer["id"],
        default_payment_method=given.get("method"),
        discounts=[],
        invoice_settings={"account_tax_ids": None, "issuer": {"type": "self"}},
        metadata=given.get("metadata") or {},
        payment_settings={"payment_method_options": None, "payment_method_types": None, "save_default_payment_method": "off"},
        start_date=now,
        test_clock=customer["test_clock"],
        status="trialing" if trial_end else "incomplete",
        trial_end=trial_end,
        trial_settings={"end_behavior": {"missing_payment_method": "create_invoice"}},
        trial_start=now if trial_end else None,
    )
    ends = trial_end or cycles.after(now, lines[0][0], anchor=now)
    items = [_item(world, subscription["id"], price, quantity, (now, ends)) for price, quantity in lines]
    subscription["items"] = short_list(items, f"/v1/subscription_items?subscription={subscription['id']}")
    world.store.insert(subscription)
    emit(world, "customer.subscription.created", subscription)
    bill(world, subscription, free=bool(trial_end), reason="subscription_create", authenticated=bool(given.get("authenticated")))
    world.later(RENEW, subscription["id"], at=ends)
    if trial_end and trial_end - BEFORE_TRIAL_ENDS > now:
        world.later(REMIND, subscription["id"], at=trial_end - BEFORE_TRIAL_ENDS)
    return subscription


def _item(world: World, subscription_id: str, price: Json, quantity: int, period: tuple[int, int]) -> Json:
    item = stamp(
        world,
        "si",
        "subscription_item",
        billing_thresholds=None,
        current_period_start=period[0],
        current_period_end=period[1],
        discounts=[],
        metadata={},
        price=price,
        quantity=quantity,
        subscription=subscription_id,
        tax_rates=[],
    )
    del item["livemode"]  # this object has none
    return item


def items_of(subscription: Json) -> list[Json]:
    found: list[Json] = subscription["items"]["data"]
    return found


def period_of(subscription: Json) -> tuple[int, int]:
    first = items_of(subscription)[0]
    return first["current_period_start"], first["current_period_end"]


def bill(world: World, subscription: Json, *, reason: str, free: bool = False, authenticated: bool = False) -> bool:
    """Invoice the period that began, with what waits from prorations, and try to take it; the status follows. Whether it is paid."""
    period = period_of(subscription)
    lines = [
        invoices.line(
            world, 0 if free else item["price"]["unit_amount"] * item["quantity"], item["price"], item["quantity"], item=item, period=period
        )
        for item in items_of(subscription)
    ]
    waiting = world.store.setting(f"waiting:{subscription['id']}", [])
    world.store.set_setting(f"waiting:{subscription['id']}", [])
    return charge(world, subscription, [*waiting, *lines], reason=reason, authenticated=authenticated)


def charge(world: World, subscription: Json, lines: list[Json], *, reason: str, authenticated: bool = False) -> bool:
    given_up = subscription["status"] == "unpaid"
    invoice = invoices.make(world, subscription, lines, reason=reason, draft=given_up)
    subscription["latest_invoice"] = invoice["id"]
    if given_up:
        world.store.save(subscription)
        return False
    is_paid = collecting.collect(world, invoice, method_of(world, subscription), authenticated=authenticated)
    settle(world, subscription, is_paid=is_paid)
    if not is_paid and subscription["status"] == "past_due":
        try_again(world, invoice, days=RETRIES[0])
    return is_paid


def try_again(world: World, invoice: Json, *, days: int) -> None:
    at = int(world.now()) + days * 86_400
    invoice["next_payment_attempt"] = at
    world.store.save(invoice)
    world.later(RETRY, invoice["id"], at=at)


def settle(world: World, subscription: Json, *, is_paid: bool, given_up: bool = False) -> None:
    """The status that follows from whether the latest invoice is paid. given_up: it was tried for the last time."""
    before = subscription["status"]
    over = subscription["trial_end"] is None or subscription["trial_end"] <= world.now()
    if is_paid and over:
        subscription["status"] = "active"
    elif not is_paid and before != "incomplete":
        subscription["status"] = "unpaid" if given_up else "past_due"
    world.store.save(subscription)
    emit(world, "customer.subscription.updated", subscription, previous={"status": before} if before != subscription["status"] else {})


def method_of(world: World, subscription: Json) -> Json | None:
    customer = world.store.get("customer", subscription["customer"])
    name = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    return world.store.find("payment_method", name)


def create(world: World, call: Call) -> Json:
    customer = world.store.require("customer", call.params["customer"], param="customer")
    lines = [(_price(world, item["price"], f"items[{at}][price]"), item.get("quantity", 1)) for at, item in enumerate(call.params["items"])]
    method = payment_methods.named(world, call.params["default_payment_method"])["id"] if "default_payment_method" in call.params else None
    with clocks.of(world, customer):
        return new(world, customer, lines, metadata=call.metadata(), trial_end=call.params.get("trial_end"), method=method)


def _price(world: World, name: str, param: str) -> Json:
    price = world.store.require("price", name, param=param)
    if not price["active"]:
        raise invalid(f"The price specified is inactive. This field only accepts active prices: {name}", param=param)
    return price


def update(world: World, call: Call) -> Json:
    with clocks.of_subscription(world, call.id):
        return _update(world, call)


def _update(world: World, call: Call) -> Json:
    subscription = _live(world, call.id)
    before = {"cancel_at_period_end": subscription["cancel_at_period_end"], "items": subscription["items"]}
    if "metadata" in call.params:
        subscription["metadata"] = merged_metadata(subscription["metadata"], call.params["metadata"])
    if "default_payment_method" in call.params:
        subscription["default_payment_method"] = payment_methods.named(world, call.params["default_payment_method"])["id"]
    if "cancel_at_period_end" in call.params:
        ends = call.params["cancel_at_period_end"]
        at = period_of(subscription)[1]
        now = int(world.now())
        subscription.update(cancel_at_period_end=ends, cancel_at=at if ends else None, canceled_at=now if ends else None)
    lines = change_items(world, subscription, call.params.get("items", []), now=int(world.now()))
    world.store.save(subscription)
    emit(world, "customer.subscription.updated", subscription, previous=before)
    how = call.params.get("proration_behavior", "create_prorations")
    if lines and how == "always_invoice":
        charge(world, subscription, lines, reason="subscription_update")
    elif lines and how == "create_prorations":
        waiting = world.store.setting(f"waiting:{subscription['id']}", [])
        world.store.set_setting(f"waiting:{subscription['id']}", [*waiting, *lines])
    return world.store.get("subscription", subscription["id"])


def change_items(world: World, subscription: Json, given: list[dict[str, Any]], *, now: int) -> list[Json]:
    """Change the subscription's items in memory; the prorations that this makes from `now` on."""
    return [each for item in given for each in _change_item(world, subscription, item, now)]


def _change_item(world: World, subscription: Json, given: dict[str, Any], now: int) -> list[Json]:
    """Change, add or remove one item; the lines that give back the rest of the old and take the rest of the new."""
    items = items_of(subscription)
    period = period_of(subscription)
    item = next((each for each in items if each["id"] == given.get("id")), None)
    if "id" in given and item is None:
        raise invalid(f"No such subscription item: '{given['id']}'", param="items[id]", code="resource_missing")
    old = [] if item is None else [(item, -1)]
    if given.get("deleted") and item is not None:
        items.remove(item)
        return _prorated(world, old, period, subscription, now)
    before = {**item} if item else None
    price = _price(world, given["price"], "items[price]") if "price" in given else (item or {})["price"]
    if item is None:
        item = _item(world, subscription["id"], price, given.get("quantity", 1), period)
        items.append(item)
    else:
        item.update(price=price, quantity=given.get("quantity", item["quantity"]))
    return _prorated(world, [*([(before, -1)] if before else []), (item, 1)], period, subscription, now)


def _prorated(world: World, sides: list[tuple[Json, int]], period: tuple[int, int], subscription: Json, now: int) -> list[Json]:
    if subscription["status"] == "trialing" or len({(i["price"]["id"], i["quantity"]) for i, _ in sides}) == 1 < len(sides):
        return []
    found = []
    for item, sign in sides:
        whole = sign * item["price"]["unit_amount"] * item["quantity"]
        amount = cycles.share(whole, now=now, starts=period[0], ends=period[1])
        found.append(invoices.line(world, amount, item["price"], item["quantity"], item=item, period=(now, period[1]), proration=True))
    return found


def cancel(world: World, call: Call) -> Json:
    with clocks.of_subscription(world, call.id):
        return end(world, _live(world, call.id), reason="cancellation_requested")


def end(world: World, subscription: Json, *, reason: str) -> Json:
    now = int(world.now())
    subscription.update(status="canceled", canceled_at=subscription["canceled_at"] or now, ended_at=now)
    subscription["cancellation_details"]["reason"] = reason
    world.forget(RENEW, subscription["id"])
    emit(world, "customer.subscription.deleted", world.store.save(subscription))
    return subscription


def _live(world: World, subscription_id: str) -> Json:
    subscription = world.store.require("subscription", subscription_id)
    if subscription["status"] not in LIVE:
        raise invalid(f"No such subscription: '{subscription_id}'", param="id", code="resource_missing", status=404)
    return subscription


def live_of(world: World, customer_id: str) -> list[Json]:
    found = world.store.select("subscription", " AND json_extract(body, '$.customer') = ?", (customer_id,))
    return [each for each in found if each["status"] in LIVE]


def index(world: World, call: Call) -> Json:
    where = "" if call.params.get("status") else " AND json_extract(body, '$.status') != 'canceled'"
    status = call.params.get("status")
    equal = {"customer": call.params.get("customer"), "status": None if status == "all" else status}
    return page(world, call, "subscription", "/v1/subscriptions", equal=equal, where=where)


part("customer", "subscriptions", lambda world, it: short_list(live_of(world, it["id"]), f"/v1/customers/{it['id']}/subscriptions"))
_ITEM = {"price": Text(), "quantity": Whole(least=0)}
_COMMON = {"expand": EXPAND, "metadata": METADATA, "default_payment_method": Text()}
BEHAVIOR = Text(choices=("always_invoice", "create_prorations", "none"))
CHANGED_ITEMS = ListOf(field=Record(fields={**_ITEM, "id": Text(), "deleted": Flag()}))
ROUTES = [
    Route(
        "POST",
        "/v1/subscriptions",
        create,
        {
            **_COMMON,
            "customer": Text(required=True),
            "items": ListOf(field=Record(fields={**_ITEM, "price": Text(required=True)}), required=True),
            "trial_end": Whole(),
        },
    ),
    Route("GET", "/v1/subscriptions", index, {**PAGE, "created": Moment(), "customer": Text(), "status": Text()}),
    Route("GET", "/v1/subscriptions/{id}", lambda world, call: world.store.require("subscription", call.id), {"expand": EXPAND}),
    Route(
        "POST",
        "/v1/subscriptions/{id}",
        update,
        {
            **_COMMON,
            "cancel_at_period_end": Flag(),
            "items": CHANGED_ITEMS,
            "proration_behavior": BEHAVIOR,
        },
    ),
    Route("DELETE", "/v1/subscriptions/{id}", cancel),
]
