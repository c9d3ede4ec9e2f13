"""A promo code on an event's page, without scripts."""

from typing import Any

import pytest
from django.test import Client

from audit.actor import Actor
from registrations import registering
from registrations.models import Registration
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.factories.promo_codes import now, promo_code, state_of

pytestmark = pytest.mark.django_db
PERSON = {"name": "Zoë", "email": "zoe@example.org"}


@pytest.fixture(autouse=True)
def _many_tries(settings: Any) -> None:
    settings.API_THROTTLE_SCALE = 1000.0


def text(response: Any) -> str:
    return str(response.content.decode())


class TestApply:
    def test_shows_the_price_with_it_and_keeps_what_was_typed(self, client: Client) -> None:
        event = flows.open_event()
        code = promo_code(event.organization)
        page = text(client.post(f"/events/{event.slug}", {**PERSON, "promo_code": code.code.lower(), "apply": "1"}))

        assert "80.00 USD" in page
        assert "-20.00 USD" in page
        assert 'name="expected_total" value="8000"' in page
        assert 'value="zoe@example.org"' in page
        assert f"{code.code} is applied: 20 % off." in page
        assert (now(code).uses, Registration.objects.count()) == (0, 0)

    def test_says_why_not_and_shows_the_list_price(self, client: Client) -> None:
        event = flows.open_event()
        answer = client.post(f"/events/{event.slug}", {**PERSON, "promo_code": "NO-SUCH", "apply": "1"})
        assert answer.status_code == 409
        assert "There is no such promo code" in text(answer)
        assert 'name="expected_total" value="10000"' in text(answer)

    def test_says_why_not_where_a_card_could_not_pay_what_is_left(self, client: Client) -> None:
        event = flows.open_event()
        code = promo_code(event.organization, amount=9960)
        page = text(client.post(f"/events/{event.slug}", {**PERSON, "promo_code": code.code, "apply": "1"}))
        assert "card payments start at 0.50 USD" in page
        assert 'name="expected_total" value="10000"' in page

    def test_ends_after_so_many_tries(self, client: Client, settings: Any) -> None:
        event = flows.open_event()
        settings.API_THROTTLE_SCALE = 0.1
        answers = [client.post(f"/events/{event.slug}", {"promo_code": f"G{n}", **kind}) for n, kind in enumerate(({"apply": "1"}, {}) * 2)]
        assert [answer.status_code for answer in answers][-1] == 429
        assert "wait a minute" in text(answers[-1])

    def test_is_not_offered_where_nothing_is_to_be_paid(self, client: Client) -> None:
        event = flows.open_event(price=0)
        assert "promo_code" not in text(client.get(f"/events/{event.slug}"))
        assert client.post(f"/events/{event.slug}", {**PERSON, "promo_code": "WHATEVER"}).status_code == 302


class TestRegister:
    def test_pays_the_price_that_was_shown(self, client: Client, sandbox: Sandbox) -> None:
        event = flows.open_event()
        code = promo_code(event.organization)
        answer = client.post(f"/events/{event.slug}", {**PERSON, "promo_code": code.code, "expected_total": "8000"})

        assert answer.headers["Location"].startswith(sandbox.url)
        place = Registration.objects.get()
        assert (place.payment.amount, state_of(place)) == (8000, "reserved")

    def test_shows_the_new_price_to_whoever_did_not_apply_first(self, client: Client) -> None:
        event = flows.open_event()
        code = promo_code(event.organization)
        answer = client.post(f"/events/{event.slug}", {**PERSON, "promo_code": code.code, "expected_total": "10000"})

        assert answer.status_code == 409
        assert "The price has changed to 80.00 USD" in text(answer)
        assert 'name="expected_total" value="8000"' in text(answer)
        assert not Registration.objects.exists()

    def test_goes_nowhere_near_stripe_where_all_is_taken_off(self, client: Client) -> None:
        event = flows.open_event()
        code = promo_code(event.organization, basis_points=10_000)
        sent = {**PERSON, "promo_code": code.code, "expected_total": "0"}
        assert "Continue to payment" not in text(client.post(f"/events/{event.slug}", {**sent, "apply": "1"}))
        answer = client.post(f"/events/{event.slug}", sent)
        assert answer.headers["Location"].endswith("/check-mail")
        assert Registration.objects.get().payment_id is None

    def test_says_at_the_field_why_not(self, client: Client) -> None:
        event = flows.open_event()
        code = promo_code(event.organization, max_uses=1)
        registering.register(event_id=event.pk, by=Actor.anonymous(), email="a@example.org", name="A", promo_code=code.code)
        answer = client.post(f"/events/{event.slug}", {**PERSON, "promo_code": code.code, "expected_total": "8000"})
        assert answer.status_code == 409
        assert "used as often as it may be" in text(answer)
        assert Registration.objects.count() == 1
