"""The whole product in one terminal, for `make demo`: database, Stripe's stand-in, web and workers, stopped in the right order.

Everything derives from PORT and the folder: the stand-in listens 10,000 above PORT, data and logs are in var/. Two clones with two ports
run side by side. Ctrl-C, SIGTERM and a closed terminal end every process; so does the end of any one of them.
"""

import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from config import child_processes, embedded_postgres, webhook_secret
from config.child_processes import Child

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 60.0
QUEUES = ("money", "default", "bulk")
# path, setting with its secret, whether it hears of connected accounts only
_ENDPOINTS = (
    ("/webhooks/stripe", "STRIPE_WEBHOOK_SECRETS", False),
    ("/webhooks/stripe-connect", "STRIPE_CONNECT_WEBHOOK_SECRETS", True),
)


class Trouble(Exception):
    """Why the demo cannot run (on), in a sentence that says what to do."""


class Stopped(Exception):
    """Somebody asked for the end."""


class Supervisor:
    """var: data and logs. Leaving `run` leaves no process behind."""

    def __init__(self, *, port: int, var: Path) -> None:
        self.port, self.var = port, var
        self.stripe_port = port + 10_000 if port <= 55_535 else port - 10_000  # a neighbour's demo may be on the next port
        self.url, self.stripe_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{self.stripe_port}"
        self._ending = threading.Event()
        self._watched: list[Child] = []
        secret = webhook_secret.kept(var)
        self._env = {
            **os.environ,
            "ENVIRONMENT": os.environ.get("ENVIRONMENT", "demo"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
            "PYTHONUNBUFFERED": "1",
            "PORT": str(port),
            "VAR_DIR": str(var),
            "BASE_URL": os.environ.get("BASE_URL", self.url),
            "STRIPE_API_BASE": self.stripe_url,
            "STRIPE_SECRET_KEY": "sk_test_sandbox",
            "STRIPE_WEBHOOK_SECRETS": secret,
            "STRIPE_CONNECT_WEBHOOK_SECRETS": secret,
        }

    def end(self, *_: object) -> None:
        self._ending.set()

    def run(self) -> None:
        """Start, say where everything is, and watch until somebody asks for the end. Raises Trouble, and Stopped while starting."""
        started = time.monotonic()
        with ExitStack() as stack:  # left in reverse: web, workers, the stand-in, the database
            stack.enter_context(_only_one(self.var))
            child_processes.stop_left_over(self.var / "log")
            for port in (self.port, self.stripe_port):
                _require_free(port)
            stack.enter_context(self._database())
            stack.enter_context(self._children([("stripe", self._sandbox_command(), {})], grace=10))
            self._wait_for(f"{self.stripe_url}/_sandbox/clock", "Stripe's stand-in", seconds=20)
            sign_ins = self._prepare()
            self._register_webhooks()
            qcluster = ["nice", "-n", "15", sys.executable, "manage.py", "qcluster"]  # as in Procfile: people who wait come first
            workers = [(f"worker-{queue}", qcluster, {"PROCESS": "worker", "Q_CLUSTER_NAME": queue}) for queue in QUEUES]
            stack.enter_context(self._children(workers, grace=65))
            stack.enter_context(self._children([("web", self._web_command(), {"PROCESS": "web"})], grace=15))
            self._wait_for(f"{self.url}/readyz", "the web server", seconds=READY_WITHIN)
            say(self._welcome(sign_ins, time.monotonic() - started))
            self._watch()
            say("Stopping: web, workers, Stripe's stand-in, database.")

    def _watch(self) -> None:
        while not self._ending.wait(0.5):
            self._require_all_running()

    def _require_all_running(self) -> None:
        for child in self._watched:
            if not child.is_running:
                code = child.process.returncode
                raise Trouble(f"{child.name} ended with code {code}, so everything stops. The end of {child.log}:\n{child.last_words()}")

    @contextmanager
    def _database(self) -> Iterator[None]:
        if "DATABASE_URL" in os.environ:
            yield
            return
        server = embedded_postgres.start(self.var / "pgdata")
        self._env["DATABASE_URL"] = server.url
        try:
            yield
        finally:
            server.stop()

    @contextmanager
    def _children(self, wanted: Sequence[tuple[str, list[str], dict[str, str]]], *, grace: float) -> Iterator[None]:
        """Children by name, command and environment; asked to end together."""
        started: list[Child] = []
        try:
            for name, command, env in wanted:
                log = self.var / "log" / f"{name}.log"
                started.append(child_processes.start(name, command, folder=ROOT, env={**self._env, **env}, log=log, grace=grace))
            self._watched += started
            yield
        finally:
            self._watched = [child for child in self._watched if child not in started]
            for child in child_processes.stop(started):
                say(f"{child.name} did not stop within {grace:.0f} s and was killed.")

    def _sandbox_command(self) -> list[str]:
        state = self.var / "stripe.sqlite3"
        return [sys.executable, "-m", "sandbox.stripe", "--port", str(self.stripe_port), "--state", str(state)]

    def _web_command(self) -> list[str]:
        granian = str(Path(sys.executable).with_name("granian"))
        size = ["--workers", "2", "--blocking-threads", "4", "--workers-kill-timeout", "10"]
        return [
            granian,
            "--interface",
            "wsgi",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            *size,
            "--no-ws",
            "config.wsgi:application",
        ]

    def _prepare(self) -> str:
        """Tables, cache, clock and sample data; the sign-ins, as the last of them says them. Repeatable."""
        command = [sys.executable, "-W", "ignore", "manage.py", "prepare", "--demo"]
        env = {**self._env, "LOG_LEVEL": "WARNING"}  # what it says is shown
        child = child_processes.start("prepare", command, folder=ROOT, env=env, log=self.var / "log" / "prepare.log", grace=5)
        try:
            while child.is_running:
                self._pause(0.05)
        finally:
            child_processes.stop([child])
        if child.process.returncode:
            raise Trouble(f"The database could not be prepared. The end of {child.log}:\n{child.last_words()}")
        return child.log.read_text(errors="replace")

    def _register_webhooks(self) -> None:
        """Tell the stand-in where our endpoints are, with the secret that both keep in var/."""
        for path, name, is_connect in _ENDPOINTS:
            self._register({"url": f"{self.url}{path}", "secret": self._env[name], "enabled_events": ["*"], "connect": is_connect})

    def _register(self, body: dict[str, Any]) -> None:
        request = urllib.request.Request(  # noqa: S310  our own address
            f"{self.stripe_url}/_sandbox/webhooks/endpoint",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310  as above
            pass

    def _pause(self, seconds: float) -> None:
        if self._ending.wait(seconds):
            raise Stopped
        self._require_all_running()

    def _wait_for(self, url: str, what: str, *, seconds: float) -> None:
        end, answer = time.monotonic() + seconds, "no answer"
        while time.monotonic() < end:
            answer = _answer(url)
            if answer == "":
                return
            self._pause(0.2)
        raise Trouble(f"{what} is not ready after {seconds:.0f} s ({answer}); its log is in {self.var / 'log'}.")

    def _welcome(self, sign_ins: str, took: float) -> str:
        return f"""
Ready after {took:.0f} s. Ctrl-C stops it.

  {self.url}/           what attendees see
  {self.url}/console/   organizers' console
  {self.url}/staff/     staff console
  {self.url}/api/v1/docs   the API
  {self.stripe_url}/    Stripe's stand-in (test cards are on its payment pages)

{sign_ins.strip()}

Data and logs are in {self.var}; `rm -r` it to begin anew.
"""


@contextmanager
def _only_one(var: Path) -> Iterator[None]:
    """One demo in a folder: a second one would adopt the first one's database, and take it along when it stops."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Trouble(f"A demo already runs from {var}; stop it first, or start this one from another clone.") from error
        yield


def _port(given: str) -> int:
    if given.isdecimal() and 1024 <= int(given) <= 65_535:
        return int(given)
    raise Trouble(f"PORT must be a number from 1024 to 65535, not {given!r}.")


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Trouble(f"Port {port} is taken; stop what uses it, or take others with: make demo PORT=8100") from error


def _answer(url: str) -> str:
    """Empty where the address answers 200, else what it answers."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310  our own address
            return ""
    except urllib.error.HTTPError as error:
        return f"{error.code}: {error.read(300).decode(errors='replace')}"
    except OSError as error:
        return str(error)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    var = Path(os.environ.get("VAR_DIR", ROOT / "var")).resolve()
    try:
        supervisor = Supervisor(port=_port(os.environ.get("PORT", "8000")), var=var)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, supervisor.end)
        supervisor.run()
    except Stopped:
        say("Stopped while starting.")
    except (Trouble, RuntimeError) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
