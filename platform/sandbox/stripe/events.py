"""Events: what happened, with the object as it was at that moment, and who is told."""

import json
from typing import Any

from sandbox.stripe import deliveries
from sandbox.stripe.errors import Json
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, PAGE, Flag, ListOf, Moment, Text
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import API_VERSION, World, of, stamp


def emit(world: World, kind: str, obj: Json, *, previous: dict[str, Any] | None = None, account: str = "") -> None:
    """Record an event and queue it for every endpoint that wants it. `previous`: old values of what an update changed.

    account: the connected account in which it happened; only endpoints for connected accounts hear of it.
    """
    if world.replay and not world.replay.events:
        return
    data: Json = {"object": json.loads(json.dumps(obj))}
    if previous is not None:
        data["previous_attributes"] = previous
    request_id, key = world.cause
    event = stamp(
        world,
        "evt",
        "event",
        api_version=API_VERSION,
        data=data,
        pending_webhooks=0,
        request={"id": request_id, "idempotency_key": key},
        type=kind,
        **({"account": account} if account else {}),
    )
    told = [] if world.replay else world.store.select("webhook_endpoint", newest_first=False)
    endpoints = [endpoint for endpoint in told if _wants(endpoint, kind) and _is_for(world, endpoint, account)]
    event["pending_webhooks"] = len(endpoints)
    world.store.insert(event, account=account)
    for endpoint in endpoints:
        deliveries.queue(world, event, endpoint["id"])


def _is_for(world: World, endpoint: Json, account: str) -> bool:
    return bool(world.store.setting(f"connect:{endpoint['id']}")) == bool(account)


def _wants(endpoint: Json, kind: str) -> bool:
    return endpoint["status"] == "enabled" and bool({kind, "*"} & set(endpoint["enabled_events"]))


def retrieve(world: World, call: Call) -> Json:
    return world.store.require(of(call.account, "event"), call.id)


def index(world: World, call: Call) -> Json:
    where, values = "", ()  # type: tuple[str, tuple[object, ...]]
    kinds = [k for k in [call.params.get("type"), *call.params.get("types", [])] if k]
    if kinds:
        where = " AND (" + " OR ".join(["json_extract(body, '$.type') GLOB ?"] * len(kinds)) + ")"
        values = tuple(kinds)
    if "delivery_success" in call.params:
        where += f" AND json_extract(body, '$.pending_webhooks') {'=' if call.params['delivery_success'] else '>'} 0"
    return page(world, call, of(call.account, "event"), "/v1/events", where=where, values=values)


ROUTES = [
    Route(
        "GET",
        "/v1/events",
        index,
        {**PAGE, "created": Moment(), "type": Text(), "types": ListOf(field=Text()), "delivery_success": Flag()},
        for_accounts=True,
    ),
    Route("GET", "/v1/events/{id}", retrieve, {"expand": EXPAND}, for_accounts=True),
]
