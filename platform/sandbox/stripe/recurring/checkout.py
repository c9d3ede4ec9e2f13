"""Checkout sessions, mode subscription, and the customer portal; https://docs.stripe.com/billing/subscriptions/build-subscriptions."""

from sandbox.stripe import charging, checkout_payment, checkout_sessions, payment_methods
from sandbox.stripe.cards import Card
from sandbox.stripe.errors import Json, StripeError, invalid, parameter_missing
from sandbox.stripe.events import emit
from sandbox.stripe.params import EXPAND, Text, Url
from sandbox.stripe.recurring import clocks, subscriptions
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

SHORTEST_TRIAL = 48 * 3600  # seconds that a trial set in Checkout has to last


def create(world: World, call: Call) -> Json:
    params = call.params
    for name in ("customer", "success_url"):
        if name not in params:
            raise parameter_missing(name)
    customer = world.store.require("customer", params["customer"], param="customer")
    data = params.get("subscription_data", {})
    trial_end = data.get("trial_end")
    if trial_end is not None and trial_end < world.now() + SHORTEST_TRIAL:
        raise invalid("The `trial_end` date has to be at least 2 days in the future.", param="subscription_data[trial_end]")
    items = [_line(world, item, index) for index, item in enumerate(params["line_items"])]
    total = 0 if trial_end else sum(item["amount_total"] for item in items)
    session = checkout_sessions.new(
        world, params, total, items[0]["currency"], customer, checkout_sessions.expiry(world, params.get("expires_at"))
    )
    session.update(mode="subscription", metadata=call.metadata(), payment_method_collection="always", customer_creation=None)
    session["url"] = f"{world.public_url}/c/pay/{session['id']}"
    world.store.insert(session)
    world.store.insert(
        {"id": f"more_{session['id']}", "object": "sandbox.checkout", "created": session["created"], "items": items, "subscription": data}
    )
    world.later(checkout_sessions.EXPIRE, session["id"], at=session["expires_at"])
    return session


def _line(world: World, item: Json, index: int) -> Json:
    if "price" not in item:
        raise invalid("The stand-in takes prices by their id for subscriptions.", param=f"line_items[{index}][price]")
    price = world.store.require("price", item["price"], param=f"line_items[{index}][price]")
    product, quantity = world.store.get("product", price["product"]), item.get("quantity", 1)
    amount = price["unit_amount"] * quantity
    return {
        "id": world.new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": product["name"],
        "metadata": {},
        "price": price,
        "quantity": quantity,
    }


def pay(world: World, session: Json, card: Card, billing: dict[str, str]) -> Json:
    """The buyer gives a card: the subscription begins, paid or on trial. Raises the card error of a card that is declined.

    A card with 3-D Secure leaves the session open until it is answered: Stripe makes the subscription afterwards.
    """
    more = checkout_sessions.more(world, session)
    if card.decline and not (card.fails_later and more["subscription"].get("trial_end")):
        raise StripeError(402, "card_error", card.decline.message, code="card_declined")
    if card.authenticate:
        world.store.save({**more, "asked": {"card": card.number, "billing": billing}})
        return session
    return _subscribe(world, session, card, billing)


def answer(world: World, session: Json, passed: bool) -> Json:
    """What the buyer said to their bank. Raises the card error where that was no, and invalid where nothing was asked."""
    more = checkout_sessions.more(world, session)
    asked = more.pop("asked", None)
    if asked is None:
        raise invalid("This Checkout Session waits for no answer.", param="session")
    world.store.save(more)
    if not passed:
        why = charging.FAILED_AUTHENTICATION
        raise StripeError(402, "card_error", why.message, code=why.code)
    return _subscribe(world, session, payment_methods.by_number(asked["card"], param="card"), asked["billing"], authenticated=True)


def _subscribe(world: World, session: Json, card: Card, billing: dict[str, str], *, authenticated: bool = False) -> Json:
    more = checkout_sessions.more(world, session)
    customer, data = world.store.get("customer", session["customer"]), more["subscription"]
    lines = [(item["price"], item["quantity"]) for item in more["items"]]
    given = {"metadata": data.get("metadata"), "trial_end": data.get("trial_end"), "authenticated": authenticated}
    with clocks.of(world, customer):
        method = payment_methods.new(world, card, billing=billing, customer=customer["id"])
        emit(world, "payment_method.attached", method)
        made = subscriptions.new(world, customer, lines, method=method["id"], **given)
    session.update(
        status="complete",
        payment_status="no_payment_required" if data.get("trial_end") else "paid",
        url=None,
        subscription=made["id"],
        invoice=made["latest_invoice"],
        customer_details=checkout_sessions.customer_details(billing["email"], billing["name"]),
    )
    world.forget(checkout_sessions.EXPIRE, session["id"])
    emit(world, "checkout.session.completed", world.store.save(session))
    return session


def create_portal(world: World, call: Call) -> Json:
    customer = world.store.require("customer", call.params["customer"], param="customer")
    session = stamp(
        world,
        "bps",
        "billing_portal.session",
        configuration="bpc_1Sandbox",
        customer=customer["id"],
        customer_account=None,
        flow=None,
        locale=None,
        on_behalf_of=None,
        return_url=call.params.get("return_url"),
    )
    session["url"] = f"{world.public_url}/c/portal/{session['id']}"
    world.store.insert(session)
    emit(world, "billing_portal.session.created", session)
    return session


checkout_sessions.modes["subscription"] = create
checkout_payment.modes["subscription"] = pay
checkout_payment.answers["subscription"] = answer
ROUTES = [
    Route(
        "POST",
        "/v1/billing_portal/sessions",
        create_portal,
        {"expand": EXPAND, "customer": Text(required=True), "return_url": Url()},
    )
]
