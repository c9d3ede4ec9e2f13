"""Refunds; https://docs.stripe.com/api/refunds and https://docs.stripe.com/refunds.

Usually a refund succeeds at once. It may instead wait (pending, requires_action) or fail days after it succeeded: by the test card,
by the control API (`next_refunds`), or for want of balance when `refunds_wait_for_balance` is set.
"""

from typing import Any

from sandbox.stripe import balance_transactions, currencies, disputes
from sandbox.stripe.errors import Json, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Moment, Text, Whole, merged_metadata
from sandbox.stripe.payment_methods import card_of
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

BOOK = "book_refund"  # the task that books a refund's balance transaction
SETTLE = "settle_refund"
FAIL = "fail_refund"
OUTCOMES = ("succeeded", "pending", "requires_action", "failed", "succeeded_then_failed")
SECONDS_TO_OUTCOME = 5.0  # of the sandbox's clock, for the test cards whose refunds change their mind


def create(world: World, call: Call) -> Json:
    charge = _charge(world, call.params)
    amount = allowed_amount(world, charge, call.params.get("amount"))
    outcome = _next_outcome(world) or card_of(world.store.get("payment_method", charge["payment_method"])).refund
    return open_refund(world, charge, amount, outcome=outcome, metadata=call.metadata(), reason=call.params.get("reason"))


def _charge(world: World, params: dict[str, Any]) -> Json:
    if "charge" in params:
        charge = world.store.require("charge", params["charge"], param="charge")
        if params.get("payment_intent") not in (None, charge["payment_intent"]):
            raise invalid("The charge does not belong to this payment intent.", param="payment_intent")
    elif "payment_intent" in params:
        intent = world.store.require("payment_intent", params["payment_intent"], param="payment_intent")
        if intent["status"] != "succeeded":
            raise invalid(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", param="payment_intent")
        charge = world.store.get("charge", intent["latest_charge"])
    else:
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise invalid(message, code="parameter_missing", stored=False)
    if not charge["paid"]:
        raise invalid(f"Charge {charge['id']} was not successful and cannot be refunded.", param="charge")
    return charge


def allowed_amount(world: World, charge: Json, amount: int | None) -> int:
    """The amount to refund, everything that is left unless given. Raises Stripe's refusals."""
    left = charge["amount"] - charge["amount_refunded"]
    if disputes.blocking(world, charge["id"]):
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if left <= 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount is None:
        return int(left)
    if amount > left:
        shown, rest = currencies.shown(amount, charge["currency"]), currencies.shown(left, charge["currency"])
        message = f"Refund amount ({shown}) is greater than unrefunded amount on charge ({rest})"
        raise invalid(message, param="amount", code="amount_too_large")
    currencies.check_step(amount, charge["currency"])
    return amount


def _next_outcome(world: World) -> str | None:
    waiting: list[str] = world.setting("next_refunds")
    if not waiting:
        return None
    world.store.set_setting("next_refunds", waiting[1:])
    return waiting[0]


def open_refund(world: World, charge: Json, amount: int, *, outcome: str, metadata: dict[str, str], reason: str | None) -> Json:
    """Record a refund of an allowed amount and start it on its outcome (one of OUTCOMES)."""
    waits = world.setting("refunds_wait_for_balance") and not world.replay
    short = waits and balance_transactions.total(world, charge["currency"]) < amount
    status = "pending" if short else {"succeeded_then_failed": "succeeded", "failed": "pending"}.get(outcome, outcome)
    refund = stamp(
        world,
        "re",
        "refund",
        amount=amount,
        balance_transaction=None,
        charge=charge["id"],
        currency=charge["currency"],
        destination_details={
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
            "type": "card",
        },
        metadata=metadata,
        payment_intent=charge["payment_intent"],
        reason=reason,
        receipt_number=None,
        source_transfer_reversal=None,
        status=status,
        transfer_reversal=None,
    )
    del refund["livemode"]  # this object has none
    if status == "pending":
        refund["pending_reason"] = "insufficient_funds" if short else "processing"
    if status == "requires_action":
        refund["next_action"] = {"type": "display_details"}
    world.store.insert(refund)
    _count(world, charge, amount)
    if status == "succeeded":
        _expect_balance_transaction(world, refund)
    emit(world, "refund.created", refund)
    emit(world, "charge.refunded", charge)
    if outcome == "failed":
        fail(world, refund)
    _later(world, refund, outcome)
    return refund


def _later(world: World, refund: Json, outcome: str) -> None:
    """Cards whose refunds change their mind do so after a while; what the control API queued waits for its word."""
    card = card_of(world.store.get("payment_method", world.store.get("charge", refund["charge"])["payment_method"]))
    if card.refund == outcome and refund.get("pending_reason") == "processing":
        world.later(SETTLE, refund["id"], at=world.now() + SECONDS_TO_OUTCOME)
    if outcome == "succeeded_then_failed":
        world.later(FAIL, refund["id"], at=world.now() + SECONDS_TO_OUTCOME)


def _count(world: World, charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] >= charge["amount"]
    world.store.save(charge)


def _expect_balance_transaction(world: World, refund: Json) -> None:
    delay = float(world.setting("refund_transaction_delay"))
    if delay > 0 and not world.replay:
        world.later(BOOK, refund["id"], at=world.now() + delay)
    else:
        book(world, refund, announce=False)


def book(world: World, refund: Json, *, announce: bool = True) -> None:
    """Book the refund's balance transaction, unless its charge has none yet: then it follows the charge's."""
    charge = world.store.get("charge", refund["charge"])
    if refund["status"] != "succeeded" or refund["balance_transaction"] or not charge["balance_transaction"]:
        return
    movement = balance_transactions.book(
        world, "refund", -refund["amount"], refund["currency"], source=refund["id"], description="REFUND FOR CHARGE"
    )
    refund["balance_transaction"] = movement["id"]
    world.store.save(refund)
    if announce:
        emit(world, "refund.updated", refund, previous={"balance_transaction": None})


def settle(world: World, refund: Json) -> None:
    """A waiting refund succeeds."""
    previous = {"status": refund["status"]}
    _leave_waiting(refund, "succeeded")
    world.store.save(refund)
    _expect_balance_transaction(world, refund)
    emit(world, "refund.updated", refund, previous=previous)


def fail(world: World, refund: Json, *, reason: str = "lost_or_stolen_card") -> None:
    """A refund fails, also after it succeeded: what left the balance comes back as the failure balance transaction."""
    previous = {"status": refund["status"]}
    _leave_waiting(refund, "failed")
    refund["failure_reason"] = reason
    if refund["balance_transaction"]:
        movement = balance_transactions.book(
            world, "refund_failure", refund["amount"], refund["currency"], source=refund["id"], description="REFUND FAILURE"
        )
        refund["failure_balance_transaction"] = movement["id"]
    _give_back(world, refund)
    emit(world, "refund.updated", refund, previous=previous)
    emit(world, "refund.failed", refund)


def _leave_waiting(refund: Json, status: str) -> None:
    refund["status"] = status
    refund.pop("pending_reason", None)
    refund.pop("next_action", None)


def _give_back(world: World, refund: Json) -> None:
    _count(world, world.store.get("charge", refund["charge"]), -refund["amount"])
    world.store.save(refund)


def after_capture(world: World, charge_id: str) -> None:
    """A charge's money has arrived: book the refunds that waited for it, and settle those that waited for balance."""
    for refund in world.store.select("refund", " AND json_extract(body, '$.charge') = ?", (charge_id,), newest_first=False):
        book(world, refund)
    currency = world.store.get("charge", charge_id)["currency"]
    waiting = world.store.select("refund", " AND json_extract(body, '$.pending_reason') = 'insufficient_funds'", newest_first=False)
    for refund in waiting:
        if refund["currency"] == currency and balance_transactions.total(world, currency) >= refund["amount"]:
            settle(world, refund)


def retrieve(world: World, call: Call) -> Json:
    return world.store.require("refund", call.id)


def update(world: World, call: Call) -> Json:
    refund = retrieve(world, call)
    previous = {"metadata": refund["metadata"]}
    if "metadata" in call.params:
        refund["metadata"] = merged_metadata(refund["metadata"], call.params["metadata"])
    emit(world, "refund.updated", world.store.save(refund), previous=previous)
    return refund


def cancel(world: World, call: Call) -> Json:
    refund = retrieve(world, call)
    if refund["status"] not in ("pending", "requires_action"):
        raise invalid(f"You cannot cancel this refund because it has a status of {refund['status']}.", param="refund")
    previous = {"status": refund["status"]}
    _leave_waiting(refund, "canceled")
    _give_back(world, refund)
    emit(world, "refund.updated", refund, previous=previous)
    return refund


def index(world: World, call: Call) -> Json:
    equal = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    return page(world, call, "refund", "/v1/refunds", equal=equal)


_REASON = Text(choices=("duplicate", "fraudulent", "requested_by_customer"))
ROUTES = [
    Route(
        "POST",
        "/v1/refunds",
        create,
        {"expand": EXPAND, "metadata": METADATA, "amount": Whole(least=1), "charge": Text(), "payment_intent": Text(), "reason": _REASON},
    ),
    Route("GET", "/v1/refunds", index, {**PAGE, "created": Moment(), "charge": Text(), "payment_intent": Text()}),
    Route("GET", "/v1/refunds/{id}", retrieve, {"expand": EXPAND}),
    Route("POST", "/v1/refunds/{id}", update, {"expand": EXPAND, "metadata": METADATA}),
    Route("POST", "/v1/refunds/{id}/cancel", cancel, {"expand": EXPAND}),
]
