"""`make demo`: everything starts from one process, and nothing is left when it ends, however it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from config import child_processes, supervisor
from tests.processes import ROOT, free_port, until


class Demo:
    def __init__(self, var: Path, port: int | str) -> None:
        self.var, self.port, self.url = var, port, f"http://127.0.0.1:{port}"
        env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "BASE_URL", "DJANGO_SETTINGS_MODULE")}
        env |= {"ENVIRONMENT": "demo", "PYTHONPATH": str(ROOT / "platform"), "PORT": str(port), "VAR_DIR": str(var), "DEMO_SIZE": "400"}
        command = [sys.executable, "-m", "config.supervisor"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def end(self) -> tuple[int, str, str]:
        said, complained = self.process.communicate(timeout=90)
        return self.process.returncode, said, complained

    def left(self) -> list[str]:
        return running_from(self.var)


def running_from(var: Path) -> list[str]:
    """Command lines of living processes that belong to the demo whose data is in `var`."""
    found = []
    for process in psutil.process_iter():
        try:
            belongs = process.environ().get("VAR_DIR") == str(var) or str(var) in " ".join(process.cmdline())
            if belongs and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2):  # noqa: S310  our own address
            return True
    except OSError:
        return False


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def demo(var: Path) -> Iterator[Demo]:
    started = Demo(var, free_port())
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGTERM)
        started.end()


@pytest.fixture
def own_signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_signals")
class TestMain:
    """In this process, so that what it does is measured."""

    def test_runs_until_it_is_asked_to_end_and_leaves_nothing(self, var: Path, monkeypatch: Any, capsys: Any) -> None:
        url, seen = f"http://127.0.0.1:{self._environment(var, monkeypatch)}", []

        def look_around() -> None:
            try:
                until(lambda: is_up(url), "the demo is ready", seconds=150)
                with urllib.request.urlopen(f"{url}/accounts/login/", timeout=30) as page:  # noqa: S310  our own address
                    seen.append(page.status)
                seen.extend(running_from(var))
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

        looking = threading.Thread(target=look_around)
        looking.start()
        code = supervisor.main()
        looking.join()

        said, complained = capsys.readouterr()
        assert (code, complained) == (0, "")
        assert seen[0] == 200
        assert sum("qcluster" in str(line) for line in seen) >= 3
        assert sum("postgres" in str(line) for line in seen) >= 1
        assert f"finance@cpd.example              {url}/staff/" in said
        assert "Stopping: web, workers" in said
        assert running_from(var) == []

    def test_says_what_is_wrong_with_the_database(self, var: Path, monkeypatch: Any, capsys: Any) -> None:
        self._environment(var, monkeypatch)
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

        assert supervisor.main() == 1
        complained = capsys.readouterr().err
        assert complained.startswith("The database could not be prepared. The end of ")
        assert "connection" in complained
        assert running_from(var) == []

    def _environment(self, var: Path, monkeypatch: Any) -> int:
        port = free_port()
        for name, value in {"ENVIRONMENT": "demo", "PORT": str(port), "VAR_DIR": str(var), "DEMO_SIZE": "400"}.items():
            monkeypatch.setenv(name, value)
        for name in ("DATABASE_URL", "BASE_URL"):
            monkeypatch.delenv(name, raising=False)
        return port


class TestDemo:
    """As `make demo` runs it: a process of its own."""

    def test_stops_everything_when_one_process_ends(self, demo: Demo) -> None:
        until(lambda: any("sandbox.stripe" in line for line in demo.left()), "the stand-in for Stripe runs")
        for process in psutil.Process(demo.process.pid).children():
            if "sandbox.stripe" in " ".join(process.cmdline()):
                process.kill()

        code, said, complained = demo.end()
        assert code == 1
        assert "stripe ended with code -9, so everything stops." in complained
        assert "Ready" not in said
        assert demo.left() == []

    def test_stops_while_it_starts(self, demo: Demo) -> None:
        until(lambda: any("postgres" in line for line in demo.left()), "the database runs")
        demo.process.send_signal(signal.SIGINT)

        assert demo.end()[0] == 0
        assert demo.left() == []

    def test_refuses_a_second_demo_in_the_same_folder(self, demo: Demo) -> None:
        until(lambda: (demo.var / "demo.lock").exists(), "the first one has begun")
        time.sleep(0.2)
        code, _, complained = Demo(demo.var, free_port()).end()

        assert code == 1
        assert complained.startswith("A demo already runs from ")
        assert demo.process.poll() is None

    def test_says_so_when_its_port_is_taken(self, var: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            demo = Demo(var, port)
            code, _, complained = demo.end()

        assert code == 1
        assert complained == f"Port {port} is taken; stop what uses it, or take others with: make demo PORT=8100\n"
        assert demo.left() == []

    def test_names_a_port_that_is_none(self, var: Path) -> None:
        code, _, complained = Demo(var, "eight").end()

        assert (code, complained) == (1, "PORT must be a number from 1024 to 65535, not 'eight'.\n")

    def test_starts_again_after_its_supervisor_was_killed(self, demo: Demo) -> None:
        until(lambda: any("sandbox.stripe" in line for line in demo.left()), "the stand-in for Stripe runs")
        stand_in = json.loads((demo.var / "log" / "stripe.pid").read_text())["pid"]
        os.kill(stand_in, signal.SIGSTOP)  # it cannot hear that its parent is gone
        demo.process.kill()
        demo.process.communicate()
        assert psutil.pid_exists(stand_in)

        again = Demo(demo.var, demo.port)
        until(lambda: again.process.poll() is not None or "prepare.pid" in os.listdir(demo.var / "log"), "the next start has come further")
        assert not psutil.pid_exists(stand_in)
        again.process.send_signal(signal.SIGTERM)
        code, _, complained = again.end()
        assert (code, complained) == (0, "")
        assert again.left() == []


class TestStop:
    def test_kills_what_does_not_end_in_time_with_all_it_started(self, tmp_path: Path) -> None:
        stubborn = "trap '' TERM; sleep 61 & echo started; wait; sleep 62"
        child = child_processes.start("stubborn", ["bash", "-c", stubborn], folder=tmp_path, env={}, log=tmp_path / "log", grace=0.3)
        until(lambda: "started" in child.last_words(), "it runs")

        assert child_processes.stop([child]) == [child]
        assert not child.is_running
