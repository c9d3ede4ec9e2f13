"""The test bed: a real PostgreSQL, the stand-in for Stripe on a real socket, the queue drained by hand or by real workers.

pytest-django reads the settings before this file is imported, so the embedded server's address is put in by a fixture below.
With DATABASE_URL set the suite runs on that server instead.
"""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pgtrigger
import pytest
import stripe
import time_machine
from django.conf import settings as django_settings
from django.db import connection, connections
from django.test import Client, TransactionTestCase
from django.utils import timezone

from billing.gateway.selection import gateway
from config import embedded_postgres
from sandbox.stripe.server import Sandbox
from tests.contract.stripe.recording import Recorder
from tests.draining import drain
from tests.threads import in_threads

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright's sync API leaves an event loop in this thread

_HALF = f"_{os.environ['TEST_HALF']}" if "TEST_HALF" in os.environ else ""  # see tests.halves: each half has its own database


@pytest.fixture(scope="session")
def postgres() -> Iterator[embedded_postgres.EmbeddedPostgres | None]:
    if "DATABASE_URL" in os.environ:
        yield None
        return
    data = Path(os.environ.get("TEST_PGDATA", django_settings.VAR_DIR / f"pgtest{_HALF}"))
    server = embedded_postgres.start(data, embedded_postgres.FOR_TESTS)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: embedded_postgres.EmbeddedPostgres | None) -> None:
    values = connections["default"].settings_dict
    if postgres is not None:
        values.update(HOST=postgres.socket_dir, USER="postgres", PASSWORD="", PORT="")
    if _HALF:
        values["TEST"]["NAME"] = f"test_{values['NAME']}{_HALF}"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    yield
    # a test thread that ended without closing its connections still holds a session; it would block DROP DATABASE
    connection.close()  # ours may be one of those that a test had cut
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    connection.close()


@pytest.fixture(scope="session", autouse=True)
def _flush_may_truncate() -> Iterator[None]:
    """Tests that really commit end in TRUNCATE, which the append-only tables refuse to everybody else."""
    real = TransactionTestCase._fixture_teardown

    def teardown(self: TransactionTestCase) -> None:
        with pgtrigger.ignore():
            real(self)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = real  # type: ignore[method-assign]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Every call to Stripe and every webhook from it is held to Stripe's published description, in every test."""
    watching = Recorder()
    yield watching
    problems = watching.problems()
    assert not problems, "\n".join(problems)


@pytest.fixture
def sandbox(recorder: Recorder, settings: Any) -> Iterator[Sandbox]:
    """Stripe's stand-in, with our endpoint registered; webhooks are handed over by `webhooks()`, in the test's own thread."""
    with Sandbox(deliver=False, observer=recorder.exchange, webhook_observer=recorder.webhook) as running:
        point_at(running, settings)
        yield running
    gateway.cache_clear()


def point_at(sandbox: Sandbox, settings: Any, url: str = "http://testserver/webhooks/stripe") -> None:
    """Have the product use this sandbox, and the sandbox know our endpoint."""
    settings.STRIPE_API_BASE = sandbox.url
    client = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url})
    events: Any = ["*"]
    endpoint = client.v1.webhook_endpoints.create({"url": url, "enabled_events": events, "api_version": django_settings.STRIPE_API_VERSION})
    settings.STRIPE_WEBHOOK_SECRETS = [endpoint.secret]
    settings.STRIPE_NETWORK_RETRIES = 0
    gateway.cache_clear()


def hear_of_accounts(sandbox: Sandbox, settings: Any, url: str = "http://testserver/connect") -> None:
    """Have the sandbox know our endpoint for what happens to connected accounts."""
    client = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url})
    events: Any = ["*"]
    made = client.v1.webhook_endpoints.create(
        {"url": url, "enabled_events": events, "connect": True, "api_version": django_settings.STRIPE_API_VERSION}
    )
    settings.STRIPE_CONNECT_WEBHOOK_SECRETS = [made.secret]


@pytest.fixture
def webhooks(sandbox: Sandbox) -> Callable[[], int]:
    """Deliver what is due to our real endpoint; the number of deliveries."""
    client = Client()

    def post(url: str, headers: dict[str, str], body: bytes) -> int:
        response = client.generic("POST", "/webhooks/stripe", body, "application/json", headers=headers)
        return response.status_code

    return lambda: sandbox.deliver(post)


@pytest.fixture
def run_jobs() -> Callable[..., int]:
    """Do the queue's work in this process; see tests.draining.drain."""
    return drain


@pytest.fixture
def time_machine_at() -> Callable[..., Any]:
    """time_machine_at(minutes=11): a block in which the clock stands that much later."""
    return lambda **later: time_machine.travel(timezone.now() + timedelta(**later))


@pytest.fixture
def race() -> Callable[..., list[Any]]:
    """race(n, function): function(i) in n threads that start together; the results, exceptions among them."""
    return in_threads
