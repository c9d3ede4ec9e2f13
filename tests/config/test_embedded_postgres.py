"""The PostgreSQL that demo and tests bring along: started, adopted, told apart from what it left behind, stopped."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from config import embedded_postgres

ROOT = Path(__file__).resolve().parents[2]
HOLD = "import sys, time; from pathlib import Path; from config import embedded_postgres as e; e.start(Path(sys.argv[1])); time.sleep(60)"


def server_of(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))


def is_server(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def gone(process: psutil.Process) -> bool:
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        return False
    return True


class TestStart:
    def test_makes_the_database_once_and_stops_for_good(self, tmp_path: Path) -> None:
        server = embedded_postgres.start(tmp_path / "data")
        process = server_of(tmp_path / "data")
        assert server.url.startswith("postgresql://postgres@/cpd?host=/")
        assert "n=1" in server.execute("SELECT 'n=' || count(*) FROM pg_database WHERE datname = 'cpd'")
        assert "max=300" in server.execute("SELECT 'max=' || current_setting('max_connections')")
        assert "fsync=on" in server.execute("SELECT 'fsync=' || current_setting('fsync')")

        server.stop()
        assert gone(process)

    def test_adopts_the_server_of_a_holder_that_was_killed(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        holder = subprocess.Popen([sys.executable, "-c", HOLD, str(data)], env={**os.environ, "PYTHONPATH": str(ROOT / "platform")})
        end = time.monotonic() + 30
        while not (data / "postmaster.pid").exists() or "ready" not in (data / "postmaster.pid").read_text():
            assert time.monotonic() < end
            time.sleep(0.05)
        left = server_of(data)
        holder.kill()
        holder.wait(10)
        assert is_server(left)

        server = embedded_postgres.start(data)
        adopted = server_of(data)
        server.stop()
        assert gone(adopted)
        assert gone(left)

    def test_starts_where_a_dead_server_left_the_number_of_another_program(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        first = embedded_postgres.start(data)
        lines = (data / "postmaster.pid").read_text().splitlines()
        first.stop()
        (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

        second = embedded_postgres.start(data)
        process = server_of(data)
        assert process.pid != os.getpid()
        second.stop()
        assert gone(process)

    def test_finds_a_short_way_to_its_socket_from_a_long_folder(self, tmp_path: Path) -> None:
        data = tmp_path / ("a" * 60) / ("b" * 60) / "data"
        server = embedded_postgres.start(data)
        assert len(f"{server.socket_dir}/.s.PGSQL.5432") <= 107
        assert "here=1" in server.execute("SELECT 'here=' || 1")
        server.stop()

    def test_says_where_the_log_is_when_it_cannot_start(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        embedded_postgres.start(data).stop()
        (data / "postgresql.auto.conf").write_text("max_connections = 'nonsense'\n")

        with pytest.raises(RuntimeError, match="its log is"):
            embedded_postgres.start(data)
