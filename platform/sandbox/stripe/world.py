"""What every resource works on: the store, the clock, ids, settings, and work that becomes due later."""

import hashlib
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe.errors import Json
from sandbox.stripe.store import Store

API_VERSION = "2026-08-26.dahlia"
ACCOUNT_ID = "acct_1SandboxPlatform"

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DEFAULTS: dict[str, Any] = {
    "balance_transaction_delay": 1.0,  # seconds of the sandbox's clock until a charge has its balance transaction
    "refund_transaction_delay": 0.0,  # the same for a refund
    "refunds_wait_for_balance": False,  # a refund larger than the balance stays pending instead of making it negative
    "next_refunds": [],  # outcomes of the next refunds
    "after_last_retry": "cancel",  # or "unpaid": what becomes of a subscription that no attempt could take
    "delivery": None,  # how webhooks are delivered: see deliveries.py
}


@dataclass
class Replay:
    """A moment of the past that is being filled in: its time, the ids it hands out (by prefix), and a fee other than usual."""

    at: float
    ids: dict[str, str] = field(default_factory=dict)
    fee: int | None = None
    events: bool = True


@dataclass
class World:
    store: Store
    public_url: str = ""
    seed: str = "1"
    lock: threading.RLock = field(default_factory=threading.RLock)
    changed: threading.Condition = field(init=False)
    cause: tuple[str | None, str | None] = (None, None)  # request id and idempotency key of the request being executed
    replay: Replay | None = None
    frozen: tuple[str, float] | None = None  # a test clock and its time, while something of its customers is worked on
    early_events: set[str] = field(default_factory=set)  # events to deliver before the request that caused them is answered

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)
        self._run = self.store.next_number("run")
        self._requests = itertools.count(1)

    @contextmanager
    def at(self, replay: Replay) -> Iterator[None]:
        """Inside, it is that moment: new objects get its time and ids, nothing comes late, nobody is told."""
        self.replay = replay
        try:
            yield
        finally:
            self.replay = None

    @contextmanager
    def frozen_at(self, clock_id: str, moment: float) -> Iterator[None]:
        """Inside, it is the test clock's time, and what comes later waits until that clock is advanced."""
        before, self.frozen = self.frozen, (clock_id, moment)
        try:
            yield
        finally:
            self.frozen = before

    # clock

    def now(self) -> float:
        """Seconds since 1970 by the sandbox's clock: real time plus an offset, a stopped clock, or the moment being replayed."""
        if self.replay:
            return self.replay.at
        if self.frozen:
            return self.frozen[1]
        stopped = self.store.setting("clock_stopped_at")
        return float(stopped) if stopped is not None else time.time() + float(self.store.setting("clock_offset", 0.0))

    def set_clock(self, at: float, *, stopped: bool) -> None:
        self.store.set_setting("clock_offset", at - time.time())
        self.store.set_setting("clock_stopped_at", at if stopped else None)

    # ids: a sequence per prefix, dressed like Stripe's

    def new_id(self, prefix: str) -> str:
        if self.replay and prefix in self.replay.ids:
            return self.replay.ids.pop(prefix)
        return f"{prefix}_{self.token(prefix)}"

    def token(self, name: str, length: int = 24) -> str:
        """The next of a fixed sequence of random-looking letters and digits; the same seed gives the same sequence."""
        return self._dressed(f"{name}:{self.store.next_number(name)}", length)

    def _dressed(self, text: str, length: int = 24) -> str:
        digest = hashlib.sha512(f"{self.seed}:{text}".encode()).digest()
        return "".join([_ALPHABET[byte % 62] for byte in digest[:length]])

    def request_id(self) -> str:
        """The id of the next request: a sequence of this run, kept in memory so that reading writes nothing."""
        return f"req_{self._dressed(f'{self._run}:{next(self._requests)}', 14)}"

    # settings

    def setting(self, name: str) -> Any:
        return self.store.setting(name, DEFAULTS[name])

    # work that becomes due

    def later(self, task: str, subject: str, *, at: float) -> None:
        self.store.sql.execute("INSERT INTO due (at, task, subject) VALUES (?, ?, ?)", (at, self._named(task), subject))

    def forget(self, task: str, subject: str) -> None:
        self.store.sql.execute("DELETE FROM due WHERE task = ? AND subject = ?", (self._named(task), subject))

    def _named(self, task: str) -> str:
        return f"{self.frozen[0]}|{task}" if self.frozen else task

    def next_due(self, by: float | None = None, *, clock: str = "") -> tuple[int, float, str, str] | None:
        """(number, at, task, subject) of the earliest work, no later than `by` when given; of the test clock, where one is named."""
        named = f"{clock}|" if clock else ""
        row = self.store.sql.execute(
            "SELECT number, at, task, subject FROM due WHERE at <= ? AND substr(task, 1, instr(task, '|')) = ? ORDER BY at, number LIMIT 1",
            (by if by is not None else 1e12, named),
        ).fetchone()
        return None if row is None else (int(row[0]), float(row[1]), str(row[2]).removeprefix(named), str(row[3]))

    def drop_due(self, number: int) -> None:
        self.store.sql.execute("DELETE FROM due WHERE number = ?", (number,))

    def wake(self) -> None:
        """Tell the background threads that something may have become due."""
        with self.changed:
            self.changed.notify_all()


def of(account: str, kind: str) -> str:
    """The kind under which an object is kept: those of a connected account ("" is the platform) are a list of their own."""
    return f"{account}/{kind}" if account else kind


def stamp(world: World, prefix: str, kind: str, **fields: Any) -> Json:
    """The head of a new object: id, object, created, livemode."""
    return {"id": world.new_id(prefix), "object": kind, "created": int(world.now()), "livemode": False, **fields}
