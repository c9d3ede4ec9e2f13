"""The two background threads: one does what becomes due, one delivers webhooks."""

import http.client
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from sandbox.stripe import deliveries, due_tasks
from sandbox.stripe.deliveries import Delivery
from sandbox.stripe.world import World

TIMEOUT = 10.0  # seconds an endpoint may take to answer
LONGEST_NAP = 1.0  # seconds; the clock may be changed from outside meanwhile

type Post = Callable[[str, dict[str, str], bytes], int | None]


class Courier:
    def __init__(self, world: World, *, post: Post | None = None, observe: Callable[[Delivery, int | None], None] | None = None) -> None:
        """post(url, headers, body) gives the endpoint's status, None when it did not answer."""
        self.world = world
        self._post = post or post_over_http
        self._observe = observe
        self._sending = threading.Lock()
        self._stop = False
        self.delivers = False
        self._threads: list[threading.Thread] = []

    def start(self, *, deliver: bool) -> None:
        self.delivers = deliver
        loops = [self._tick_loop, self._deliver_loop] if deliver else [self._tick_loop]
        self._threads = [threading.Thread(target=loop, name=f"sandbox-{loop.__name__}", daemon=True) for loop in loops]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop = True
        self.world.wake()
        for thread in self._threads:
            thread.join()

    def deliver_one(self, post: Post | None = None) -> bool:
        """Try the next due delivery; False when there is none."""
        with self._sending:  # one at a time keeps their order
            with self.world.lock:
                delivery = deliveries.due(self.world)
            if delivery is None:
                return False
            status = (post or self._post)(delivery.url, delivery.headers, delivery.body)
            with self.world.changed:
                with self.world.store.transaction():
                    deliveries.settle(self.world, delivery, status)
                self.world.changed.notify_all()
            if self._observe:
                self._observe(delivery, status)
            return True

    def flush(self, *, timeout: float = 30.0, events: set[str] | None = None) -> bool:
        """Wait until everything due (of these events) has been tried; False when that takes longer than `timeout` seconds."""
        give_up = time.monotonic() + timeout
        with self.world.changed:
            while self._due(events):
                if not self.world.changed.wait(timeout=max(0.0, min(0.1, give_up - time.monotonic()))) and time.monotonic() >= give_up:
                    return False
        with self._sending:  # the last one's observer has returned
            return True

    def _due(self, events: set[str] | None) -> bool:
        rows = self.world.store.sql.execute("SELECT event FROM deliveries WHERE state = 'pending' AND next_at <= ?", (time.time(),))
        return any(events is None or row[0] in events for row in rows)

    def _deliver_loop(self) -> None:
        while not self._stop:
            if self.deliver_one():
                continue
            with self.world.changed:
                at = deliveries.next_try_at(self.world)
                nap = LONGEST_NAP if at is None else max(0.0, min(LONGEST_NAP, at - time.time()))
                if nap and not self._stop:
                    self.world.changed.wait(timeout=nap)

    def _tick_loop(self) -> None:
        while not self._stop:
            with self.world.changed:
                due_tasks.run(self.world)
                found = self.world.next_due()
                nap = LONGEST_NAP if found is None else max(0.001, min(LONGEST_NAP, found[1] - self.world.now()))
                if not self._stop:
                    self.world.changed.wait(timeout=nap)


def post_over_http(url: str, headers: dict[str, str], body: bytes) -> int | None:
    """POST to an endpoint: its status, or None when there was no answer."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        connection.request("POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
