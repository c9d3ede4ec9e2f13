"""`make demo`: everything starts from one process, and nothing is left when it ends, however it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

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

    def ready(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):  # noqa: S310  our own address
                return True
        except OSError:
            return False

    def end(self) -> tuple[int, str, str]:
        said, complained = self.process.communicate(timeout=90)
        return self.process.returncode, said, complained

    def left(self) -> list[str]:
        """Command lines of living processes that belong to this demo."""
        found = []
        for process in psutil.process_iter():
            try:
                belongs = process.environ().get("VAR_DIR") == str(self.var) or str(self.var) in " ".join(process.cmdline())
                if belongs and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found


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


class TestDemo:
    def test_runs_until_it_is_asked_to_end_and_leaves_nothing(self, demo: Demo) -> None:
        until(demo.ready, "the demo is ready", seconds=150)
        with urllib.request.urlopen(f"{demo.url}/accounts/login/", timeout=10) as page:  # noqa: S310  as above
            assert page.status == 200
        assert any("postgres" in line for line in demo.left())
        assert sum("qcluster" in line for line in demo.left()) >= 3

        demo.process.send_signal(signal.SIGTERM)
        code, said, complained = demo.end()
        assert (code, complained) == (0, "")
        assert demo.url in said
        assert "Stopping: web, workers" in said
        assert demo.left() == []

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
