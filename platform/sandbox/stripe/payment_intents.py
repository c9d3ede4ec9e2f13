"""Payment intents; https://docs.stripe.com/api/payment_intents. Capture is automatic only."""

from typing import Any

from sandbox.stripe import blank, charging, currencies, payment_methods
from sandbox.stripe.errors import Json, StripeError, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Email, Flag, ListOf, Moment, Record, Text, Whole, merged_metadata
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def new(world: World, *, amount: int, currency: str, metadata: dict[str, str], **given: Any) -> Json:
    """A new intent waiting for a payment method; payment_intent.created is sent."""
    intent = stamp(
        world,
        "pi",
        "payment_intent",
        amount=amount,
        automatic_payment_methods=given.get("automatic_payment_methods"),
        currency=currency,
        customer=given.get("customer"),
        description=given.get("description"),
        metadata=metadata,
        payment_method=given.get("payment_method"),
        receipt_email=given.get("receipt_email"),
        transfer_group=given.get("transfer_group"),
        **blank.PAYMENT_INTENT,
    )
    intent["client_secret"] = f"{intent['id']}_secret_{world.token('secret')}"
    if intent["payment_method"]:
        intent["status"] = "requires_confirmation"
    world.store.insert(intent)
    emit(world, "payment_intent.created", intent)
    return intent


def create(world: World, call: Call) -> Json:
    params = call.params
    currency = currencies.known(params["currency"])
    currencies.check_charge(params["amount"], currency)
    if "customer" in params:
        world.store.require("customer", params["customer"], param="customer")
    method = payment_methods.named(world, params["payment_method"]) if "payment_method" in params else None
    automatic = params.get("automatic_payment_methods")
    intent = new(
        world,
        amount=params["amount"],
        currency=currency,
        metadata=call.metadata(),
        customer=params.get("customer"),
        description=params.get("description"),
        receipt_email=params.get("receipt_email"),
        transfer_group=params.get("transfer_group"),
        payment_method=method["id"] if method else None,
        automatic_payment_methods={"allow_redirects": "always", **automatic} if automatic else None,
    )
    if params.get("confirm"):
        _confirm(world, intent, params)
    return world.store.get("payment_intent", intent["id"])


def retrieve(world: World, call: Call) -> Json:
    return world.store.require("payment_intent", call.id)


def update(world: World, call: Call) -> Json:
    intent, params = retrieve(world, call), dict(call.params)
    if intent["status"] not in OPEN and set(params) - {"metadata", "description"}:
        raise _wrong_state(intent, "update")
    if "currency" in params:
        params["currency"] = currencies.known(params["currency"])
    currency = str(params.get("currency", intent["currency"]))
    if "amount" in params:
        currencies.check_charge(params["amount"], currency)
    if "metadata" in params:
        params["metadata"] = merged_metadata(intent["metadata"], params["metadata"])
    if "payment_method" in params:
        params["payment_method"] = payment_methods.named(world, params["payment_method"])["id"]
        params["status"] = "requires_confirmation"
    intent.update(params)
    return world.store.save(intent)


def confirm(world: World, call: Call) -> Json:
    intent = retrieve(world, call)
    _confirm(world, intent, call.params)
    return world.store.get("payment_intent", intent["id"])


def _confirm(world: World, intent: Json, params: dict[str, Any]) -> None:
    if intent["status"] not in OPEN:
        raise _wrong_state(intent, "confirm")
    name = params.get("payment_method") or intent["payment_method"]
    if name is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a "
            "payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken."
        )
        raise invalid(message, code="payment_intent_unexpected_state")
    declined = charging.confirm(world, intent, payment_methods.named(world, name), return_url=params.get("return_url"))
    if declined:
        raise declined


def cancel(world: World, call: Call) -> Json:
    intent = retrieve(world, call)
    if intent["status"] not in OPEN:
        raise _wrong_state(intent, "cancel")
    return cancel_intent(world, intent, reason=call.params.get("cancellation_reason"))


def cancel_intent(world: World, intent: Json, *, reason: str | None) -> Json:
    """Cancel an open intent and say so."""
    intent.update(status="canceled", canceled_at=int(world.now()), cancellation_reason=reason, next_action=None)
    emit(world, "payment_intent.canceled", world.store.save(intent))
    return intent


def index(world: World, call: Call) -> Json:
    return page(world, call, "payment_intent", "/v1/payment_intents", equal={"customer": call.params.get("customer")})


def _wrong_state(intent: Json, verb: str) -> StripeError:
    message = f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
    return StripeError(400, "invalid_request_error", message, code="payment_intent_unexpected_state", payment_intent=intent)


_TEXTS = {
    "description": Text(clearable=True, longest=1000),
    "receipt_email": Email(clearable=True),
    "transfer_group": Text(clearable=True),
}
_CHANGES = {"expand": EXPAND, "metadata": METADATA, **_TEXTS, "customer": Text(), "payment_method": Text()}
_CARD_ONLY = ListOf(field=Text(choices=("card",)))
_CAPTURE = Text(choices=("automatic", "automatic_async"))
_AUTOMATIC = Record(fields={"enabled": Flag(required=True), "allow_redirects": Text(choices=("always", "never"))})
ROUTES = [
    Route(
        "POST",
        "/v1/payment_intents",
        create,
        {
            **_CHANGES,
            "amount": Whole(required=True, least=1),
            "currency": Text(required=True),
            "confirm": Flag(),
            "return_url": Text(),
            "payment_method_types": _CARD_ONLY,
            "capture_method": _CAPTURE,
            "automatic_payment_methods": _AUTOMATIC,
            "off_session": Flag(),
        },
    ),
    Route("GET", "/v1/payment_intents", index, {**PAGE, "created": Moment(), "customer": Text()}),
    Route("GET", "/v1/payment_intents/{id}", retrieve, {"expand": EXPAND, "client_secret": Text()}),
    Route("POST", "/v1/payment_intents/{id}", update, {**_CHANGES, "amount": Whole(least=1), "currency": Text()}),
    Route(
        "POST",
        "/v1/payment_intents/{id}/confirm",
        confirm,
        {"expand": EXPAND, "payment_method": Text(), "return_url": Text(), "off_session": Flag()},
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/cancel",
        cancel,
        {"expand": EXPAND, "cancellation_reason": Text(choices=("abandoned", "duplicate", "fraudulent", "requested_by_customer"))},
    ),
]
