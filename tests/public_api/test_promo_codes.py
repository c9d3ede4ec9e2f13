"""Promo codes by the API: in the quote, with the registration, and not by guessing."""

from typing import Any

import pytest
from django.test import Client

from promo_codes.models import TryWindow
from promo_codes.purging import purge
from registrations.models import Registration
from sandbox.stripe.server import Sandbox
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import UserFactory
from tests.factories.promo_codes import now, promo_code
from tests.factories.registrations import paid_event
from tests.public_api.calling import code as error_code
from tests.public_api.calling import post, signed_in

pytestmark = pytest.mark.django_db
GUEST = {"name": "Zoë", "email": "zoe@example.org"}


def quote(client: Client, event: Any, text: str) -> Any:
    return post(client, f"/events/{event.public_id}/quote", {"promo_code": text}, key="")


class TestQuote:
    def test_shows_the_discount_as_a_line_and_reserves_nothing(self, client: Client) -> None:
        event = paid_event()
        code = promo_code(event.organization)
        body = quote(client, event, code.code.lower()).json()

        assert body["total"] == {"amount": 4000, "currency": "USD"}
        assert [(line["kind"], line["amount"]) for line in body["lines"]] == [("price", 5000), ("discount", -1000)]
        assert now(code).uses == 0

    def test_says_the_same_of_a_foreign_code_as_of_none(self, client: Client) -> None:
        event = paid_event()
        promo_code(OrganizationFactory.create(), code="THEIRS")
        answers = [quote(client, event, text) for text in ("THEIRS", "NO-SUCH")]

        assert [answer.status_code for answer in answers] == [422, 422]
        bodies = [{**answer.json()["error"], "request_id": ""} for answer in answers]
        assert bodies[0] == bodies[1]
        assert (bodies[0]["code"], bodies[0]["details"]) == ("PROMO_CODE_UNKNOWN", {"field": "promo_code"})

    def test_knows_who_is_signed_in(self, client: Client) -> None:
        event = paid_event()
        code = promo_code(event.organization, max_uses_per_person=1)
        assert error_code(quote(client, event, code.code)) == "PROMO_CODE_NEEDS_ACCOUNT"
        assert quote(signed_in(UserFactory.create()), event, code.code).json()["total"]["amount"] == 4000

    @pytest.mark.parametrize("text", ["\x00", "x" * 81])
    def test_refuses_what_no_code_can_hold(self, client: Client, text: str) -> None:
        assert quote(client, paid_event(), text).status_code == 422


class TestRegister:
    def test_takes_the_discount(self, client: Client, sandbox: Sandbox) -> None:
        event = paid_event()
        code = promo_code(event.organization)
        answer = post(client, f"/events/{event.public_id}/registrations", {**GUEST, "promo_code": code.code, "expected_total": 4000})

        assert answer.status_code in (201, 202)
        assert answer.json()["quote"]["total"]["amount"] == 4000
        assert now(code).uses == 1

    def test_needs_no_payment_where_all_is_taken_off(self, client: Client) -> None:
        event = paid_event()
        code = promo_code(event.organization, basis_points=10_000)
        person = signed_in(UserFactory.create())
        body = post(person, f"/events/{event.public_id}/registrations", {"promo_code": code.code}).json()
        assert (body["state"], body["needs"], body["checkout_url"]) == ("confirmed", "nothing", None)

    def test_refuses_and_takes_no_place(self, client: Client) -> None:
        event = paid_event()
        code = promo_code(event.organization, max_uses=1, minimum_amount=9000, currency="USD")
        answer = post(client, f"/events/{event.public_id}/registrations", {**GUEST, "promo_code": code.code})
        assert (answer.status_code, error_code(answer)) == (409, "PROMO_CODE_MINIMUM")
        assert "90.00 USD" in answer.json()["error"]["message"]
        assert not Registration.objects.exists()


@pytest.mark.gap("9.5")
class TestGuessing:
    def test_ends_after_so_many_tries_whichever_way(self, client: Client, sandbox: Sandbox, settings: Any) -> None:
        event = paid_event()
        settings.API_THROTTLE_SCALE = 0.1  # three tries a minute
        for number in range(2):
            assert error_code(quote(client, event, f"GUESS-{number}")) == "PROMO_CODE_UNKNOWN"
        register = f"/events/{event.public_id}/registrations"
        assert error_code(post(client, register, {**GUEST, "promo_code": "GUESS-3"})) == "PROMO_CODE_UNKNOWN"
        refused = post(client, register, {**GUEST, "promo_code": "GUESS-4"})
        assert (refused.status_code, error_code(refused)) == (429, "PROMO_CODE_TRIES")
        assert post(client, register, GUEST).status_code in (201, 202)

    def test_is_forgotten(self, client: Client) -> None:
        quote(client, paid_event(), "GUESS")
        TryWindow.objects.update(ends_at="2020-01-01T00:00Z")
        purge()
        assert not TryWindow.objects.exists()
