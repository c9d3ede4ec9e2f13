"""Starting: the check command, a cold web server until its first answer, the memory of a worker process."""

import os
import subprocess
import sys
import time

from bench.bed import Bed
from bench.client import blast, request
from bench.measure import ROUNDS, Result, median
from bench.processes import ROOT, cpu_seconds, resident_mb, tree

_BARE = "bench.bare:application"


def measure(bed: Bed) -> list[Result]:
    found = []
    commands = [[sys.executable, "-m", "bench.bare", "check"], [sys.executable, "-W", "ignore", "manage.py", "check"]]
    times = [[_timed(command) for command in commands] for _ in range(ROUNDS)]
    found.append(_result("`manage.py check`", times, "s", "≤ 1.0 s"))
    times = [[_cold(bed, application) for application in (_BARE, "config.wsgi:application")] for _ in range(ROUNDS)]
    found.append(_result("cold web server to its first answer", times, "s", "≤ 0.9 s"))
    sizes = [
        [_memory(bed, application, path) for application, path in ((_BARE, "/bare/events"), ("config.wsgi:application", "/api/v1/events"))]
    ]
    found.append(_result("memory of a web process after 200 requests", sizes, "MB", "≤ 110 MB"))
    return found


def _timed(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    took, after = time.perf_counter() - started, os.times()
    return took, after.children_user + after.children_system - before.children_user - before.children_system


def _cold(bed: Bed, application: str) -> tuple[float, float]:
    started = time.perf_counter()
    with bed.served(application) as (_, web):
        return time.perf_counter() - started, cpu_seconds(web)


def _memory(bed: Bed, application: str, path: str) -> tuple[float, float]:
    with bed.served(application) as (port, web):
        blast(port, [request("GET", path)] * 200, connections=4)
        return max(resident_mb(pid) for pid in tree(web)), cpu_seconds(web)


def _result(work: str, rounds: list[list[tuple[float, float]]], unit: str, reach: str) -> Result:
    bare, ours = ([one[side][0] for one in rounds] for side in (0, 1))
    cpu = median([one[1][1] * 1000 for one in rounds])
    shape = ",.0f" if unit == "MB" else ".2f"
    times = f"{median([b / a for a, b in zip(bare, ours, strict=True)]):.1f} times"
    return Result(work, f"{median(bare):{shape}} {unit}", f"{median(ours):{shape}} {unit}", times, f"{cpu:,.0f}", "–", reach)
