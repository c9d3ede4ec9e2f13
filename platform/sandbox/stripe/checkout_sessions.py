"""Checkout sessions; mode payment here, others register themselves; https://docs.stripe.com/api/checkout/sessions."""

from typing import Any

from sandbox.stripe import blank, currencies, payment_intents
from sandbox.stripe.errors import Json, invalid, parameter_missing
from sandbox.stripe.events import emit
from sandbox.stripe.expanding import part
from sandbox.stripe.listing import page, short_list
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Email, ListOf, Moment, Record, Text, Url, Whole, merged_metadata
from sandbox.stripe.routing import Call, Handler, Route
from sandbox.stripe.world import World, stamp

EXPIRE = "expire_session"  # the task that ends a session nobody paid
SHORTEST, LONGEST = 30 * 60, 24 * 60 * 60  # seconds a session may stay open
modes: dict[str, Handler] = {}  # what makes a session of another mode than payment


def create(world: World, call: Call) -> Json:
    params = call.params
    if params.get("ui_mode", "hosted_page") in ("hosted", "hosted_page") and "success_url" not in params:
        raise parameter_missing("success_url")
    if "line_items" not in params:
        raise parameter_missing("line_items")
    if params["mode"] in modes:
        return modes[params["mode"]](world, call)
    if "customer" in params and "customer_email" in params:
        raise invalid("You may only specify one of these parameters: customer, customer_email.", param="customer")
    customer = world.store.require("customer", params["customer"], param="customer") if "customer" in params else None
    expires_at = expiry(world, params.get("expires_at"))
    for index, item in enumerate(params["line_items"]):
        if "price_data" not in item:
            raise parameter_missing(f"line_items[{index}][price_data]")
    items = [_line(world, item, f"line_items[{index}]") for index, item in enumerate(params["line_items"])]
    total = _total(items)
    session = new(world, params, total, items[0]["currency"], customer, expires_at)
    session["metadata"] = call.metadata()
    session["url"] = f"{world.public_url}/c/pay/{session['id']}"
    world.store.insert(session)
    world.store.insert(
        {"id": f"more_{session['id']}", "object": "sandbox.checkout", "created": session["created"], "items": items,
         "intent": params.get("payment_intent_data", {})}
    )  # fmt: skip
    world.later(EXPIRE, session["id"], at=expires_at)
    return session


def expiry(world: World, given: int | None) -> int:
    now = world.now()
    if given is None:
        return int(now) + LONGEST
    if given < int(now) + SHORTEST:
        raise invalid("The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.", param="expires_at")
    if given > int(now) + LONGEST + 60:
        raise invalid("The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.", param="expires_at")
    return given


def _line(world: World, item: dict[str, Any], param: str) -> Json:
    data = item["price_data"]
    currency = currencies.known(data["currency"], param=f"{param}[price_data][currency]")
    currencies.check_step(data["unit_amount"], currency, param=f"{param}[price_data][unit_amount]")
    quantity = item.get("quantity", 1)
    price = stamp(
        world,
        "price",
        "price",
        active=False,
        billing_scheme="per_unit",
        currency=currency,
        custom_unit_amount=None,
        lookup_key=None,
        metadata={},
        nickname=None,
        product=world.new_id("prod"),
        recurring=None,
        tax_behavior="unspecified",
        tiers_mode=None,
        transform_quantity=None,
        type="one_time",
        unit_amount=data["unit_amount"],
        unit_amount_decimal=str(data["unit_amount"]),
    )
    amount = data["unit_amount"] * quantity
    return {
        "id": world.new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": currency,
        "description": data["product_data"]["name"],
        "metadata": {},
        "price": price,
        "quantity": quantity,
    }


def _total(items: list[Json]) -> int:
    if len({item["currency"] for item in items}) > 1:
        raise invalid("All prices on a Checkout Session must have the same currency.", param="line_items")
    total = sum(item["amount_total"] for item in items)
    if total == 0:
        raise invalid("The sandbox knows no Checkout Session without a payment: the total must not be zero.", param="line_items")
    currencies.check_charge(total, items[0]["currency"], param="line_items", noun="The Checkout Session's total amount due")
    return int(total)


def new(world: World, params: dict[str, Any], total: int, currency: str, customer: Json | None, expires_at: int) -> Json:
    email = params.get("customer_email") or (customer or {}).get("email")
    return stamp(
        world,
        "cs_test",
        "checkout.session",
        amount_subtotal=total,
        amount_total=total,
        cancel_url=params.get("cancel_url"),
        client_reference_id=params.get("client_reference_id"),
        currency=currency,
        customer=customer["id"] if customer else None,
        customer_creation=None if customer else params.get("customer_creation", "if_required"),
        customer_details=customer_details(email, None) if email else None,
        customer_email=params.get("customer_email"),
        expires_at=expires_at,
        locale=params.get("locale"),
        submit_type=params.get("submit_type"),
        success_url=params["success_url"],
        **blank.SESSION,
    )


def customer_details(email: str | None, name: str | None) -> Json:
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def more(world: World, session: Json) -> Json:
    """What Stripe keeps of a session but does not show: its line items, and the data for its payment intent."""
    return world.store.get("sandbox.checkout", f"more_{session['id']}")


def end(world: World, session: Json) -> Json:
    """An open session expires: nobody can pay any more, and it says so."""
    session.update(status="expired", url=None)
    world.store.save(session)
    world.forget(EXPIRE, session["id"])
    intent = world.store.find("payment_intent", session["payment_intent"])
    if intent and intent["status"] in payment_intents.OPEN:
        payment_intents.cancel_intent(world, intent, reason="automatic")
    emit(world, "checkout.session.expired", session)
    return session


def expire(world: World, call: Call) -> Json:
    session = retrieve(world, call)
    if session["status"] != "open":
        message = (
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of {session["status"]}.'
        )
        raise invalid(message, param="session")
    return end(world, session)


def retrieve(world: World, call: Call) -> Json:
    return world.store.require("checkout.session", call.id)


def update(world: World, call: Call) -> Json:
    session = retrieve(world, call)
    if "metadata" in call.params:
        session["metadata"] = merged_metadata(session["metadata"], call.params["metadata"])
    return world.store.save(session)


def index(world: World, call: Call) -> Json:
    equal = {name: call.params.get(name) for name in ("payment_intent", "customer", "status")}
    return page(world, call, "checkout.session", "/v1/checkout/sessions", equal=equal)


def line_items(world: World, call: Call) -> Json:
    return _line_items(world, retrieve(world, call))


def _line_items(world: World, session: Json) -> Json:
    return short_list(more(world, session)["items"], f"/v1/checkout/sessions/{session['id']}/line_items")


part("checkout.session", "line_items", _line_items)
_PRODUCT = Record(required=True, fields={"name": Text(required=True), "description": Text(), "metadata": METADATA})
_PRICE = Record(
    fields={"currency": Text(required=True), "unit_amount": Whole(required=True, least=0), "product_data": _PRODUCT},
)
_INTENT = Record(fields={"metadata": METADATA, "transfer_group": Text(), "description": Text(), "receipt_email": Email()})
_TEXTS = {
    "success_url": Url(),
    "cancel_url": Url(),
    "client_reference_id": Text(longest=200),
    "customer": Text(),
    "customer_email": Email(),
    "locale": Text(),
    "submit_type": Text(choices=("auto", "book", "donate", "pay")),
    "customer_creation": Text(choices=("if_required",)),
}
ROUTES = [
    Route(
        "POST",
        "/v1/checkout/sessions",
        create,
        {
            **_TEXTS,
            "expand": EXPAND,
            "metadata": METADATA,
            "mode": Text(required=True, choices=("payment", "subscription")),
            "line_items": ListOf(field=Record(fields={"price": Text(), "price_data": _PRICE, "quantity": Whole(least=1)})),
            "payment_intent_data": _INTENT,
            "subscription_data": Record(fields={"metadata": METADATA, "trial_end": Whole()}),
            "payment_method_collection": Text(choices=("always", "if_required")),
            "expires_at": Whole(),
            "payment_method_types": ListOf(field=Text(choices=("card",))),
            "ui_mode": Text(choices=("hosted_page", "hosted")),
        },
    ),
    Route(
        "GET",
        "/v1/checkout/sessions",
        index,
        {
            **PAGE,
            "created": Moment(),
            "payment_intent": Text(),
            "customer": Text(),
            "status": Text(choices=("open", "complete", "expired")),
        },
    ),
    Route("GET", "/v1/checkout/sessions/{id}", retrieve, {"expand": EXPAND}),
    Route("POST", "/v1/checkout/sessions/{id}", update, {"expand": EXPAND, "metadata": METADATA}),
    Route("POST", "/v1/checkout/sessions/{id}/expire", expire, {"expand": EXPAND}),
    Route("GET", "/v1/checkout/sessions/{id}/line_items", line_items, PAGE),
]
