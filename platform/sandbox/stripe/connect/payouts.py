"""Payouts of connected accounts; https://docs.stripe.com/api/payouts. The clock takes one to the bank; the control API lets it fail."""

from sandbox.stripe import balance_transactions
from sandbox.stripe.connect.transfers import insufficient
from sandbox.stripe.errors import Json, StripeError, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Moment, Text, Whole
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, of, stamp

LEAVE, ARRIVE = "payout_leaves", "payout_arrives"
LEAVES_AFTER, ARRIVES_AFTER = 1, 2 * balance_transactions.DAY  # seconds


def create(world: World, call: Call) -> Json:
    amount, currency, account = call.params["amount"], call.params["currency"].lower(), call.account
    if account:
        _check_account(world, account, currency)
    if balance_transactions.available(world, currency, account=account) < amount:
        raise insufficient("You have insufficient funds in your Stripe account for this transfer.")
    now = int(world.now())
    payout = _new(world, call, amount, currency)
    out = balance_transactions.book(world, "payout", -amount, currency, source=payout["id"], account=account)
    payout["balance_transaction"] = out["id"]
    world.store.insert(payout, account=account)
    emit(world, "payout.created", payout, account=account)
    world.later(LEAVE, f"{account}:{payout['id']}", at=now + LEAVES_AFTER)
    world.later(ARRIVE, f"{account}:{payout['id']}", at=now + ARRIVES_AFTER)
    return payout


def _new(world: World, call: Call, amount: int, currency: str) -> Json:
    return stamp(
        world,
        "po",
        "payout",
        amount=amount,
        application_fee=None,
        application_fee_amount=None,
        arrival_date=int(world.now()) + ARRIVES_AFTER,
        automatic=False,
        balance_transaction=None,
        currency=currency,
        description=call.params.get("description"),
        destination=None,
        failure_balance_transaction=None,
        failure_code=None,
        failure_message=None,
        metadata=call.metadata(),
        method="standard",
        original_payout=None,
        payout_method=None,
        reconciliation_status="not_applicable",
        reversed_by=None,
        source_type="card",
        statement_descriptor=None,
        status="pending",
        trace_id=None,
        type="bank_account",
    )


def _check_account(world: World, account_id: str, currency: str) -> None:
    account = world.store.get("account", account_id)
    if not account["payouts_enabled"]:
        raise StripeError(400, "invalid_request_error", "Payouts are not enabled for this account.", code="payouts_not_allowed")
    if currency not in {bank["currency"] for bank in account["external_accounts"]["data"]}:
        raise invalid(f"Sorry, you don't have any external accounts in that currency ({currency}).", param="currency")


def find(world: World, subject: str) -> tuple[str, Json]:
    """The account's id and the payout, of "<account>:<payout>"."""
    account, _, payout_id = subject.partition(":")
    return account, world.store.get(of(account, "payout"), payout_id)


def leave(world: World, subject: str) -> None:
    account, payout = find(world, subject)
    if payout["status"] == "pending":
        payout["status"] = "in_transit"
        emit(world, "payout.updated", world.store.save(payout), account=account)


def arrive(world: World, subject: str) -> None:
    account, payout = find(world, subject)
    if payout["status"] in ("pending", "in_transit"):
        payout["status"] = "paid"
        emit(world, "payout.paid", world.store.save(payout), account=account)


def fail(world: World, subject: str, code: str = "account_closed") -> Json:
    """The bank would not take it, or sent it back days after: the money is in the account again."""
    account, payout = find(world, subject)
    if payout["status"] in ("failed", "canceled"):
        raise invalid("This payout has ended already.")
    _back(world, account, payout, "payout_failure", "payout_reversal")
    payout.update(status="failed", failure_code=code, failure_message="The bank account has been closed.")
    emit(world, "payout.failed", world.store.save(payout), account=account)
    return payout


def _back(world: World, account: str, payout: Json, kind: str, category: str) -> None:
    movement = balance_transactions.book(
        world, kind, payout["amount"], payout["currency"], source=payout["id"], reporting_category=category, account=account
    )
    payout["failure_balance_transaction"] = movement["id"]


def cancel(world: World, call: Call) -> Json:
    payout = retrieve(world, call)
    if payout["status"] != "pending":
        raise invalid("This payout can no longer be canceled.")
    _back(world, call.account, payout, "payout_cancel", "payout_reversal")
    payout["status"] = "canceled"
    emit(world, "payout.canceled", world.store.save(payout), account=call.account)
    return payout


def retrieve(world: World, call: Call) -> Json:
    return world.store.require(of(call.account, "payout"), call.id)


def index(world: World, call: Call) -> Json:
    return page(world, call, of(call.account, "payout"), "/v1/payouts", equal={"status": call.params.get("status")})


ROUTES = [
    Route(
        "POST",
        "/v1/payouts",
        create,
        {
            "expand": EXPAND,
            "metadata": METADATA,
            "description": Text(),
            "amount": Whole(required=True, least=1),
            "currency": Text(required=True),
        },
        for_accounts=True,
    ),
    Route("GET", "/v1/payouts", index, {**PAGE, "created": Moment(), "status": Text()}, for_accounts=True),
    Route("GET", "/v1/payouts/{id}", retrieve, {"expand": EXPAND}, for_accounts=True),
    Route("POST", "/v1/payouts/{id}/cancel", cancel, {"expand": EXPAND}, for_accounts=True),
]
