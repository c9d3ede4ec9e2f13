"""Stripe's lists: newest first, `limit`, `starting_after`, `ending_before`, `has_more`; https://docs.stripe.com/api/pagination."""

from collections.abc import Mapping
from typing import Any

from sandbox.stripe.errors import Json, invalid, missing_resource
from sandbox.stripe.routing import Call
from sandbox.stripe.world import World

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(
    world: World,
    call: Call,
    kind: str,
    url: str,
    *,
    equal: Mapping[str, object] | None = None,
    where: str = "",
    values: tuple[object, ...] = (),
) -> Json:
    """One page of the objects of a kind. `equal`: top-level fields that must equal; None values do not filter."""
    for name, value in (equal or {}).items():
        if value is not None:
            where += f" AND json_extract(body, '$.{name}') = ?"
            values += (value,)
    for comparison, at in (call.params.get("created") or {}).items():
        where += f" AND created {_COMPARISONS[comparison]} ?"
        values += (at,)
    limit = _limit(call.params)
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after and before:
        raise invalid("You can only specify one of these parameters: starting_after, ending_before.", param="starting_after", stored=False)
    if after or before:
        where += f" AND (created, number) {'<' if after else '>'} (?, ?)"
        values += _cursor(world, kind, after or before or "", "starting_after" if after else "ending_before")
    found = world.store.select(kind, where, values, newest_first=not before, limit=limit + 1)
    data = found[:limit]
    return {"object": "list", "url": url, "has_more": len(found) > limit, "data": data[::-1] if before else data}


def short_list(data: list[Json], url: str) -> Json:
    return {"object": "list", "url": url, "has_more": False, "data": data}


def _limit(params: dict[str, Any]) -> int:
    limit = int(params.get("limit", 10))
    if limit < 1 or limit > 100:
        bound = "greater than or equal to 1" if limit < 1 else "less than or equal to 100"
        raise invalid(f"This value must be {bound}.", param="limit", code="parameter_invalid_integer", stored=False)
    return limit


def _cursor(world: World, kind: str, object_id: str, param: str) -> tuple[int, int]:
    age = world.store.age(object_id)
    if age is None:
        raise missing_resource(kind, object_id, param=param, status=400)
    return age
