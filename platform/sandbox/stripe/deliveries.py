"""Signed webhook deliveries: queued with the event, tried by the courier, retried with back-off, kept across a restart.

How the next events are delivered (`setting delivery`, a JSON object {"mode", "types"?, "count"?, "seconds"?}):
normal, hold, duplicate, reorder, early, late, lost, bad_signature, stale. See README.md.
"""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any

from sandbox.stripe.errors import Json
from sandbox.stripe.world import World

BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds after the n-th failure; the last repeats
MOST_ATTEMPTS = 200
STALE_BY = 600  # seconds: twice the tolerance that Stripe's libraries have
MODES = ("normal", "hold", "duplicate", "reorder", "early", "late", "lost", "bad_signature", "stale")


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint, ready to send."""

    number: int
    event_id: str
    endpoint_id: str
    url: str
    headers: dict[str, str]
    body: bytes
    manner: str
    attempts: int


def signature(body: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header: HMAC-SHA256 over "<timestamp>.<body>"."""
    digest = hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def queue(world: World, event: Json, endpoint_id: str) -> None:
    """Queue one event for one endpoint in the manner that is set."""
    manner = _manner(world, event["type"])
    mode = manner.get("mode", "normal")
    state = {"hold": "held", "reorder": "held", "lost": "lost"}.get(mode, "pending")
    wait = float(manner.get("seconds", 2.0)) if mode == "late" else 0.0
    for _ in range(2 if mode == "duplicate" else 1):
        row = world.store.sql.execute(
            "INSERT INTO deliveries (event, endpoint, state, manner, attempts, next_at, position, responses)"
            " VALUES (?, ?, ?, ?, 0, ?, 0, '[]')",
            (event["id"], endpoint_id, state, mode, time.time() + wait),
        )
        world.store.sql.execute("UPDATE deliveries SET position = number WHERE number = ?", (row.lastrowid,))
    if mode == "early":
        world.early_events.add(event["id"])
    if mode == "reorder":
        _release_full_batch(world, int(manner.get("batch", 2)))


def _manner(world: World, kind: str) -> Json:
    manner: Json | None = world.setting("delivery")
    if not manner or (manner.get("types") and kind not in manner["types"]):
        return {}
    if manner.get("count") is not None:
        left = int(manner["count"]) - 1
        world.store.set_setting("delivery", {**manner, "count": left} if left > 0 else None)
    return manner


def _release_full_batch(world: World, batch: int) -> None:
    count = world.store.sql.execute("SELECT count(*) FROM deliveries WHERE state = 'held' AND manner = 'reorder'").fetchone()[0]
    if count >= batch:
        release(world, manner="reorder")


def release(world: World, *, manner: str | None = None, event: str | None = None) -> int:
    """Let held deliveries go, reordered ones newest first. The number of them."""
    changed = world.store.sql.execute(
        "UPDATE deliveries SET state = 'pending', next_at = ?, position = CASE manner WHEN 'reorder' THEN -number ELSE number END"
        " WHERE state = 'held' AND (? IS NULL OR manner = ?) AND (? IS NULL OR event = ?)",
        (time.time(), manner, manner, event, event),
    )
    return changed.rowcount


def due(world: World, *, number: int | None = None) -> Delivery | None:
    """The next delivery to try now, or None."""
    row = world.store.sql.execute(
        "SELECT number, event, endpoint, manner, attempts FROM deliveries"
        " WHERE state = 'pending' AND next_at <= ? AND (? IS NULL OR number = ?)"
        " ORDER BY position LIMIT 1",
        (time.time(), number, number),
    ).fetchone()
    if row is None:
        return None
    endpoint = world.store.find("webhook_endpoint", row[2])
    event = world.store.named(row[1])
    if endpoint is None or event is None:  # the endpoint was deleted meanwhile
        world.store.sql.execute("DELETE FROM deliveries WHERE number = ?", (row[0],))
        return due(world, number=number)
    return _sealed(endpoint, event, int(row[0]), str(row[3]), int(row[4]), int(time.time()))


def _sealed(endpoint: Json, event: Json, number: int, manner: str, attempts: int, now: int) -> Delivery:
    body = json.dumps(event, indent=2, ensure_ascii=False).encode()
    secret = "whsec_of_somebody_else" if manner == "bad_signature" else endpoint["secret"]
    at = now - STALE_BY if manner == "stale" else now
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": signature(body, secret, at),
    }
    return Delivery(number, event["id"], endpoint["id"], endpoint["url"], headers, body, manner, attempts)


def settle(world: World, delivery: Delivery, status: int | None) -> None:
    """Book one attempt: done at 2xx, else again after the back-off. A forged or stale one is tried once."""
    row = world.store.sql.execute("SELECT responses FROM deliveries WHERE number = ?", (delivery.number,)).fetchone()
    if row is None:
        return
    attempts = delivery.attempts + 1
    responses = [*json.loads(row[0]), status]
    done = status is not None and 200 <= status < 300
    once = delivery.manner in ("bad_signature", "stale")
    state = "delivered" if done else "failed" if once or attempts >= MOST_ATTEMPTS else "pending"
    wait = BACK_OFF[min(attempts, len(BACK_OFF)) - 1]
    world.store.sql.execute(
        "UPDATE deliveries SET state = ?, attempts = ?, next_at = ?, responses = ? WHERE number = ?",
        (state, attempts, time.time() + wait, json.dumps(responses[-20:]), delivery.number),
    )
    if done:
        _count_down(world, delivery.event_id)


def _count_down(world: World, event_id: str) -> None:
    event = world.store.named(event_id)
    if event is None:
        return
    event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
    world.store.save(event)


def next_try_at(world: World) -> float | None:
    row = world.store.sql.execute("SELECT min(next_at) FROM deliveries WHERE state = 'pending'").fetchone()
    return None if row[0] is None else float(row[0])


def listed(world: World) -> list[dict[str, Any]]:
    """Every delivery so far: event, type, endpoint, state, manner, attempts, responses (status codes, null for no answer)."""
    rows = world.store.sql.execute(
        "SELECT d.number, d.event, json_extract(o.body, '$.type'), d.endpoint, d.state, d.manner, d.attempts, d.responses"
        " FROM deliveries d JOIN objects o ON o.id = d.event ORDER BY d.number"
    )
    names = ("number", "event", "type", "endpoint", "state", "manner", "attempts")
    return [{**dict(zip(names, row[:7], strict=True)), "responses": json.loads(row[7])} for row in rows]
