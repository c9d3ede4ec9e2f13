"""The public pages, as guest, attendee and stranger."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from billing import checkout
from billing.models import Payment
from events.models import Event
from registrations import guest_links
from registrations.models import Registration
from sandbox.stripe.server import Sandbox
from tests import flows

pytestmark = pytest.mark.django_db


def text(response) -> str:
    return response.content.decode()


def guest_of(event: Event) -> tuple[Registration, str]:
    done = flows.registered(event)
    return Registration.objects.get(pk=done.registration.pk), done.guest_key or ""


class TestListing:
    def test_shows_what_is_public_and_nothing_else(self, client: Client) -> None:
        shown, unlisted, past = flows.open_event(), flows.open_event(), flows.open_event()
        Event.objects.filter(pk=unlisted.pk).update(is_listed=False)
        Event.objects.filter(pk=past.pk).update(starts_at=timezone.now() - timedelta(days=2), ends_at=timezone.now() - timedelta(days=1))
        draft = flows.draft_event()

        page = text(client.get("/"))

        assert shown.title in page
        assert not any(each.title + "<" in page for each in (unlisted, past, draft))

    def test_finds_by_a_word_and_says_what_to_do_when_nothing_matches(self, client: Client) -> None:
        event = flows.open_event()
        assert event.title in text(client.get("/", {"search": event.title}))
        assert "Show all events" in text(client.get("/", {"search": "no such thing"}))

    def test_takes_the_same_number_of_queries_whatever_it_shows(self, client: Client, django_assert_max_num_queries) -> None:
        for _ in range(8):
            flows.open_event()
        with django_assert_max_num_queries(3):
            client.get("/")


class TestEventPage:
    def test_shows_price_terms_and_form(self, client: Client) -> None:
        page = text(client.get(f"/events/{flows.open_event().slug}"))
        assert "100.00 USD" in page
        assert "Refund of 100 %" in page
        assert 'name="email"' in page

    def test_of_a_draft_is_not_there(self, client: Client) -> None:
        assert client.get(f"/events/{flows.draft_event().slug}").status_code == 404

    def test_says_when_it_is_full(self, client: Client) -> None:
        event = flows.open_event(price=0, capacity=1)
        flows.registered(event)
        page = text(client.get(f"/events/{event.slug}"))
        assert "All places of this event are taken." in page
        assert 'name="email"' not in page

    def test_leads_a_buyer_to_stripe(self, client: Client, sandbox: Sandbox) -> None:
        event = flows.open_event()
        answer = client.post(f"/events/{event.slug}", {"name": "Zoë 🎓", "email": "zoe@example.org", "expected_total": "10000"})
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(sandbox.url)
        assert Registration.objects.get().name == "Zoë 🎓"

    def test_refuses_a_price_that_changed_and_takes_nothing(self, client: Client) -> None:
        event = flows.open_event()
        answer = client.post(f"/events/{event.slug}", {"name": "Zoë", "email": "zoe@example.org", "expected_total": "9000"})
        assert answer.status_code == 409
        assert "The price has changed to 100.00 USD" in text(answer)
        assert not Registration.objects.exists()

    def test_keeps_a_held_place_when_the_payment_page_does_not_open(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.control.fault("reset_before", path="/v1/checkout/sessions")
        event = flows.open_event()
        answer = client.post(f"/events/{event.slug}", {"name": "Zoë", "email": "zoe@example.org"})
        registration = Registration.objects.get()
        assert answer.headers["Location"].startswith(f"/registrations/{registration.public_id}?key=")
        assert "Pay 100.00 USD" in text(client.get(answer.headers["Location"]))

    def test_gives_a_taken_address_the_same_answer(self, client: Client, run_jobs: Callable[..., int]) -> None:
        event = flows.open_event(price=0)
        order = {"name": "Zoë", "email": "zoe@example.org"}
        first, second = client.post(f"/events/{event.slug}", order), Client().post(f"/events/{event.slug}", order)
        assert (first.status_code, first.headers["Location"]) == (second.status_code, second.headers["Location"])
        assert Registration.objects.count() == 1


class TestGuestsPage:
    def test_opens_by_its_key_and_by_nothing_else(self, client: Client) -> None:
        registration, key = guest_of(flows.open_event())
        other, _ = guest_of(flows.open_event())
        page = f"/registrations/{registration.public_id}"
        assert registration.email in text(client.get(page, {"key": key}))
        for wrong in ("", key[:-1] + "x", guest_links.manage_key(other.pk), "é" * 20):
            answer = client.get(page, {"key": wrong})
            assert answer.status_code == 404
            assert registration.email not in text(answer)

    def test_pays(self, client: Client, sandbox: Sandbox) -> None:
        registration, key = guest_of(flows.open_event())
        answer = client.post(f"/registrations/{registration.public_id}/pay", {"key": key})
        assert answer.headers["Location"].startswith(sandbox.url)

    def test_asks_before_it_cancels(self, client: Client) -> None:
        registration, key = guest_of(flows.open_event(price=0))
        page = f"/registrations/{registration.public_id}/cancel"
        assert "Cancel your place?" in text(client.get(page, {"key": key}))
        assert Registration.objects.get().state == Registration.State.PENDING

        client.post(page, {"key": key})

        assert Registration.objects.get().state == Registration.State.CANCELLED

    def test_says_what_goes_back_when_a_paid_place_is_cancelled(self, client: Client, sandbox: Sandbox) -> None:
        payment = flows.paid(sandbox)
        registration = Registration.objects.get(payment=payment)
        key = guest_links.manage_key(registration.pk)
        page = f"/registrations/{registration.public_id}/cancel"
        assert "100.00 USD goes back" in text(client.get(page, {"key": key}))

        client.post(page, {"key": key})
        flows.settle(sandbox)

        assert Payment.objects.get().state == Payment.State.REFUNDED

    def test_confirms_an_address_by_a_button_only(self, client: Client) -> None:
        registration, _ = guest_of(flows.open_event(price=0))
        page, key = f"/registrations/{registration.public_id}/confirm", guest_links.confirm_key(registration.pk)
        client.get(page, {"key": key})
        assert Registration.objects.get().state == Registration.State.PENDING
        assert client.post(page, {"key": "wrong"}).status_code == 404

        assert "You are registered" in text(client.post(page, {"key": key}))

        assert Registration.objects.get().state == Registration.State.CONFIRMED


@pytest.mark.rule("S21")
class TestReturnPage:
    def test_shows_nobody_who_paid(self, client: Client, sandbox: Sandbox) -> None:
        payment = flows.bought(sandbox)
        page = text(client.get(f"/payments/{payment.public_id}/return", {"session": "cs_test_forged"}))
        assert "You are registered" in page
        assert payment.email not in page
        assert payment.name not in page

    def test_believes_nothing_in_the_address(self, client: Client, sandbox: Sandbox) -> None:
        done = flows.registered(flows.open_event())
        checkout.open(payment_id=done.payment_id)
        payment = Payment.objects.get()
        page = client.get(
            f"/payments/{payment.public_id}/return", {"session": "cs_test_x", "status": "paid", "redirect_status": "succeeded"}
        )
        assert "is being processed" in text(page)
        assert Payment.objects.get().state == Payment.State.PENDING

    def test_tells_of_a_declined_card_and_of_coming_back_unpaid(self, client: Client, sandbox: Sandbox) -> None:
        done = flows.registered(flows.open_event())
        checkout.open(payment_id=done.payment_id)
        payment = Payment.objects.get()
        assert "Not paid yet" in text(client.get(f"/payments/{payment.public_id}/return", {"cancelled": "1"}))
        sandbox.control.pay(payment.checkout_sessions.get().stripe_session_id or "", card="4000000000000002")
        flows.settle(sandbox)
        assert "declined" in text(client.get(f"/payments/{payment.public_id}/return"))

    def test_of_money_that_came_too_late_says_that_it_goes_back(self, client: Client, sandbox: Sandbox) -> None:
        event = flows.open_event(capacity=1)
        done = flows.registered(event)
        checkout.open(payment_id=done.payment_id)
        payment = Payment.objects.get()
        flows.let_go(payment)
        flows.registered(event)
        sandbox.control.pay(payment.checkout_sessions.get().stripe_session_id or "")
        flows.settle(sandbox)
        assert "Your money goes back" in text(client.get(f"/payments/{payment.public_id}/return"))

    def test_waits_while_stripe_does_not_answer(self, client: Client, sandbox: Sandbox) -> None:
        payment = flows.bought(sandbox)
        sandbox.control.fault("rate_limit", path="/v1/checkout/sessions", method="GET")
        assert "is being processed" in text(client.get(f"/payments/{payment.public_id}/return"))

    @pytest.mark.parametrize("public_id", ["pay_x", "reg_00000000000000000000000000", "pay_00000000000000000000000000", "..%2f"])
    def test_of_an_unknown_payment_is_not_there(self, client: Client, public_id: str) -> None:
        assert client.get(f"/payments/{public_id}/return").status_code == 404


class TestMine:
    def test_needs_a_sign_in(self, client: Client) -> None:
        assert client.get("/registrations").headers["Location"].startswith("/accounts/login/")

    def test_shows_ones_own_places_only(self, client: Client) -> None:
        mine, _ = guest_of(flows.open_event(price=0))
        other, _ = guest_of(flows.open_event(price=0))
        user = flows.member(flows.organization())
        Registration.objects.filter(pk=mine.pk).update(user=user)
        client.force_login(user)
        page = text(client.get("/registrations"))
        assert mine.public_id in page
        assert other.public_id not in page
        assert client.get(f"/registrations/{other.public_id}").status_code == 404


class TestMailbox:
    def test_exists_in_the_demo_only(self, client: Client, settings, run_jobs: Callable[..., int]) -> None:
        registration, _ = guest_of(flows.open_event(price=0))
        run_jobs()
        assert client.get("/mailbox").status_code == 404
        settings.IS_DEMO = True
        page = text(client.get("/mailbox", {"to": registration.email}))
        assert registration.email in page
        letter = page.split('href="/mailbox/')[1].split('"')[0]
        assert "/confirm?key=" in text(client.get(f"/mailbox/{letter}"))


class TestWebhookAddress:
    def test_takes_posts_only_and_no_monsters(self, client: Client) -> None:
        assert client.get("/webhooks/stripe").status_code == 405
        assert client.generic("POST", "/webhooks/stripe", b"x" * (512 * 1024 + 1), "application/json").status_code == 413

    def test_of_connected_accounts_has_secrets_of_its_own(self, client: Client, settings) -> None:
        settings.STRIPE_WEBHOOK_SECRETS, settings.STRIPE_CONNECT_WEBHOOK_SECRETS = ["whsec_a"], []
        with time_machine.travel(timezone.now()):
            assert client.generic("POST", "/webhooks/stripe-connect", b"{}", "application/json").status_code == 400
