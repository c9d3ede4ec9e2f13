"""Real processes on the test database: workers that can be killed, a web server that can be restarted, a sandbox that comes back."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[1]


def database_url() -> str:
    """The test database, as other processes reach it."""
    found = connection.settings_dict
    host, port = str(found["HOST"]), str(found["PORT"])
    password = f":{quote(str(found['PASSWORD']))}" if found["PASSWORD"] else ""
    where = f"@/{found['NAME']}?host={host}" if host.startswith("/") else f"@{host}:{port or 5432}/{found['NAME']}"
    return f"postgresql://{found['USER']}{password}{where}"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {
        **os.environ,
        "ENVIRONMENT": "test",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        "DATABASE_URL": database_url(),
        "STRIPE_API_BASE": settings.STRIPE_API_BASE,
        "STRIPE_WEBHOOK_SECRETS": ",".join(settings.STRIPE_WEBHOOK_SECRETS),
        "STRIPE_CONNECT_WEBHOOK_SECRETS": ",".join(settings.STRIPE_CONNECT_WEBHOOK_SECRETS),
        "STRIPE_NETWORK_RETRIES": "0",
        "JOB_BACKOFF_BASE": "0.3",
        "Q_POLL": "0.05",
        **(extra or {}),
    }


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def process(arguments: list[str], extra: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A child with a session of its own; its whole group is gone on leaving, however that happens."""
    child = subprocess.Popen(arguments, cwd=ROOT, env=environment(extra), start_new_session=True)
    try:
        yield child
    finally:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(10)
        kill_group(child)


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """kill -9 of the child and of everything it started."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait(10)


@contextmanager
def worker(queue: str, extra: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A real qcluster for one queue."""
    conf = {"PROCESS": "worker", "Q_CLUSTER_NAME": queue, "Q_TIMEOUT": "4", **(extra or {})}
    with process([sys.executable, "manage.py", "qcluster"], conf) as child:
        yield child


@contextmanager
def web(extra: Mapping[str, str] | None = None, *, port: int | None = None) -> Iterator[str]:
    """A real granian with two workers; its address, once it answers."""
    port = port or free_port()
    arguments = [str(Path(sys.executable).with_name("granian")), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--workers", "2", "--blocking-threads", "4", "--workers-kill-timeout", "10", "--no-ws", "--log-level", "warning"]
    conf = {"PROCESS": "web", "PORT": str(port), "API_THROTTLE_SCALE": "1000", **(extra or {})}
    with process([*arguments, "config.wsgi:application"], conf):
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{address}/healthz"), "the web server answers")
        yield address


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  our own address
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def until(condition: Callable[[], object], what: str, *, seconds: float = 30) -> None:
    """Wait for the condition; raises AssertionError with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(0.05)
