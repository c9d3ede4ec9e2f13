"""Charges; https://docs.stripe.com/api/charges. A charge's balance transaction comes late, as it does at Stripe."""

from sandbox.stripe import balance_transactions, blank, currencies, payment_methods
from sandbox.stripe.cards import Decline
from sandbox.stripe.errors import Json
from sandbox.stripe.events import emit
from sandbox.stripe.expanding import part
from sandbox.stripe.listing import page, short_list
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Moment, Text, merged_metadata
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

CAPTURE = "capture_charge"  # the task that books a charge's balance transaction


def new(world: World, intent: Json, method: Json, *, status: str, decline: Decline | None = None, authenticated: bool = False) -> Json:
    """A charge of an intent by a card: status succeeded, pending or failed. Nothing is booked yet."""
    card = payment_methods.card_of(method)
    done = status == "succeeded"
    charge = stamp(
        world,
        "ch",
        "charge",
        amount=intent["amount"],
        amount_captured=intent["amount"] if done else 0,
        billing_details=method["billing_details"],
        captured=done,
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        failure_code=decline.code if decline else None,
        failure_message=decline.message if decline else None,
        metadata=dict(intent["metadata"]),
        outcome=_outcome(decline),
        paid=done,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details=_details(method, authenticated=authenticated),
        receipt_email=intent["receipt_email"],
        receipt_url=receipt_url(world, intent["id"]) if done else None,
        status=status,
        transfer_group=intent["transfer_group"],
        **blank.CHARGE,
    )
    world.store.insert(charge)
    if done:
        expect_balance_transaction(world, charge, at_once=card.settles_at_once)
    return charge


def receipt_url(world: World, intent_id: str) -> str:
    """Where the receipt of a charge that succeeded is shown."""
    return f"{world.public_url}/c/receipt/{intent_id}"


def expect_balance_transaction(world: World, charge: Json, *, at_once: bool) -> None:
    """Book the charge's balance transaction after the configured delay; with no delay it is there before the answer."""
    delay = 0.0 if at_once or world.replay else float(world.setting("balance_transaction_delay"))
    if delay <= 0:
        _book(world, charge, at_once=at_once)
    else:
        world.later(CAPTURE, charge["id"], at=world.now() + delay)


def capture(world: World, charge_id: str) -> None:
    """The due task: book the balance transaction and send charge.updated."""
    charge = world.store.get("charge", charge_id)
    if charge["balance_transaction"] is None:
        _book(world, charge, at_once=False)
        emit(world, "charge.updated", charge, previous={"balance_transaction": None})


def _book(world: World, charge: Json, *, at_once: bool) -> None:
    amount, currency = charge["amount"], charge["currency"]
    available_on = int(world.now()) + (0 if at_once else balance_transactions.PENDING_DAYS * balance_transactions.DAY)
    fee = world.replay.fee if world.replay and world.replay.fee is not None else currencies.fee(amount, currency)
    movement = balance_transactions.book(
        world,
        "charge",
        amount,
        currency,
        source=charge["id"],
        fee=fee,
        available_on=available_on,
        description=charge["description"],
    )
    charge["balance_transaction"] = movement["id"]
    world.store.save(charge)


def _outcome(decline: Decline | None) -> Json:
    if decline is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 20,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "advice_code": "try_again_later",
        "network_advice_code": None,
        "network_decline_code": "01",
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def _details(method: Json, *, authenticated: bool) -> Json:
    card = method["card"]
    secure = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
    copied = {name: card[name] for name in ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")}
    shown = {
        **copied,
        "authorization_code": None,
        "installments": None,
        "mandate": None,
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "regulated_status": "unregulated",
        "three_d_secure": secure if authenticated else None,
        "wallet": None,
    }
    return {"card": shown, "type": "card"}


def retrieve(world: World, call: Call) -> Json:
    return world.store.require("charge", call.id)


def update(world: World, call: Call) -> Json:
    charge = retrieve(world, call)
    changed = {name: value for name, value in call.params.items() if name != "metadata"}
    if "metadata" in call.params:
        changed["metadata"] = merged_metadata(charge["metadata"], call.params["metadata"])
    previous = {name: charge[name] for name in changed}
    charge.update(changed)
    world.store.save(charge)
    emit(world, "charge.updated", charge, previous=previous)
    return charge


def index(world: World, call: Call) -> Json:
    equal = {name: call.params.get(name) for name in ("payment_intent", "customer", "transfer_group")}
    return page(world, call, "charge", "/v1/charges", equal=equal)


def _refunds(world: World, charge: Json) -> Json:
    found = world.store.select("refund", " AND json_extract(body, '$.charge') = ?", (charge["id"],), limit=10)
    return short_list(found, f"/v1/charges/{charge['id']}/refunds")


part("charge", "refunds", _refunds)
ROUTES = [
    Route(
        "GET", "/v1/charges", index, {**PAGE, "created": Moment(), "payment_intent": Text(), "customer": Text(), "transfer_group": Text()}
    ),
    Route("GET", "/v1/charges/{id}", retrieve, {"expand": EXPAND}),
    Route(
        "POST",
        "/v1/charges/{id}",
        update,
        {"expand": EXPAND, "metadata": METADATA, "description": Text(), "receipt_email": Text(), "transfer_group": Text()},
    ),
]
