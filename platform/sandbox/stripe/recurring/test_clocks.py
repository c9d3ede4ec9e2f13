"""Test clocks: customers who live in a time of their own; https://docs.stripe.com/api/test_clocks."""

from sandbox.stripe import due_tasks
from sandbox.stripe.errors import Json, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, PAGE, Text, Whole
from sandbox.stripe.recurring import subscriptions
from sandbox.stripe.recurring.clocks import KIND
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

KEPT = 30 * 86_400  # seconds until Stripe forgets a clock


def create(world: World, call: Call) -> Json:
    clock = stamp(
        world, "clock", KIND, frozen_time=call.params["frozen_time"], name=call.params.get("name"), status="ready", status_details={}
    )
    clock["deletes_after"] = clock["created"] + KEPT
    emit(world, f"{KIND}.created", world.store.insert(clock))
    return clock


def retrieve(world: World, call: Call) -> Json:
    return world.store.require(KIND, call.id)


def advance(world: World, call: Call) -> Json:
    """What its customers have due until then happens in order, each at its own time; the answer says that it is under way."""
    clock, target = retrieve(world, call), call.params["frozen_time"]
    if target <= clock["frozen_time"]:
        raise invalid("Test clock advancement must be to a point in the future of its current frozen time.", param="frozen_time")
    answer = {**clock, "status": "advancing", "status_details": {"advancing": {"target_frozen_time": target}}}
    emit(world, f"{KIND}.advancing", answer)
    while (found := world.next_due(by=target, clock=clock["id"])) is not None:
        number, at, task, subject = found
        world.drop_due(number)
        clock["frozen_time"] = max(clock["frozen_time"], int(at))
        world.store.save(clock)
        with world.frozen_at(clock["id"], clock["frozen_time"]):
            due_tasks.do(world, task, subject)
    clock["frozen_time"] = target
    emit(world, f"{KIND}.ready", world.store.save(clock))
    return answer


def delete(world: World, call: Call) -> Json:
    """The clock goes, and its customers with all that they subscribed to."""
    clock = retrieve(world, call)
    with world.frozen_at(clock["id"], clock["frozen_time"]):
        for customer in world.store.select("customer", " AND json_extract(body, '$.test_clock') = ?", (clock["id"],)):
            for subscription in subscriptions.live_of(world, customer["id"]):
                subscriptions.end(world, subscription, reason="cancellation_requested")
            world.store.delete(customer["id"])
            world.store.set_setting(f"deleted:{customer['id']}", True)
    world.store.delete(clock["id"])
    emit(world, f"{KIND}.deleted", clock)
    return {"id": clock["id"], "object": KIND, "deleted": True}


ROUTES = [
    Route(
        "POST", "/v1/test_helpers/test_clocks", create, {"expand": EXPAND, "frozen_time": Whole(required=True), "name": Text(longest=300)}
    ),
    Route("GET", "/v1/test_helpers/test_clocks", lambda world, call: page(world, call, KIND, "/v1/test_helpers/test_clocks"), PAGE),
    Route("GET", "/v1/test_helpers/test_clocks/{id}", retrieve, {"expand": EXPAND}),
    Route("DELETE", "/v1/test_helpers/test_clocks/{id}", delete),
    Route("POST", "/v1/test_helpers/test_clocks/{id}/advance", advance, {"expand": EXPAND, "frozen_time": Whole(required=True)}),
]
