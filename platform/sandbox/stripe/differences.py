"""Balance transactions that are not what their objects say, as reconciliation has to find them: by the control API only."""

from sandbox.stripe import balance_transactions
from sandbox.stripe.errors import Json, invalid
from sandbox.stripe.world import World, of

_FIELDS = ("amount", "fee", "currency", "created", "type", "source")


def change(world: World, movement_id: str, given: Json) -> Json:
    """Give a movement (of the platform, or of the `account` that is named) another of _FIELDS; the balance follows."""
    movement = _find(world, movement_id, given)
    given = {name: value for name, value in given.items() if name != "account"}
    unknown = set(given) - set(_FIELDS)
    if unknown:
        raise invalid(f"A movement can change its {', '.join(_FIELDS)}.", param=sorted(unknown)[0])
    movement.update(given)
    movement["net"] = movement["amount"] - movement["fee"]
    movement["fee_details"] = [balance_transactions.fee_detail(movement["fee"], movement["currency"])] if movement["fee"] else []
    sql = world.store.sql
    sql.execute("UPDATE money SET net = ?, currency = ? WHERE id = ?", (movement["net"], movement["currency"], movement_id))
    sql.execute("UPDATE objects SET created = ? WHERE id = ?", (movement["created"], movement_id))
    return world.store.save(movement)


def remove(world: World, movement_id: str, given: Json) -> Json:
    """Take a movement out of the balance and of every list, as if it had never been booked."""
    movement = _find(world, movement_id, given)
    world.store.sql.execute("DELETE FROM money WHERE id = ?", (movement_id,))
    world.store.delete(movement_id)
    for kind in ("charge", "refund"):
        source = world.store.find(kind, movement["source"])
        if source is not None:
            gone = {name for name in ("balance_transaction", "failure_balance_transaction") if source.get(name) == movement_id}
            world.store.save({**source, **dict.fromkeys(gone)})
    return movement


def _find(world: World, movement_id: str, given: Json) -> Json:
    return world.store.require(of(given.get("account", ""), "balance_transaction"), movement_id)
