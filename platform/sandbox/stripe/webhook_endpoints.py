"""Webhook endpoints; https://docs.stripe.com/api/webhook_endpoints. The secret is shown once, when one is created."""

from sandbox.stripe.errors import Json
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Flag, ListOf, Text, Url, merged_metadata
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import API_VERSION, World, stamp


def create(world: World, call: Call) -> Json:
    endpoint = stamp(
        world,
        "we",
        "webhook_endpoint",
        api_version=call.params.get("api_version", API_VERSION),
        application=None,
        description=call.params.get("description"),
        enabled_events=call.params["enabled_events"],
        metadata=call.metadata(),
        secret=f"whsec_{world.token('whsec', 32)}",
        status="enabled",
        url=call.params["url"],
    )
    if call.params.get("connect"):  # it hears of connected accounts only
        world.store.set_setting(f"connect:{endpoint['id']}", True)
    return world.store.insert(endpoint)


def _shown(endpoint: Json) -> Json:
    return {key: value for key, value in endpoint.items() if key != "secret"}


def retrieve(world: World, call: Call) -> Json:
    return _shown(world.store.require("webhook_endpoint", call.id))


def update(world: World, call: Call) -> Json:
    endpoint, params = world.store.require("webhook_endpoint", call.id), dict(call.params)
    if "metadata" in params:
        params["metadata"] = merged_metadata(endpoint["metadata"], params["metadata"])
    if "disabled" in params:
        endpoint["status"] = "disabled" if params.pop("disabled") else "enabled"
    endpoint.update(params)
    return _shown(world.store.save(endpoint))


def delete(world: World, call: Call) -> Json:
    endpoint = world.store.require("webhook_endpoint", call.id)
    world.store.delete(endpoint["id"])
    world.store.sql.execute("DELETE FROM deliveries WHERE endpoint = ? AND state <> 'delivered'", (endpoint["id"],))
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def index(world: World, call: Call) -> Json:
    answer = page(world, call, "webhook_endpoint", "/v1/webhook_endpoints")
    return {**answer, "data": [_shown(endpoint) for endpoint in answer["data"]]}


_EVENTS = ListOf(field=Text(), most=500)
_CHANGES = {"expand": EXPAND, "metadata": METADATA, "description": Text(clearable=True)}
ROUTES = [
    Route(
        "POST",
        "/v1/webhook_endpoints",
        create,
        {
            **_CHANGES,
            "url": Url(required=True),
            "enabled_events": ListOf(field=Text(), most=500, required=True),
            "api_version": Text(),
            "connect": Flag(),
        },
    ),
    Route("GET", "/v1/webhook_endpoints", index, PAGE),
    Route("GET", "/v1/webhook_endpoints/{id}", retrieve, {"expand": EXPAND}),
    Route("POST", "/v1/webhook_endpoints/{id}", update, {**_CHANGES, "url": Url(), "enabled_events": _EVENTS, "disabled": Flag()}),
    Route("DELETE", "/v1/webhook_endpoints/{id}", delete),
]
