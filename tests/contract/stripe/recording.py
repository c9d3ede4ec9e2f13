"""Checks every exchange a sandbox has, and every webhook it sends, whichever process is at the other end."""

import json
import threading
from pathlib import Path

from tests.contract.stripe.checking import Call, answer_violations, request_violations, webhook_violations

_REFUSED = (400, 401, 404)


class Recorder:
    """Hand `exchange` and `webhook` to a Sandbox as its observers; `problems()` says what was not as Stripe describes.

    tolerant: requests that the sandbox itself refused are not counted against the caller; for tests that send wrong ones on purpose.
    """

    def __init__(self, *, tolerant: bool = False) -> None:
        self._tolerant = tolerant
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._webhooks: list[str] = []

    def exchange(self, method: str, target: str, headers: dict[str, str], request_body: str, status: int, response_body: str) -> None:
        with self._lock:
            self._calls.append(Call(method, target, request_body, status, response_body))

    def webhook(self, url: str, headers: dict[str, str], body: bytes, status: int | None) -> None:
        with self._lock:
            self._webhooks.append(body.decode())

    def read(self, path: Path) -> None:
        """Take in what a sandbox in another process recorded with --record."""
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            with self._lock:
                if "webhook" in entry:
                    self._webhooks.append(entry["webhook"])
                else:
                    self._calls.append(Call(**entry))

    @property
    def calls(self) -> list[Call]:
        with self._lock:
            return list(self._calls)

    def problems(self) -> list[str]:
        """Every violation so far, each once."""
        found: dict[str, None] = {}
        for call in self.calls:
            if not (self._tolerant and call.status in _REFUSED):
                found.update(dict.fromkeys(request_violations(call)))
            found.update(dict.fromkeys(answer_violations(call)))
        with self._lock:
            webhooks = list(self._webhooks)
        for body in webhooks:
            found.update(dict.fromkeys(webhook_violations(json.loads(body))))
        return list(found)
