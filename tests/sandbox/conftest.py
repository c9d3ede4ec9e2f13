"""The sandbox, the real SDK pointed at it, and Stripe's published description watching both."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.contract.stripe.recording import Recorder


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    watching = Recorder(tolerant=True)
    yield watching
    problems = watching.problems()
    assert not problems, "\n".join(problems)


@pytest.fixture
def sandbox(recorder: Recorder) -> Iterator[Sandbox]:
    with Sandbox(observer=recorder.exchange, webhook_observer=recorder.webhook) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox.url)


def client_of(url: str, *, retries: int = 0, timeout: float = 15.0) -> stripe.StripeClient:
    return stripe.StripeClient(
        "sk_test_1234", base_addresses={"api": url}, max_network_retries=retries, http_client=stripe.RequestsClient(timeout=timeout)
    )


@dataclass
class Endpoint:
    """A webhook endpoint on a real socket: what it received, what it answers."""

    url: str = ""
    secret: str = ""
    answers: list[int] = field(default_factory=list)  # statuses of the next answers, 200 afterwards
    received: list[tuple[str, bytes]] = field(default_factory=list)  # Stripe-Signature header, raw body

    def events(self) -> list[stripe.Event]:
        """The events, each proven genuine."""
        return [stripe.Webhook.construct_event(body, signature, self.secret) for signature, body in self.received]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]


@pytest.fixture
def endpoint(client: stripe.StripeClient) -> Iterator[Endpoint]:
    """An endpoint that is registered for every event."""
    served = Endpoint()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            served.received.append((self.headers["Stripe-Signature"], body))
            self.send_response(served.answers.pop(0) if served.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_address[1]}/webhooks"
        created = client.v1.webhook_endpoints.create({"url": served.url, "enabled_events": ["*"]})
        served.secret = str(created.secret)
        yield served
        server.shutdown()
        thread.join()
