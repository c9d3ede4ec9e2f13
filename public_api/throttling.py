"""Limits per address and per account, in fixed windows that every process shares through the database.

Taking one hit at a time would cost each read a write, so a process takes a few at once and spends them from memory. The shared counter
never lets more through than the limit; it may let a few less through, where a process did not spend what it took.
"""

import math
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone
from ninja.throttling import BaseThrottle

from core import jobs
from public_api.models import Window

_TAKE = """
    INSERT INTO public_api_window AS w (id, hits, ends_at) VALUES (%s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET hits = w.hits + EXCLUDED.hits RETURNING hits
"""


@dataclass(slots=True)
class _Lease:
    window: int
    left: int
    refused: bool = False


_leases: dict[str, _Lease] = {}
_leases_lock = threading.Lock()
_MAX_LEASES = 20_000


def take(*, scope: str, who: str, limit: int, seconds: int, at_once: int) -> bool:
    """Use one of `limit` hits of this window; False where they are used up."""
    name, window = f"{scope}:{who}", int(time.time()) // seconds
    with _leases_lock:
        lease = _leases.get(name)
        if lease is not None and lease.window == window:
            if lease.left > 0:
                lease.left -= 1
                return True
            if lease.refused:
                return False
    granted = _take_shared(f"{name}:{window}", limit, at_once, (window + 1) * seconds)
    with _leases_lock:
        if len(_leases) > _MAX_LEASES:
            _leases.clear()
        _leases[name] = _Lease(window, max(0, granted - 1), refused=granted == 0)
    return granted > 0


def _take_shared(name: str, limit: int, wanted: int, end: int) -> int:
    """How many of the wanted hits the shared counter still gives."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [name[:160], wanted, datetime.fromtimestamp(end, UTC)])
        hits: int = cursor.fetchone()[0]
    return max(0, min(wanted, limit - (hits - wanted)))


def forget_leases() -> None:
    """Drop what this process has taken; for tests and for a fork."""
    with _leases_lock:
        _leases.clear()


class Limit(BaseThrottle):
    """`limit` requests in `seconds` for each address, and the same for each account."""

    def __init__(self, scope: str, *, limit: int, seconds: int = 60, at_once: int = 1) -> None:
        self.scope, self.limit, self.seconds, self.at_once = scope, limit, seconds, at_once

    def allow_request(self, request: HttpRequest) -> bool:
        limit = math.ceil(self.limit * settings.API_THROTTLE_SCALE)
        return all(
            take(scope=self.scope, who=who, limit=limit, seconds=self.seconds, at_once=min(self.at_once, limit))
            for who in self._callers(request)
        )

    def wait(self) -> float:
        return self.seconds - time.time() % self.seconds

    def _callers(self, request: HttpRequest) -> list[str]:
        actor = request.auth  # type: ignore[attr-defined]
        address = f"ip:{request.META['REMOTE_ADDR']}"
        return [f"user:{actor.user_id}", address] if actor.user_id else [address]


READ = Limit("read", limit=600, at_once=30)
QUOTE = Limit("quote", limit=30)
REGISTER = Limit("register", limit=60)
WRITE = Limit("write", limit=60)
DOOR = Limit("door", limit=600, at_once=10)  # several desks behind one address, or what they queued without a connection
INVITE = Limit("invite", limit=20)


@jobs.task()
def purge() -> None:
    """Forget windows that are over."""
    Window.objects.filter(ends_at__lt=timezone.now()).delete()
