"""Child processes, and the CPU time and memory of a whole tree of them, from /proc."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(arguments: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child with a session of its own; its whole group is gone on leaving."""
    child = subprocess.Popen(arguments, cwd=ROOT, env={**os.environ, **environment}, start_new_session=True)
    try:
        yield child
    finally:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)


def yields(child: subprocess.Popen[bytes], niceness: int) -> None:
    """Its session is that nice on return, where this system weighs sessions against each other."""
    with suppress(OSError):
        Path(f"/proc/{child.pid}/autogroup").write_text(str(niceness))


def until(condition: Callable[[], object], *, seconds: float = 120, pause: float = 0.02) -> None:
    """Wait for the condition. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(pause)


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as found:
        found.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return found.recv(12).startswith(b"HTTP/1.1")
    return False


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(pid: int) -> list[int]:
    """The process and all that it started, directly or not."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError, ProcessLookupError):
                parents.setdefault(int(_stat(int(entry))[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def cpu_seconds(*roots: int) -> float:
    """User and system time of the trees so far, ended children included."""
    total = 0
    for root in roots:
        for pid in tree(root):
            with suppress(OSError, ProcessLookupError):
                total += sum(int(value) for value in _stat(pid)[11:15])
    return total / _TICKS


def resident_mb(pid: int) -> float:
    """Memory of one process, shared pages included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6
