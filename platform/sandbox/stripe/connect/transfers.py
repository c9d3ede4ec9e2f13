"""Transfers to connected accounts and their reversals; https://docs.stripe.com/api/transfers."""

from sandbox.stripe import balance_transactions
from sandbox.stripe.connect import arrivals
from sandbox.stripe.errors import Json, StripeError, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page, short_list
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Moment, Text, Whole
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp


def insufficient(message: str) -> StripeError:
    return StripeError(400, "invalid_request_error", message, code="balance_insufficient")


def create(world: World, call: Call) -> Json:
    amount, currency = call.params["amount"], call.params["currency"].lower()
    account = world.store.require("account", call.params["destination"], param="destination")
    if account["capabilities"].get("transfers") != "active":
        message = "Your destination account needs to have at least one of the following capabilities enabled: transfers"
        raise StripeError(400, "invalid_request_error", message, code="insufficient_capabilities_for_transfer")
    if balance_transactions.available(world, currency) < amount:
        raise insufficient("You have insufficient funds in your Stripe account for this transfer.")
    transfer = stamp(
        world,
        "tr",
        "transfer",
        amount=amount,
        amount_reversed=0,
        balance_transaction=None,
        currency=currency,
        description=call.params.get("description"),
        destination=account["id"],
        destination_payment=None,
        metadata=call.metadata(),
        reversals=short_list([], "/v1/transfers/reversals"),
        reversed=False,
        source_transaction=None,
        source_type="card",
        transfer_group=call.params.get("transfer_group"),
    )
    transfer["reversals"] = _reversals(transfer, [])
    out = balance_transactions.book(world, "transfer", -amount, currency, source=transfer["id"])
    transfer["balance_transaction"] = out["id"]
    transfer["destination_payment"] = arrivals.arrive(world, transfer)["id"]
    world.store.insert(transfer)
    emit(world, "transfer.created", transfer)
    return transfer


def _reversals(transfer: Json, data: list[Json]) -> Json:
    return short_list(data, f"/v1/transfers/{transfer['id']}/reversals")


def reverse(world: World, call: Call) -> Json:
    transfer = world.store.require("transfer", call.id)
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = call.params.get("amount", left)
    if amount > left or not left:
        raise invalid(f"Reversal amount ({amount}) is greater than unreversed amount on transfer ({left})", param="amount")
    account, currency = transfer["destination"], transfer["currency"]
    if balance_transactions.available(world, currency, account=account) < amount:
        raise insufficient("The connected account does not have a sufficient balance for this reversal.")
    reversal = stamp(
        world,
        "trr",
        "transfer_reversal",
        amount=amount,
        balance_transaction=None,
        currency=currency,
        destination_payment_refund=None,
        metadata=call.metadata(),
        source_refund=None,
        transfer=transfer["id"],
    )
    del reversal["livemode"]  # this object has none
    back = balance_transactions.book(
        world, "transfer_refund", amount, currency, source=reversal["id"], reporting_category="transfer_reversal"
    )
    reversal["balance_transaction"] = back["id"]
    reversal["destination_payment_refund"] = arrivals.leave(world, transfer, reversal)["id"]
    world.store.insert(reversal)
    _count(world, transfer, amount)
    return reversal


def _count(world: World, transfer: Json, amount: int) -> None:
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"] = _reversals(transfer, world.store.select("transfer_reversal", *_of(transfer["id"]), limit=10))
    emit(world, "transfer.reversed", world.store.save(transfer))


def _of(transfer_id: str) -> tuple[str, tuple[str]]:
    return " AND json_extract(body, '$.transfer') = ?", (transfer_id,)


def reversals(world: World, call: Call) -> Json:
    world.store.require("transfer", call.id)
    where, values = _of(call.id)
    return page(world, call, "transfer_reversal", f"/v1/transfers/{call.id}/reversals", where=where, values=values)


def retrieve(world: World, call: Call) -> Json:
    return world.store.require("transfer", call.id)


def index(world: World, call: Call) -> Json:
    equal = {name: call.params.get(name) for name in ("destination", "transfer_group")}
    return page(world, call, "transfer", "/v1/transfers", equal=equal)


_NEW = {"expand": EXPAND, "metadata": METADATA, "description": Text(), "transfer_group": Text()}
ROUTES = [
    Route(
        "POST",
        "/v1/transfers",
        create,
        {**_NEW, "amount": Whole(required=True, least=1), "currency": Text(required=True), "destination": Text(required=True)},
    ),
    Route("GET", "/v1/transfers", index, {**PAGE, "created": Moment(), "destination": Text(), "transfer_group": Text()}),
    Route("GET", "/v1/transfers/{id}", retrieve, {"expand": EXPAND}),
    Route("POST", "/v1/transfers/{id}/reversals", reverse, {"expand": EXPAND, "metadata": METADATA, "amount": Whole(least=1)}),
    Route("GET", "/v1/transfers/{id}/reversals", reversals, PAGE),
]
