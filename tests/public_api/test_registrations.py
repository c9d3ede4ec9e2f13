"""Taking a place over the API, seeing it, paying it, giving it up, refunding it."""

from typing import Any

import pytest
from django.test import Client

from billing.gateway.selection import gateway
from billing.models import CheckoutSession, Payment, Refund
from core.public_ids import decode
from notifications.models import Message
from public_api.models import IdempotentRequest
from registrations.models import Registration
from sandbox.stripe.server import Sandbox
from tests.factories.events import EventFactory
from tests.factories.people import UserFactory, personas
from tests.factories.registrations import paid_event, pay, register
from tests.public_api.calling import code, get, post, signed_in

pytestmark = pytest.mark.django_db
ZOE = {"email": "zoe@example.org", "name": "Zoë 🦉 زوي"}


def row(answer: Any) -> Registration:
    return Registration.objects.get(pk=decode("reg", answer.json()["id"]))


class TestRegistering:
    def test_holds_a_paid_place_and_gives_the_page_to_pay_on(self, client: Client, sandbox: Sandbox) -> None:
        event = paid_event()
        answer = post(client, f"/events/{event.public_id}/registrations", {**ZOE, "expected_total": 5000})
        assert answer.status_code == 201
        body = answer.json()
        assert (body["state"], body["needs"], body["quote"]["total"]) == ("pending", "payment", {"amount": 5000, "currency": "USD"})
        assert body["checkout_url"].startswith(sandbox.url)
        assert row(answer).name == ZOE["name"]

    def test_waits_for_the_address_of_a_guest_where_the_place_is_free(self, client: Client) -> None:
        answer = post(client, f"/events/{EventFactory().public_id}/registrations", ZOE)
        assert (answer.status_code, answer.json()["needs"], answer.json()["checkout_url"]) == (201, "address", None)

    def test_confirms_a_free_place_of_somebody_signed_in_and_gives_no_key(self) -> None:
        answer = post(signed_in(UserFactory.create()), f"/events/{EventFactory().public_id}/registrations", {})
        assert (answer.status_code, answer.json()["state"], answer.json()["key"]) == (201, "confirmed", None)

    @pytest.mark.gap("9.8")
    def test_keeps_the_place_where_the_payment_page_does_not_open_and_opens_it_later(
        self, client: Client, sandbox: Sandbox, settings: Any
    ) -> None:
        event, url = paid_event(), sandbox.url
        settings.STRIPE_API_BASE = "http://127.0.0.1:9"
        from_nowhere = _forget_gateway(lambda: post(client, f"/events/{event.public_id}/registrations", ZOE))
        assert (from_nowhere.status_code, from_nowhere.json()["checkout_url"]) == (202, None)
        settings.STRIPE_API_BASE = url
        body = from_nowhere.json()
        later = _forget_gateway(lambda: post(client, f"/registrations/{body['id']}/checkout?key={body['key']}"))
        assert (later.status_code, later.json()["checkout_url"].startswith(url)) == (200, True)

    def test_refuses_a_full_event_and_takes_no_place(self, client: Client) -> None:
        event = EventFactory(capacity=1)
        register(event)
        answer = post(client, f"/events/{event.public_id}/registrations", ZOE)
        assert (answer.status_code, code(answer)) == (409, "EVENT_FULL")
        assert Registration.objects.count() == 1

    def test_refuses_a_total_that_is_not_the_one_shown_and_gives_the_right_one(self, client: Client) -> None:
        answer = post(client, f"/events/{paid_event().public_id}/registrations", {**ZOE, "expected_total": 4999})
        assert (answer.status_code, code(answer)) == (409, "PRICE_CHANGED")
        assert answer.json()["error"]["details"]["quote"]["total"]["amount"] == 5000

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"email": "zoe@example.org"}, "name"),
            ({"name": "Zoë"}, "email"),
            ({**ZOE, "email": "no address"}, "email"),
            ({**ZOE, "name": "n" * 1_000_000}, "name"),
            ({**ZOE, "name": 7}, "name"),
            ({**ZOE, "name": "nul\u0000"}, "name"),
            ({**ZOE, "name": "\ud800"}, "name"),
            ({**ZOE, "country": "Germany"}, "country"),
            ({**ZOE, "expected_total": "5000 USD"}, "expected_total"),
            ({**ZOE, "expected_total": 10**30}, "expected_total"),
            ({**ZOE, "state": "confirmed"}, "state"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refuses_a_bad_value_by_the_name_of_its_field_and_writes_nothing(
        self, client: Client, body: dict[str, Any], field: str
    ) -> None:
        answer = post(client, f"/events/{EventFactory().public_id}/registrations", body)
        assert (answer.status_code, code(answer)) == (422, "VALIDATION_ERROR")
        details = answer.json()["error"]["details"]
        assert field in (details.get("field"), *(one["field"] for one in details.get("fields", [])))
        assert len(answer.content) < 1000
        assert not Registration.objects.exists()
        assert not IdempotentRequest.objects.exists()

    @pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"nonsense", b'{"a": 1'])
    def test_refuses_what_is_not_json(self, client: Client, body: bytes) -> None:
        answer = post(client, f"/events/{EventFactory().public_id}/registrations", body)
        assert (answer.status_code, code(answer)) == (400, "BROKEN_JSON")

    @pytest.mark.parametrize("named", ["evt_1", "reg_01m839vw98et780n0qqqctcsma", "evt_01m839vw98et780n0qqqctcsma"])
    def test_does_not_find_an_unknown_or_malformed_event(self, client: Client, named: str) -> None:
        assert post(client, f"/events/{named}/registrations", ZOE).status_code == 404

    @pytest.mark.rule("S18")
    def test_answers_a_guests_second_attempt_like_the_first_and_only_the_mail_tells(self, client: Client, run_jobs: Any) -> None:
        path = f"/events/{EventFactory().public_id}/registrations"
        first, second = post(client, path, ZOE), post(client, path, ZOE)
        run_jobs()
        assert (first.status_code, set(first.json())) == (second.status_code, set(second.json()))
        assert first.json()["needs"] == second.json()["needs"]
        assert Registration.objects.count() == 1
        assert {mail.to for mail in Message.objects.all()} == {ZOE["email"]}


def _forget_gateway(then: Any) -> Any:
    """With the gateway made anew, since Stripe's address was changed on the way."""
    gateway.cache_clear()
    return then()


class TestGuestLink:
    def test_opens_the_one_registration_it_is_for(self, client: Client) -> None:
        mine, other = register(paid_event()), register(paid_event())
        shown = get(client, f"/registrations/{mine.registration.public_id}?key={mine.guest_key}")
        assert (shown.status_code, shown.json()["payment"]["due"]) == (200, {"amount": 5000, "currency": "USD"})
        assert get(client, f"/registrations/{other.registration.public_id}?key={mine.guest_key}").status_code == 404

    @pytest.mark.parametrize("key", ["", "wrong", "x" * 101])
    def test_opens_nothing_with_a_wrong_key(self, client: Client, key: str) -> None:
        mine = register(paid_event()).registration
        assert get(client, f"/registrations/{mine.public_id}?key={key}").status_code in (404, 422)
        assert post(client, f"/registrations/{mine.public_id}/cancel?key={key}").status_code in (404, 422)
        assert Registration.objects.get().state == "pending"

    def test_is_needed_by_somebody_who_is_not_signed_in(self, client: Client) -> None:
        mine = register(paid_event()).registration
        assert get(client, f"/registrations/{mine.public_id}").status_code == 404

    def test_gives_a_free_place_up(self, client: Client) -> None:
        mine = register(EventFactory())
        answer = post(client, f"/registrations/{mine.registration.public_id}/cancel?key={mine.guest_key}")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")

    def test_cannot_pay_what_is_free(self, client: Client) -> None:
        mine = register(EventFactory())
        answer = post(client, f"/registrations/{mine.registration.public_id}/checkout?key={mine.guest_key}")
        assert (answer.status_code, code(answer)) == (409, "NOTHING_TO_PAY")

    @pytest.mark.rule("M4")
    def test_opens_the_same_page_to_pay_again_and_again(self, client: Client, sandbox: Sandbox) -> None:
        mine = register(paid_event())
        path = f"/registrations/{mine.registration.public_id}/checkout?key={mine.guest_key}"
        assert post(client, path).json() == post(client, path).json()
        assert CheckoutSession.objects.count() == 1

    def test_gives_a_paid_place_up_and_asks_for_the_refund_that_the_terms_give(self, client: Client) -> None:
        mine = register(paid_event())
        pay(mine.registration)
        path = f"/registrations/{mine.registration.public_id}"
        assert get(client, f"{path}?key={mine.guest_key}").json()["refund_if_cancelled"] == {"amount": 5000, "currency": "USD"}
        answer = post(client, f"{path}/cancel?key={mine.guest_key}").json()
        assert (answer["state"], [refund["amount"]["amount"] for refund in answer["payment"]["refunds"]]) == ("cancelled", [5000])


@pytest.mark.gap("1.3")
class TestRefund:
    @pytest.fixture
    def place(self) -> Registration:
        self.people = personas()
        self.event = paid_event(organization=self.people.organization, host=self.people.alice)
        return pay(register(self.event).registration)

    @pytest.fixture(autouse=True)
    def _no_second_factor(self, settings: Any) -> None:
        settings.SECOND_FACTOR_REQUIRED = False

    def test_is_recorded_for_the_organizer_and_confirmed_later(self, place: Registration) -> None:
        answer = post(signed_in(self.people.alice), f"/registrations/{place.public_id}/refund", {"amount": 1200, "currency": "USD"})
        assert answer.status_code == 202
        assert answer.json()["amount"] == {"amount": 1200, "currency": "USD"}
        assert Refund.objects.get().source == "api"

    def test_is_the_same_refund_the_second_time_and_moves_no_more_money(self, place: Registration) -> None:
        client, path = signed_in(self.people.alice), f"/registrations/{place.public_id}/refund"
        first, second = (post(client, path, {"amount": 1200}, key="once") for _ in range(2))
        assert first.json() == second.json()
        assert (first.has_header("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (False, "true")
        assert Refund.objects.count() == 1

    @pytest.mark.parametrize(
        ("body", "status", "expected"),
        [
            ({"amount": 5001}, 409, "REFUND_EXCEEDS_BALANCE"),
            ({"amount": 0}, 422, "VALIDATION_ERROR"),
            ({"amount": -5}, 422, "VALIDATION_ERROR"),
            ({"amount": 12.5}, 422, "VALIDATION_ERROR"),
            ({"amount": 100, "currency": "EUR"}, 422, "WRONG_CURRENCY"),
            ({"amount": 100, "reason": "because"}, 422, "VALIDATION_ERROR"),
            ({"amount": 100, "payment": "pay_1"}, 422, "VALIDATION_ERROR"),
        ],
    )
    def test_refuses_by_code_and_asks_for_nothing(self, place: Registration, body: Any, status: int, expected: str) -> None:
        answer = post(signed_in(self.people.alice), f"/registrations/{place.public_id}/refund", body)
        assert (answer.status_code, code(answer)) == (status, expected)
        assert not Refund.objects.exists()

    def test_refuses_what_was_not_paid(self, place: Registration) -> None:
        unpaid = register(self.event).registration
        answer = post(signed_in(self.people.alice), f"/registrations/{unpaid.public_id}/refund", {})
        assert (answer.status_code, code(answer)) == (409, "NOTHING_TO_REFUND")

    @pytest.mark.gap("4.2")
    def test_does_not_find_the_place_for_an_outsider_and_needs_somebody_signed_in(self, place: Registration, client: Client) -> None:
        path = f"/registrations/{place.public_id}/refund"
        assert post(signed_in(self.people.charlie), path, {}).status_code == 404
        assert post(client, path, {}).status_code == 401
        assert not Refund.objects.exists()

    def test_refuses_the_attendee_who_may_cancel_but_not_refund(self, place: Registration) -> None:
        user = UserFactory.create()
        own = pay(register(self.event, user).registration)
        answer = post(signed_in(user), f"/registrations/{own.public_id}/refund", {"amount": 100})
        assert (answer.status_code, code(answer)) == (403, "PERMISSION_REFUSED")

    def test_needs_a_fresh_second_factor(self, place: Registration, settings: Any) -> None:
        settings.SECOND_FACTOR_REQUIRED = True
        answer = post(signed_in(self.people.alice), f"/registrations/{place.public_id}/refund", {"amount": 100})
        assert (answer.status_code, code(answer)) == (403, "SECOND_FACTOR_REQUIRED")
        assert Payment.objects.get(pk=place.payment_id).refunds.count() == 0
