import json
import signal
import sys
from pathlib import Path

import psutil
import pytest

from config import child_processes
from config.child_processes import Child
from tests.processes import ROOT, until

SLEEPS = "import time; print('at work', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
HAS_A_CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]); {SLEEPS}"


def start(folder: Path, program: str = SLEEPS, *, name: str = "child", grace: float = 10) -> Child:
    command = [sys.executable, "-c", program]
    child = child_processes.start(name, command, folder=ROOT, env={}, log=folder / f"{name}.log", grace=grace)
    until(lambda: "at work" in child.last_words(), "the child is at work")
    return child


def family(child: Child) -> list[psutil.Process]:
    leader = psutil.Process(child.process.pid)
    return [leader, *leader.children(recursive=True)]


class TestStop:
    def test_ends_those_that_listen_without_a_kill(self, tmp_path: Path) -> None:
        children = [start(tmp_path, name="one"), start(tmp_path, name="two")]

        assert child_processes.stop(children) == []
        assert [child.process.returncode for child in children] == [-signal.SIGTERM] * 2
        assert list(tmp_path.glob("*.pid")) == []

    def test_kills_the_one_that_does_not_listen(self, tmp_path: Path) -> None:
        stubborn = start(tmp_path, STUBBORN, grace=0.2)

        assert child_processes.stop([stubborn]) == [stubborn]
        assert not stubborn.is_running

    def test_takes_along_what_the_child_started(self, tmp_path: Path) -> None:
        child = start(tmp_path, HAS_A_CHILD)
        until(lambda: len(family(child)) == 2, "the child has a child")
        both = family(child)

        child_processes.stop([child])

        assert psutil.wait_procs(both, timeout=10)[1] == []


class TestStopLeftOver:
    def test_ends_what_is_on_record_with_its_family(self, tmp_path: Path) -> None:
        child = start(tmp_path, HAS_A_CHILD)
        until(lambda: len(family(child)) == 2, "the child has a child")
        both = family(child)

        child_processes.stop_left_over(tmp_path)

        child.process.wait(10)
        assert psutil.wait_procs(both, timeout=10)[1] == []
        assert list(tmp_path.glob("*.pid")) == []

    def test_leaves_a_stranger_alone_that_has_the_number_now(self, tmp_path: Path) -> None:
        stranger = start(tmp_path)
        record = tmp_path / "child.pid"
        record.write_text(json.dumps({"pid": stranger.process.pid, "born": 1.0}))

        child_processes.stop_left_over(tmp_path)

        assert stranger.is_running
        assert not record.exists()
        child_processes.stop([stranger])

    @pytest.mark.parametrize("text", ["", "{}", '{"pid": 4194305, "born": 1}'])
    def test_minds_no_record_that_names_nobody(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "child.pid").write_text(text)

        child_processes.stop_left_over(tmp_path)

        assert list(tmp_path.iterdir()) == []
