"""Where it runs: an embedded PostgreSQL of its own (fsync on, as in production), web servers, workers and the Stripe stand-in on it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django

from bench.processes import ROOT, answers, cpu_seconds, free_port, running, until, yields
from config import embedded_postgres

DATABASE = "bench"
SECRET = "whsec_bench"  # noqa: S105  of this run's own stand-in
_TABLES = """
    CREATE TABLE bench_event (id int PRIMARY KEY, capacity int NOT NULL, taken int NOT NULL DEFAULT 0 CHECK (taken <= capacity));
    CREATE TABLE bench_seat (id bigserial PRIMARY KEY, event_id int REFERENCES bench_event, name text, email text);
    CREATE UNIQUE INDEX ON bench_seat (event_id, email);
    CREATE TABLE bench_inbox (id text PRIMARY KEY, body text NOT NULL, at timestamptz NOT NULL DEFAULT now());
"""


@dataclass(frozen=True, slots=True)
class Bed:
    """postmaster: the process whose tree is the database. stripe_port: where the stand-in listens."""

    postmaster: int
    version: str
    stripe_port: int

    def cpu(self, *roots: int) -> float:
        return cpu_seconds(self.postmaster, *roots)

    @contextmanager
    def served(self, application: str = "config.wsgi:application") -> Iterator[tuple[int, int]]:
        """granian with two workers, as in production; its port and its process."""
        port = free_port()
        arguments = [str(Path(sys.executable).with_name("granian")), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
        arguments += ["--workers", "2", "--blocking-threads", "4", "--no-ws", "--log-level", "warning", application]
        with running(arguments, {"PROCESS": "web", "PORT": str(port)}) as child:
            until(lambda: answers(port))
            yield port, child.pid

    @contextmanager
    def worker(self, queue: str) -> Iterator[int]:
        """A cluster of one queue, as nice as in production, that knows the tasks of bench.noop too; its process."""
        arguments = ["nice", "-n", "15", sys.executable, "-m", "bench.worker"]
        with running(arguments, {"PROCESS": "worker", "Q_CLUSTER_NAME": queue, "Q_POLL": "0.05"}) as child:
            yield child.pid

    @contextmanager
    def stripe(self) -> Iterator[int]:
        """The stand-in for Stripe, empty, in a process of its own; so nice that it takes little from us, since Stripe works elsewhere."""
        with running(["nice", "-n", "19", sys.executable, "-m", "sandbox.stripe", "--port", str(self.stripe_port)], {}) as child:
            yields(child, 19)
            until(lambda: answers(self.stripe_port))
            yield child.pid


@contextmanager
def made() -> Iterator[Bed]:
    """A fresh database with the product's tables; everything is gone on leaving. Django is set up on it on entering."""
    server = embedded_postgres.start(ROOT / "var" / "pgbench", database=DATABASE)
    try:
        server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {DATABASE}")
        bed = Bed(_postmaster(), server.execute("SHOW server_version").split()[2], free_port())
        os.environ.update(_environment(server.url_of(DATABASE), bed.stripe_port))
        (ROOT / "var" / "bench").mkdir(parents=True, exist_ok=True)
        for command in ("migrate", "createcachetable"):  # in a process of its own: migrations take more memory than what is measured
            subprocess.run([sys.executable, "manage.py", command, "--verbosity=0"], cwd=ROOT, check=True)
        django.setup()
        for statement in _TABLES.strip().splitlines():
            execute(statement)
        yield bed
    finally:
        server.stop()


def _environment(url: str, stripe_port: int) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ENVIRONMENT": "demo",  # no second factor: the console is measured, not the sign-in
        "DATABASE_URL": url,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        "STRIPE_API_BASE": f"http://127.0.0.1:{stripe_port}",
        "STRIPE_WEBHOOK_SECRETS": SECRET,
        "API_THROTTLE_SCALE": "100000",
        "LOG_LEVEL": "ERROR",
        "VAR_DIR": str(ROOT / "var" / "bench"),
    }


def _postmaster() -> int:
    return int((ROOT / "var" / "pgbench" / "postmaster.pid").read_text().split()[0])


def execute(sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Rows of one statement on the bench's database, in a transaction of its own."""
    from django.db import connection  # noqa: PLC0415  settings exist only once the bed is made

    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description else []
