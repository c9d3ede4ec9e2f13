"""A file that keeps every exchange and every webhook, one JSON object a line, for whoever checks them afterwards."""

import json
import threading
from pathlib import Path
from typing import Any


class RecordFile:
    """`exchange` and `webhook` are the observers of a Sandbox; the file grows by a line each."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8")

    def exchange(self, method: str, target: str, headers: dict[str, str], request_body: str, status: int, response_body: str) -> None:
        self._write({"method": method, "target": target, "request_body": request_body, "status": status, "response_body": response_body})

    def webhook(self, url: str, headers: dict[str, str], body: bytes, status: int | None) -> None:
        self._write({"webhook": body.decode(), "status": status})

    def _write(self, entry: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()
