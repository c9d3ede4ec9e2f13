"""`expand[]`: ids replaced by the objects they name; https://docs.stripe.com/api/expanding_objects."""

from collections.abc import Callable
from typing import Any

from sandbox.stripe.errors import Json, StripeError, invalid
from sandbox.stripe.world import World

DEEPEST = 4
_KINDS = {  # field -> the kind of object its id names
    "latest_charge": "charge",
    "charge": "charge",
    "payment_intent": "payment_intent",
    "balance_transaction": "balance_transaction",
    "failure_balance_transaction": "balance_transaction",
    "customer": "customer",
    "payment_method": "payment_method",
    "latest_invoice": "invoice",
    "default_payment_method": "payment_method",
}
_SOURCES = frozenset(["ch", "re", "du", "py", "pyr"])  # prefixes of what a movement can be about and this stand-in keeps

type Part = Callable[[World, Json], Json]
_parts: dict[tuple[str, str], Part] = {}


def part(kind: str, field: str, make: Part) -> None:
    """Register a field that is only shown when expanded (`refunds` of a charge, `line_items` of a session)."""
    _parts[kind, field] = make


def expand(world: World, answer: Json, paths: list[str]) -> Json:
    """The answer with every path expanded. Raises Stripe's 400 for a path that cannot be."""
    if answer.get("deleted"):
        return answer  # nothing is left in it
    for path in paths:
        segments = path.split(".")
        if len(segments) > DEEPEST:
            raise invalid(f"You cannot expand more than {DEEPEST} levels of a property. Property: {path}", param="expand", stored=False)
        _walk(world, answer, segments, path)
    return answer


def _walk(world: World, at: Any, segments: list[str], path: str) -> None:
    if not segments or at is None:
        return
    if isinstance(at, list):
        for item in at:
            _walk(world, item, segments, path)
        return
    name, rest = segments[0], segments[1:]
    if not isinstance(at, dict):
        raise _not_expandable(name, path)
    if at.get("object") == "list" and name == "data":
        _walk(world, at["data"], rest, path)
        return
    _open(world, at, name, path)
    _walk(world, at[name], rest, path)


def _open(world: World, at: Json, name: str, path: str) -> None:
    make = _parts.get((str(at.get("object")), name))
    if make is not None:
        at.setdefault(name, make(world, at))
        return
    if name not in at:
        if name not in _KINDS:
            raise _not_expandable(name, path)
        at[name] = None
    value = at[name]
    if value is None or isinstance(value, dict | list):
        return
    if name == "source":  # whosever the movement is, its source is theirs too
        found = world.store.named(value) if str(value).split("_", 1)[0] in _SOURCES else None
    else:
        found = world.store.find(_KINDS[name], value) if name in _KINDS else None
    if found is not None:
        at[name] = found
    elif name != "source":  # a movement may be about an object that this stand-in does not keep
        raise _not_expandable(name, path)


def _not_expandable(name: str, path: str) -> StripeError:
    message = f"This property cannot be expanded ({name}). You may want to try expanding '{path}' differently."
    return invalid(message, param="expand", stored=False)
