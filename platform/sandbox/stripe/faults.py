"""Faults armed for the next requests: what goes wrong, on which route, how often."""

import json
from dataclasses import dataclass

from sandbox.stripe.errors import Json, StripeError, invalid
from sandbox.stripe.world import World

KINDS = (
    "timeout_after_success",  # does the work, then says nothing for `seconds` and closes
    "reset_before",  # resets the connection, nothing was done
    "reset_after",  # does the work, then resets the connection
    "rate_limit",  # 429, nothing was done
    "lock_timeout",  # 409 (or `status`), nothing was done
    "stored_500",  # 500 that the idempotency key remembers; `work` says whether the work was done all the same
    "slow",  # answers after `seconds`
)


@dataclass(frozen=True)
class Fault:
    kind: str
    seconds: float = 30.0
    status: int = 409
    work: bool = False


def arm(world: World, wanted: Json) -> Json:
    """Arm {kind, method?, path?, count?, skip?, seconds?, status?, work?}; `path` matches as a prefix, `count` is 1 unless given."""
    if wanted.get("kind") not in KINDS:
        raise invalid(f"Invalid kind: must be one of {', '.join(KINDS)}", param="kind")
    fault = {"method": None, "path": "/v1/", "count": 1, "skip": 0, **wanted}
    world.store.sql.execute("INSERT INTO faults (body) VALUES (?)", (json.dumps(fault),))
    return fault


def armed(world: World) -> list[Json]:
    return [json.loads(row[0]) for row in world.store.sql.execute("SELECT body FROM faults ORDER BY number")]


def disarm(world: World) -> None:
    world.store.sql.execute("DELETE FROM faults")


def take(world: World, method: str, path: str) -> Fault | None:
    """The fault this request meets, counted down."""
    for number, text in world.store.sql.execute("SELECT number, body FROM faults ORDER BY number").fetchall():
        body = json.loads(text)
        if body["method"] not in (None, method) or not path.startswith(body["path"]):
            continue
        if body["skip"] > 0:
            _keep(world, number, {**body, "skip": body["skip"] - 1})
            continue
        _keep(world, number, {**body, "count": body["count"] - 1})
        return Fault(**{name: body[name] for name in ("kind", "seconds", "status", "work") if name in body})
    return None


def _keep(world: World, number: int, body: Json) -> None:
    if body["count"] > 0:
        world.store.sql.execute("UPDATE faults SET body = ? WHERE number = ?", (json.dumps(body), number))
    else:
        world.store.sql.execute("DELETE FROM faults WHERE number = ?", (number,))


def refusal(fault: Fault) -> StripeError | None:
    """The error a fault answers before anything is looked at; no key remembers it."""
    if fault.kind == "rate_limit":
        message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
        return StripeError(429, "invalid_request_error", message, code="rate_limit", stored=False)
    if fault.kind == "lock_timeout":
        message = (
            "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. "
            "If you see this error intermittently, retry the request."
        )
        return StripeError(fault.status, "invalid_request_error", message, code="lock_timeout", stored=False)
    return None


def broken() -> StripeError:
    return StripeError(500, "api_error", "An unknown error occurred.")
