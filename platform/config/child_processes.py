"""Processes that one process starts, watches and ends, each in a session of its own: the terminal's Ctrl-C reaches only their parent."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1  # Linux; https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html


@dataclass(frozen=True, slots=True)
class Child:
    """log: where all its output goes. grace: seconds between the request to end and the kill."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    grace: float

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(name: str, command: Sequence[str], *, folder: Path, env: Mapping[str, str], log: Path, grace: float) -> Child:
    """The child, running, on record for `stop_left_over`. Should its parent be killed, it is asked to end (on Linux)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603  the commands are our own
            command,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    log.with_suffix(".pid").write_text(json.dumps({"pid": process.pid, "born": psutil.Process(process.pid).create_time()}))
    return Child(name, process, log, grace)


def stop_left_over(logs: Path) -> None:
    """What a parent that was killed left running is gone on return, with everything that it started."""
    for record in sorted(logs.glob("*.pid")):
        family = _recorded(record)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        record.unlink(missing_ok=True)


def _recorded(record: Path) -> list[psutil.Process]:
    """The process on record and its descendants; none where it ended and another one, born later, has its number."""
    try:
        known = json.loads(record.read_text())
        leader = psutil.Process(known["pid"])
        return [leader, *leader.children(recursive=True)] if abs(leader.create_time() - known["born"]) < 1 else []
    except (ValueError, KeyError, psutil.NoSuchProcess):
        return []


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(children: Sequence[Child]) -> list[Child]:
    """The children and everything they started are gone on return; those that had to be killed."""
    for child in children:
        child.process.terminate()
    killed = []
    for child in children:
        try:
            child.process.wait(child.grace)
        except subprocess.TimeoutExpired:
            killed.append(child)
        with contextlib.suppress(ProcessLookupError):  # nobody is left, as it should be
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
        child.log.with_suffix(".pid").unlink(missing_ok=True)
    return killed
