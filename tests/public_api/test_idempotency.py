"""The same request twice does its work once."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from public_api import idempotency
from public_api.models import IdempotentRequest
from registrations.models import Registration
from tests.factories.events import EventFactory
from tests.factories.people import UserFactory
from tests.public_api.calling import code, post, signed_in

BODY = {"email": "zoe@example.org", "name": "Zoë"}


@pytest.fixture
def path(db: None) -> str:
    return f"/events/{EventFactory().public_id}/registrations"


class TestKey:
    def test_is_required_and_the_refusal_says_what_to_send(self, client: Client, path: str) -> None:
        answer = post(client, path, BODY, key="")
        assert (answer.status_code, code(answer)) == (400, "IDEMPOTENCY_KEY_REQUIRED")
        assert not Registration.objects.exists()

    @pytest.mark.parametrize("key", ["two words", "ü", "k" * 256])
    def test_is_refused_where_it_is_no_key(self, client: Client, path: str, key: str) -> None:
        assert post(client, path, BODY, key=key).status_code == 400

    def test_replays_the_answer_and_takes_no_second_place(self, client: Client, path: str) -> None:
        first, second = post(client, path, BODY, key="k"), post(client, path, BODY, key="k")
        assert first.json() == second.json()
        assert first.status_code == second.status_code
        assert second["Idempotency-Replayed"] == "true"
        assert Registration.objects.count() == 1

    def test_refuses_another_body_and_another_event(self, client: Client, path: str) -> None:
        post(client, path, BODY, key="k")
        other_body = post(client, path, {**BODY, "name": "Zo"}, key="k")
        other_event = post(client, f"/events/{EventFactory().public_id}/registrations", BODY, key="k")
        for answer in (other_body, other_event):
            assert (answer.status_code, code(answer)) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert Registration.objects.count() == 1

    def test_belongs_to_one_person_or_one_address(self, client: Client, path: str) -> None:
        post(client, path, BODY, key="k")
        elsewhere = post(Client(REMOTE_ADDR="192.0.2.7"), path, {**BODY, "email": "b@example.org"}, key="k")
        signed = post(signed_in(UserFactory.create()), path, {}, key="k")
        assert (elsewhere.status_code, signed.status_code) == (201, 201)
        assert Registration.objects.count() == 3

    def test_keeps_nothing_of_a_refusal_so_that_it_can_be_tried_again(self, client: Client, path: str) -> None:
        assert post(client, path, {**BODY, "expected_total": 1}, key="k").status_code == 409
        assert not IdempotentRequest.objects.exists()
        assert post(client, path, BODY, key="k").status_code == 201

    def test_keeps_neither_the_guests_key_nor_name_nor_address_nor_a_page_to_pay_on(self, client: Client, path: str) -> None:
        answer = post(client, path, BODY, key="k").json()
        kept = str(IdempotentRequest.objects.get().answer)
        for secret in (answer["key"], BODY["email"], BODY["name"], "checkout_url"):
            assert secret not in kept

    def test_is_forgotten_after_a_day(self, client: Client, path: str) -> None:
        post(client, path, BODY, key="k")
        with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1), tick=False):
            again = post(client, path, {**BODY, "email": "later@example.org"}, key="k")
            assert (again.status_code, again.has_header("Idempotency-Replayed")) == (201, False)
        with time_machine.travel(timezone.now() + timedelta(hours=49), tick=False):
            idempotency.purge()
        assert not IdempotentRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.gap("5.3")
class TestInFlight:
    def test_is_refused_while_the_first_is_at_work(self, client: Client, race: Any) -> None:
        """The first one's lock is held by another connection, as it is while the operation runs."""
        path = f"/events/{EventFactory().public_id}/registrations"

        def hold_or_ask(number: int) -> Any:
            return post(Client(), path, BODY, key="k")

        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 7))", ["anonymous:127.0.0.1\nregister\nk"])
            answers = race(1, hold_or_ask)
            cursor.execute("SELECT pg_advisory_unlock_all()")
        assert (answers[0].status_code, code(answers[0])) == (409, "IDEMPOTENCY_IN_FLIGHT")
        assert post(client, path, BODY, key="k").status_code == 201

    def test_ten_at_once_take_one_place(self, race: Any) -> None:
        path = f"/events/{EventFactory().public_id}/registrations"
        answers = race(10, lambda number: post(Client(), path, BODY, key="k"))
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert {code(answer) for answer in answers if answer.status_code == 409} <= {"IDEMPOTENCY_IN_FLIGHT"}
        assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
        assert Registration.objects.count() == 1
