"""Cards as payment methods; https://docs.stripe.com/api/payment_methods."""

from typing import Any

from sandbox.stripe import cards
from sandbox.stripe.cards import Card
from sandbox.stripe.errors import Json, StripeError, invalid, parameter_missing
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Record, Text, Whole, merged_metadata
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

ADDRESS = Record(fields={name: Text(clearable=True) for name in ("line1", "line2", "city", "state", "postal_code", "country")})
BILLING = Record(fields={"name": Text(clearable=True), "email": Text(clearable=True), "phone": Text(clearable=True), "address": ADDRESS})
CARD = Record(
    fields={"number": Text(), "exp_month": Whole(), "exp_year": Whole(), "cvc": Text(), "token": Text()},
)


def billing_details(given: dict[str, Any] | None = None) -> Json:
    """Stripe's billing details with every key."""
    given = given or {}
    address = {name: (given.get("address") or {}).get(name) for name in ("city", "country", "line1", "line2", "postal_code", "state")}
    return {"address": address, **{name: given.get(name) for name in ("email", "name", "phone", "tax_id")}}


def new(
    world: World, card: Card, *, billing: dict[str, Any] | None = None, customer: str | None = None, metadata: dict[str, str] | None = None
) -> Json:
    """A stored payment method for a test card."""
    shown = {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": card.fingerprint,
        "funding": "credit",
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return world.store.insert(
        stamp(
            world,
            "pm",
            "payment_method",
            allow_redisplay="unspecified",
            billing_details=billing_details(billing),
            card=shown,
            customer=customer,
            metadata=metadata or {},
            type="card",
        )
    )


def named(world: World, name: str, *, param: str = "payment_method") -> Json:
    """The payment method an id or a test token (`pm_card_visa`) names; a token gives a new one. Raises resource_missing."""
    card = cards.by_token(name)
    return new(world, card) if card else world.store.require("payment_method", name, param=param)


def card_of(method: Json) -> Card:
    return cards.by_fingerprint(method["card"]["fingerprint"])


def by_number(number: str, *, param: str) -> Card:
    """The test card with a number. Raises Stripe's card error for any other."""
    card = cards.by_number(number)
    if card is None:
        message = "Your card number is incorrect." if number.strip() else "Your card number is incomplete."
        raise StripeError(402, "card_error", message, code="incorrect_number", param=param)
    return card


def create(world: World, call: Call) -> Json:
    if call.params.get("type", "card") != "card":
        raise invalid("The sandbox knows payment methods of type card only.", param="type")
    given = call.params.get("card") or {}
    if "token" in given:
        found = cards.by_token(given["token"])
        if found is None:
            raise invalid(f"No such token: '{given['token']}'", param="card[token]", code="resource_missing")
        card = found
    elif "number" in given:
        card = by_number(given["number"], param="number")
    else:
        raise parameter_missing("card[number]")
    return new(world, card, billing=call.params.get("billing_details"), metadata=call.metadata())


def retrieve(world: World, call: Call) -> Json:
    return world.store.require("payment_method", call.id)


def update(world: World, call: Call) -> Json:
    method = retrieve(world, call)
    if "metadata" in call.params:
        method["metadata"] = merged_metadata(method["metadata"], call.params["metadata"])
    if "billing_details" in call.params:
        method["billing_details"] = billing_details({**method["billing_details"], **call.params["billing_details"]})
    if "card" in call.params:
        method["card"] = {
            **method["card"],
            **{name: call.params["card"][name] for name in ("exp_month", "exp_year") if name in call.params["card"]},
        }
    emit(world, "payment_method.updated", world.store.save(method))
    return method


def attach(world: World, call: Call) -> Json:
    method = named(world, call.id, param="id")
    method["customer"] = world.store.require("customer", call.params["customer"], param="customer")["id"]
    emit(world, "payment_method.attached", world.store.save(method))
    return method


def detach(world: World, call: Call) -> Json:
    method = retrieve(world, call)
    if method["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    before, method["customer"] = method["customer"], None
    _let_go(world, before, method["id"])
    emit(world, "payment_method.detached", world.store.save(method), previous={"customer": before})
    return method


def _let_go(world: World, customer_id: str, method_id: str) -> None:
    """What paid by the card has none any more."""
    customer = world.store.get("customer", customer_id)
    if customer["invoice_settings"]["default_payment_method"] == method_id:
        customer["invoice_settings"] = {**customer["invoice_settings"], "default_payment_method": None}
        world.store.save(customer)
    for subscription in world.store.select("subscription", " AND json_extract(body, '$.customer') = ?", (customer_id,)):
        if subscription["default_payment_method"] == method_id:
            world.store.save({**subscription, "default_payment_method": None})


def index(world: World, call: Call) -> Json:
    return page(world, call, "payment_method", "/v1/payment_methods", equal={"customer": call.params.get("customer")})


def of_customer(world: World, call: Call) -> Json:
    world.store.require("customer", call.id, param="customer")
    return page(world, call, "payment_method", f"/v1/customers/{call.id}/payment_methods", equal={"customer": call.id})


_CHANGES = {"expand": EXPAND, "metadata": METADATA, "billing_details": BILLING}
ROUTES = [
    Route("POST", "/v1/payment_methods", create, {**_CHANGES, "type": Text(), "card": CARD}),
    Route("GET", "/v1/payment_methods", index, {**PAGE, "customer": Text(), "type": Text()}),
    Route("GET", "/v1/payment_methods/{id}", retrieve, {"expand": EXPAND}),
    Route("POST", "/v1/payment_methods/{id}", update, {**_CHANGES, "card": Record(fields={"exp_month": Whole(), "exp_year": Whole()})}),
    Route("POST", "/v1/payment_methods/{id}/attach", attach, {"expand": EXPAND, "customer": Text(required=True)}),
    Route("POST", "/v1/payment_methods/{id}/detach", detach, {"expand": EXPAND}),
    Route("GET", "/v1/customers/{id}/payment_methods", of_customer, {**PAGE, "type": Text()}),
]
