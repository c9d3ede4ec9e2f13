"""The whole suite as two runs side by side: what waits for processes, browsers and clocks, and what computes. Each has its own database.

`python -m tests.halves [--measure] [pytest's options]`; the first run's output streams, the other's is printed when both are done.
With --measure both note which branches they run, which costs a third more time; tests.coverage_bounds judges it.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

WAITING = ("accounts", "config", "contract", "e2e", "faults", "organizations", "races", "sandbox")


def folders() -> list[str]:
    return sorted(found.name for found in Path("tests").iterdir() if found.is_dir() and (found / "__init__.py").exists())


def paths_of(half: str) -> list[str]:
    """What pytest is given for a half; together they are every test, each once."""
    if half == "waiting":
        return [f"tests/{name}" for name in WAITING]
    return [f"tests/{name}" for name in folders() if name not in WAITING] + [str(path) for path in sorted(Path("tests").glob("test_*.py"))]


def start(half: str, options: list[str], out: int | None) -> subprocess.Popen[bytes]:
    environment = os.environ | {"TEST_HALF": half, "COVERAGE_FILE": f".coverage.{half}"}
    command = [sys.executable, "-m", "pytest", *paths_of(half), "-o", f"cache_dir=.pytest_cache/{half}", *options]
    return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT if out else None)


def main() -> None:
    measure = sys.argv[1:2] == ["--measure"]
    options = ["--cov", "--cov-report=", *sys.argv[2:]] if measure else sys.argv[1:]
    with tempfile.TemporaryFile() as kept:
        other = start("waiting", options, kept.fileno())
        ended = start("computing", options, None).wait()
        ended_other = other.wait()
        kept.seek(0)
        sys.stdout.buffer.write(kept.read())
        sys.stdout.flush()
    if measure:
        subprocess.run([sys.executable, "-m", "coverage", "combine", "--quiet"], check=True)
    sys.exit(ended or ended_other)


if __name__ == "__main__":
    main()
