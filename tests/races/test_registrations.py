"""More people than seats, all at once, over HTTP against a real server: every seat is sold, none twice, and who is late is told so."""

import json
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from billing.models import Payment
from events.models import Event
from ledger import invariants
from registrations.models import Registration
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.processes import web
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("5.3"), pytest.mark.rule("M6")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]


def register(address: str, event: Event, *, email: str, key: str | None = None) -> tuple[int, dict[str, Any]]:
    """Status and body of one call of the API."""
    body = json.dumps({"name": "Somebody", "email": email}).encode()
    request = urllib.request.Request(f"{address}/api/v1/events/{event.public_id}/registrations", data=body)  # noqa: S310
    request.add_header("Content-Type", "application/json")
    request.add_header("Idempotency-Key", key or str(uuid.uuid4()))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  our own address
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


class TestLastSeats:
    @pytest.mark.parametrize("price", [0, 10_000], ids=["free", "paid"])
    def test_are_sold_once(self, sandbox: Sandbox, race: Race, price: int) -> None:
        with web() as address:
            for _ in range(SIZES.registration_rounds):
                event = flows.open_event(price=price, capacity=SIZES.seats)
                answers = race(SIZES.registrations, lambda number, event=event: register(address, event, email=f"p{number}@example.org"))

                statuses = Counter(status for status, _ in answers)
                assert set(statuses) <= {201, 202, 409}
                assert statuses[201] + statuses[202] == SIZES.seats
                assert {body["error"]["code"] for status, body in answers if status == 409} == {"EVENT_FULL"}
                event = Event.objects.get(pk=event.pk)
                assert event.seats_taken == event.capacity == Registration.objects.active().filter(event=event).count()
        assert Payment.objects.count() == (SIZES.seats * SIZES.registration_rounds if price else 0)
        assert not any(invariants.violations().values())

    def test_one_person_at_once_gets_one(self, sandbox: Sandbox, race: Race) -> None:
        event = flows.open_event(price=0, capacity=SIZES.seats)
        with web() as address:
            answers = race(SIZES.seats, lambda _number: register(address, event, email="same@example.org"))

        assert {status for status, _ in answers} == {201}  # who asks with a taken address learns nothing from the answer
        assert Registration.objects.filter(event=event).count() == 1
        assert Event.objects.get(pk=event.pk).seats_taken == 1

    def test_one_request_sent_twice_takes_one(self, sandbox: Sandbox, race: Race) -> None:
        event, key = flows.open_event(price=10_000), str(uuid.uuid4())
        with web() as address:
            answers = race(6, lambda _number: register(address, event, email="twice@example.org", key=key))

        done = {body["id"] for status, body in answers if status in (201, 202)}
        assert len(done) == 1
        assert {status for status, _ in answers} <= {201, 202, 409}
        assert Registration.objects.filter(event=event).count() == Payment.objects.count() == 1
