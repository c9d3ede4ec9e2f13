"""The sandbox over HTTP: the API under /v1, the hosted pages under /c, the control API under /_sandbox."""

import contextlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.stripe import control_routes, pages, uploads
from sandbox.stripe.control import Control
from sandbox.stripe.courier import Courier, Post
from sandbox.stripe.deliveries import Delivery
from sandbox.stripe.engine import Engine, Exchange
from sandbox.stripe.faults import Fault
from sandbox.stripe.store import Store
from sandbox.stripe.world import World

LONGEST_BODY = 64 * 1024 * 1024  # bytes; a bulk load is large

type Observer = Callable[[str, str, dict[str, str], str, int, str], None]
type WebhookObserver = Callable[[str, dict[str, str], bytes, int | None], None]


class Sandbox:
    """A running stand-in for Stripe, in this process, on its own threads. A context manager: it serves inside the block.

    state_path: file that keeps the state, None for memory. port 0: any free one. public_url: how browsers reach it, its own URL
    unless given. observer(method, path with query, request headers, request body, status, response body) sees every API exchange
    that was answered; webhook_observer(url, headers, body, status or None) every delivery tried. With deliver=False nothing is
    delivered by itself: `deliver(post)` then hands the due webhooks to a function, in the caller's thread.
    """

    def __init__(  # what a deployment or a test may choose, each with a default
        self, state_path: Path | str | None = None, port: int = 0, *, host: str = "127.0.0.1", public_url: str | None = None,
        synchronous: str = "NORMAL", seed: str = "1", deliver: bool = True, observer: Observer | None = None,
        webhook_observer: WebhookObserver | None = None,
    ) -> None:  # fmt: skip
        store = Store(Path(state_path) if state_path else None, synchronous=synchronous)
        self.world = World(store, seed=seed)
        self.engine = Engine(self.world)
        self.observer, self.webhook_observer = observer, webhook_observer
        self.courier = Courier(self.world, observe=self._delivered)
        self._deliver = deliver
        self._server = _Server((host, port), _Handler)
        self._server.sandbox = self
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self.world.public_url = (public_url or self.url).rstrip("/")
        self.control = Control(self.url)
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve, name="sandbox-http", daemon=True)
        self._thread.start()
        self.courier.start(deliver=self._deliver)
        return self

    def stop(self) -> None:
        """Stop serving; every thread has ended and the file is closed on return."""
        self._server.halt()
        if self._thread:
            self._thread.join()
        self.courier.stop()
        self._server.hang_up()
        self._server.server_close()
        with self.world.lock:
            self.world.store.close()

    def deliver(self, post: Post) -> int:
        """Hand every due webhook to post(url, headers, body) -> status, in this thread. The number tried."""
        count = 0
        while self.courier.deliver_one(post):
            count += 1
        return count

    def _delivered(self, delivery: Delivery, status: int | None) -> None:
        if self.webhook_observer:
            self.webhook_observer(delivery.url, delivery.headers, delivery.body, status)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    sandbox: Sandbox

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        self._idle = threading.Condition()
        self._halted = False
        super().__init__(*args)

    def serve(self) -> None:
        """Answer until halted. Unlike serve_forever it does not poll, so it stops at once: a test suite does that a thousand times."""
        while not self._halted:
            self.handle_request()

    def halt(self) -> None:
        self._halted = True
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes the one who waits for a connection

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._idle:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._open.discard(request)
                self._idle.notify_all()

    def hang_up(self) -> None:
        """Close every connection and wait until its thread has ended."""
        with self._idle:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._idle.wait_for(lambda: not self._open, timeout=5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LONGEST_BODY:
            self.close_connection = True
            self.reply(413, "{}")
            return
        raw, kind = self.rfile.read(length), self.headers.get("Content-Type") or ""
        body = uploads.as_form(raw, kind) if kind.startswith(uploads.MULTIPART) else raw.decode("utf-8", errors="replace")
        sandbox = self.server.sandbox
        if self.path.startswith("/_sandbox/"):
            status, text = control_routes.answer(sandbox.engine, sandbox.courier, self.command, self.path, body)
            self.reply(status, text)
        elif self.path.startswith("/c/"):
            page = pages.answer(sandbox.world, self.command, self.path, body)
            self.reply(page.status, page.html, kind="text/html; charset=utf-8", headers=page.headers)
        else:
            self._serve_api(body)

    def _serve_api(self, body: str) -> None:
        sandbox = self.server.sandbox
        exchange = Exchange(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        sandbox.engine.answer(exchange)
        fault = exchange.fault
        if sandbox.observer and exchange.status:
            sandbox.observer(exchange.method, exchange.target, dict(exchange.headers), body, exchange.status, exchange.answer)
        if exchange.early_events and sandbox.courier.delivers:
            sandbox.courier.flush(timeout=10, events=exchange.early_events)
        if fault and fault.kind in ("reset_before", "reset_after", "timeout_after_success"):
            self._break_off(fault)
            return
        self.reply(exchange.status, exchange.answer, headers=exchange.answer_headers)

    def _break_off(self, fault: Fault) -> None:
        """Leave the caller without an answer."""
        self.close_connection = True
        if fault.kind == "timeout_after_success":
            self._wait_for_hang_up(fault.seconds)
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends a reset
            with contextlib.suppress(OSError):
                self.connection.close()

    def _wait_for_hang_up(self, seconds: float) -> None:
        give_up = time.monotonic() + seconds
        self.connection.settimeout(0.05)
        while time.monotonic() < give_up:
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def reply(self, status: int, text: str, *, kind: str = "application/json", headers: dict[str, str] | None = None) -> None:
        content = text.encode()
        lines = {"Content-Type": kind, "Content-Length": str(len(content)), "Cache-Control": "no-cache, no-store", **(headers or {})}
        if self.close_connection:
            lines["Connection"] = "close"
        head = f"HTTP/1.1 {status} {self.responses.get(status, ('Answer',))[0]}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
        with contextlib.suppress(OSError):  # the caller may have gone
            self.wfile.write(head.encode("latin-1") + b"\r\n" + content)

    def log_message(self, *args: object) -> None:
        """Quiet: the control API lists the requests."""
