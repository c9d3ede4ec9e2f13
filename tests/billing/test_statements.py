"""How many statements the hot paths of money send; one more is a decision, not an accident. BEGIN, COMMIT and savepoints left out."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from billing.models import InboundEvent
from billing.webhooks import processing, receiving
from ledger import posting
from ledger.chart import PLATFORM_FEES, STRIPE_BALANCE
from ledger.posting import Entry
from sandbox.stripe.server import Sandbox
from tests import flows

pytestmark = [pytest.mark.django_db, pytest.mark.rule("M4")]


def statements(work: Callable[[], object]) -> list[str]:
    """What the work sends to PostgreSQL; transaction control is sent another way and not counted."""
    sent: list[str] = []

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            sent.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        work()
    return sent


def delivered(sandbox: Sandbox) -> list[tuple[bytes, str]]:
    """The bodies and signatures of the webhooks that are due."""
    found: list[tuple[bytes, str]] = []

    def post(_url: str, headers: dict[str, str], body: bytes) -> int:
        found.append((body, {name.lower(): value for name, value in headers.items()}["stripe-signature"]))
        return 200

    sandbox.deliver(post)
    return found


class TestStatements:
    def test_of_a_posting(self) -> None:
        entries = [Entry(STRIPE_BALANCE, 7), Entry(PLATFORM_FEES, -7)]
        sent = statements(lambda: posting.post(reference="x", description="", currency="USD", entries=entries, occurred_at=timezone.now()))
        assert len(sent) == 3, sent

    def test_of_a_webhook_that_comes_in_and_of_its_repetition(self, sandbox: Sandbox) -> None:
        flows.bought(sandbox)
        body, signature = delivered(sandbox)[0]

        def receive() -> None:
            receiving.receive(endpoint="platform", body=body, signature=signature)

        assert len(statements(receive)) == 2  # the event, its message
        assert len(statements(receive)) == 1
        assert InboundEvent.objects.get().repeats == 1

    def test_of_a_payment_that_is_applied(self, sandbox: Sandbox) -> None:
        flows.bought(sandbox)
        for body, signature in delivered(sandbox):
            receiving.receive(endpoint="platform", body=body, signature=signature)
        event = InboundEvent.objects.get(type="payment_intent.succeeded")
        sent = statements(lambda: processing.process(str(event.pk)))
        assert InboundEvent.objects.get(pk=event.pk).state == "processed"
        assert len(sent) <= 21, "\n".join(sent)
