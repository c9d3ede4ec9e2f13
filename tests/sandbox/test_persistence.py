"""What was answered survives kill -9 and a restart; SIGTERM stops cleanly. The sandbox runs as its own process, as in the demo."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stripe

from sandbox.stripe import __main__ as command
from sandbox.stripe.control import Control
from tests.contract.stripe.recording import Recorder
from tests.sandbox.conftest import Endpoint, client_of
from tests.sandbox.paying import balance, paid_intent
from tests.sandbox.waiting import wait_until

SOURCE_ROOT = Path(command.__file__).parents[2]
type Start = Callable[[], tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start(tmp_path: Path, recorder: Recorder) -> Iterator[Start]:
    """Starts a sandbox on the test's state file; gives the process and its URL."""
    record = tmp_path / "calls.jsonl"
    running: list[subprocess.Popen[str]] = []

    def begin() -> tuple[subprocess.Popen[str], str]:
        arguments = [
            sys.executable,
            "-m",
            "sandbox.stripe",
            "--port",
            "0",
            "--state",
            str(tmp_path / "stripe.sqlite3"),
            "--record",
            str(record),
        ]
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": str(SOURCE_ROOT)}
        )
        running.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().split()[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    recorder.read(record)
    assert recorder.calls


class TestKill:
    def test_loses_nothing_that_was_answered(self, start: Start) -> None:
        process, url = start()
        client = client_of(url)
        intent = paid_intent(client)
        refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000}, {"idempotency_key": "r1"})
        process.send_signal(signal.SIGKILL)
        process.wait()

        client = client_of(start()[1])

        assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
        assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000}, {"idempotency_key": "r1"}).id == refund.id
        assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 1000
        assert client.v1.customers.create({}).id not in (intent.id, refund.id)

    def test_keeps_the_clock_and_what_is_still_to_come(self, start: Start) -> None:
        process, url = start()
        Control(url).settings(balance_transaction_delay=1000)
        Control(url).advance(86_400)
        client = client_of(url)
        paid_intent(client)
        process.kill()
        process.wait()

        _, url = start()
        assert balance(client_of(url)) == 0
        Control(url).advance(1001)

        assert balance(client_of(url)) == 4825

    def test_delivers_afterwards_what_was_not_delivered(self, start: Start, endpoint: Endpoint) -> None:
        process, url = start()
        client = client_of(url)
        secret = client.v1.webhook_endpoints.create({"url": endpoint.url, "enabled_events": ["*"]}).secret
        endpoint.secret = str(secret)
        endpoint.answers = [503] * 3
        client.v1.payment_intents.create({"amount": 5000, "currency": "usd"})
        Control(url).flush()
        process.kill()
        process.wait()
        endpoint.answers = []
        refused = len(endpoint.received)

        _, url = start()
        wait_until(lambda: len(endpoint.received) > refused)
        Control(url).flush()

        assert set(endpoint.types()) == {"payment_intent.created"}
        assert client_of(url).v1.events.list().data[0].pending_webhooks == 0


class TestTerminate:
    def test_stops_cleanly_and_keeps_everything(self, start: Start) -> None:
        process, url = start()
        customer = client_of(url).v1.customers.create({})

        process.terminate()

        assert process.wait(timeout=5) == 0
        assert client_of(start()[1]).v1.customers.retrieve(customer.id).id == customer.id


class TestLiveKeys:
    def test_are_refused(self, start: Start) -> None:
        client = stripe.StripeClient("sk_live_1234", base_addresses={"api": start()[1]})

        with pytest.raises(stripe.AuthenticationError):
            client.v1.balance.retrieve()
