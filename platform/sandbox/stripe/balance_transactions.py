"""Every movement of the account's balance; https://docs.stripe.com/api/balance_transactions. The balance is their sum."""

from sandbox.stripe.errors import Json
from sandbox.stripe.listing import page, short_list
from sandbox.stripe.params import EXPAND, PAGE, Moment, Text
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, of, stamp

PENDING_DAYS = 2  # a charge's money becomes available after this
DAY = 86_400


def book(  # the fields of a balance transaction
    world: World,
    kind: str,
    amount: int,
    currency: str,
    *,
    source: str | None,
    fee: int = 0,
    reporting_category: str | None = None,
    available_on: int | None = None,
    account: str = "",
    **words: str | None,
) -> Json:
    """Book one movement: `amount` and `fee` in minor units, amount negative when money leaves; net is amount less fee."""
    now = int(world.now())
    movement = stamp(
        world,
        "txn",
        "balance_transaction",
        amount=amount,
        available_on=available_on if available_on is not None else now,
        balance_type="payments",
        currency=currency,
        description=words.get("description"),
        exchange_rate=None,
        fee=fee,
        fee_details=[fee_detail(fee, currency)] if fee else [],
        net=amount - fee,
        reporting_category=reporting_category or kind,
        source=source,
        status="available",
        type=kind,
    )
    movement["status"] = "pending" if movement["available_on"] > now else "available"
    del movement["livemode"]  # this object has none
    return keep(world, movement, account=account)


def fee_detail(fee: int, currency: str) -> Json:
    return {"amount": fee, "application": None, "currency": currency, "description": "Stripe processing fees", "type": "stripe_fee"}


def keep(world: World, movement: Json, *, account: str = "") -> Json:
    """Store a movement and count it into the balance."""
    world.store.sql.execute(
        "INSERT INTO money VALUES (?, ?, ?, ?, ?)",
        (movement["id"], movement["currency"], movement["net"], movement["available_on"], account),
    )
    return world.store.insert(movement, account=account)


def total(world: World, currency: str) -> int:
    """Available plus pending of the platform, minor units."""
    sums = "SELECT coalesce(sum(net), 0) FROM money WHERE account = '' AND currency = ?"
    return int(world.store.sql.execute(sums, (currency,)).fetchone()[0])


def available(world: World, currency: str, *, account: str = "") -> int:
    """What can be sent on now, minor units."""
    sums = "SELECT coalesce(sum(net), 0) FROM money WHERE account = ? AND currency = ? AND available_on <= ?"
    return int(world.store.sql.execute(sums, (account, currency, world.now())).fetchone()[0])


def _as_of_now(world: World, movement: Json) -> Json:
    movement["status"] = "pending" if movement["available_on"] > world.now() else "available"
    return movement


def balance(world: World, call: Call) -> Json:
    """Available and pending per currency, computed from the movements."""
    now = world.now()
    rows = world.store.sql.execute(
        "SELECT currency, coalesce(sum(net) FILTER (WHERE available_on <= ?), 0), coalesce(sum(net) FILTER (WHERE available_on > ?), 0)"
        " FROM money WHERE account = ? GROUP BY currency ORDER BY currency",
        (now, now, call.account),
    ).fetchall() or [("usd", 0, 0)]
    return {
        "object": "balance",
        "available": [_part(currency, available) for currency, available, _ in rows],
        "livemode": False,
        "pending": [_part(currency, pending) for currency, _, pending in rows],
    }


def _part(currency: str, amount: int) -> Json:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


def retrieve(world: World, call: Call) -> Json:
    return _as_of_now(world, world.store.require(of(call.account, "balance_transaction"), call.id))


def index(world: World, call: Call) -> Json:
    if call.params.get("payout"):  # payouts here are made by hand: which movements they took is nobody's knowledge
        return short_list([], "/v1/balance_transactions")
    equal = {name: call.params.get(name) for name in ("type", "source", "currency")}
    answer = page(world, call, of(call.account, "balance_transaction"), "/v1/balance_transactions", equal=equal)
    for movement in answer["data"]:
        _as_of_now(world, movement)
    return answer


_FILTERS = {"created": Moment(), "type": Text(), "source": Text(), "payout": Text(), "currency": Text()}
ROUTES = [
    Route("GET", "/v1/balance", balance, {"expand": EXPAND}, for_accounts=True),
    Route("GET", "/v1/balance_transactions", index, {**PAGE, **_FILTERS}, for_accounts=True),
    Route("GET", "/v1/balance_transactions/{id}", retrieve, {"expand": EXPAND}, for_accounts=True),
]
