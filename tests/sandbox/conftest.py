"""The sandbox, and the real SDK pointed at it."""

from collections.abc import Iterator

import pytest
import stripe

from sandbox.stripe.server import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox.url)


def client_of(url: str, *, retries: int = 0) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_1234", base_addresses={"api": url}, max_network_retries=retries)
