"""Whether a nice process that leads its session takes the session with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

GROUP = Path("/proc/self/autogroup")
SAYS = "import sys; sys.path.append('platform'); from config import niceness; niceness.extend_to_session(); "
SAYS += "from pathlib import Path; path = Path('/proc/self/autogroup'); print(path.read_text().split()[-1:] if path.exists() else [])"


def told(*before: str, leads: bool) -> str:
    answer = subprocess.run(
        [*before, sys.executable, "-c", SAYS], cwd=ROOT, start_new_session=leads, capture_output=True, check=True, text=True
    )
    return answer.stdout.strip()


@pytest.fixture
def ours() -> str:
    """What is said of a session that was never grouped (that of the first process) is nothing, in a file that is there."""
    return str(GROUP.read_text().split()[-1:] if GROUP.exists() else [])


class TestSession:
    def test_is_as_nice_as_the_process_that_leads_it(self) -> None:
        assert told("nice", "-n", "7", leads=True) == str([str(min(19, os.nice(0) + 7))] if GROUP.exists() else [])

    def test_that_another_leads_is_left_alone(self, ours: str) -> None:
        assert told("nice", "-n", "7", leads=False) == ours
