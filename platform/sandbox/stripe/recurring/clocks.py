"""The time that a customer lives in: that of their test clock, where they have one."""

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.stripe.errors import Json
from sandbox.stripe.world import World

KIND = "test_helpers.test_clock"


@contextmanager
def of(world: World, customer: Json | None) -> Iterator[None]:
    """Inside, it is the customer's time."""
    clock = world.store.find(KIND, (customer or {}).get("test_clock"))
    if clock is None:
        yield
        return
    with world.frozen_at(clock["id"], clock["frozen_time"]):
        yield


@contextmanager
def of_subscription(world: World, subscription_id: str) -> Iterator[None]:
    found = world.store.find("subscription", subscription_id)
    with of(world, world.store.find("customer", found["customer"]) if found else None):
        yield
