"""A button is an operation: offered where it can be done, done once, refused in a sentence."""

import re
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connections
from django.test import Client
from django.urls import reverse

from admin_ext.console import tokens
from audit.models import AuditEntry
from billing.models import InboundEvent, Payment, Refund
from core.models import Job
from events.models import Event
from ledger import balances
from registrations.models import Registration
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting, sign_in
from tests.factories.accounts import usable_account

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def page(row: Any, site: str = "staff") -> str:
    return f"/{site}/{row._meta.app_label}/{row._meta.model_name}/{row.public_id}/"


def opened(client: Client, row: Any, name: str, site: str = "staff") -> str:
    """The token of the dialog, as it was opened."""
    answer = client.get(f"{page(row, site)}{name}/", headers=HTMX)
    assert answer.status_code == 200
    found = re.search(r'name="token" value="([^"]+)"', answer.content.decode())
    assert found
    return found[1]


def press(client: Client, row: Any, name: str, site: str = "staff", token: str | None = None, **values: Any) -> Any:
    token = token or opened(client, row, name, site)
    return client.post(f"{page(row, site)}{name}/", {"token": token, **values}, headers=HTMX)


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


class TestOffer:
    def test_shows_what_can_be_done_and_hides_the_rest(self, people: People) -> None:
        finance = sign_in(people.finance)
        waiting = making.waiting_refund(people.north, by=acting(people.francis))
        moving = making.refund(making.payment(people.north), by=acting(people.francis))

        assert "Approve…" in finance.get(f"{page(waiting)}change/").content.decode()
        assert "Approve…" not in finance.get(f"{page(moving)}change/").content.decode()

    def test_is_none_for_who_lacks_the_permission(self, people: People) -> None:
        payment = making.payment(people.north)

        assert "Refund…" in sign_in(people.finance).get(f"{page(payment)}change/").content.decode()
        assert "Refund…" not in sign_in(people.support).get(f"{page(payment)}change/").content.decode()

    def test_is_none_on_a_payment_that_is_unpaid_or_refunded(self, people: People) -> None:
        finance = sign_in(people.finance)
        unpaid, gone = making.payment(people.north, paid=False), making.payment(people.north)
        making.refund(gone, amount=5000, by=acting(people.francis))

        for payment in (unpaid, gone):
            assert "Refund…" not in finance.get(f"{page(payment)}change/").content.decode()


class TestDialog:
    def test_changes_nothing_on_get(self, people: People) -> None:
        payment = making.payment(people.north)
        shown = sign_in(people.finance).get(f"{page(payment)}refund/?amount=10&reason=other&token=abc", headers=HTMX).content.decode()

        assert "50.00 USD" in shown
        assert "csrfmiddlewaretoken" in shown
        assert not Refund.objects.exists()

    def test_works_as_a_page_of_its_own_without_scripts(self, people: People) -> None:
        payment = making.payment(people.north)
        finance = sign_in(people.finance)
        answer = finance.get(f"{page(payment)}refund/")
        assert answer.status_code == 200
        assert "<html" in answer.content.decode()

        token = opened(finance, payment, "refund")
        answer = finance.post(f"{page(payment)}refund/", {"token": token, "amount": "10", "reason": "other"})
        assert answer.headers["Location"] == f"{page(payment)}change/"
        assert Refund.objects.get().amount == 1000

    def test_needs_the_forms_own_secret(self, people: People) -> None:
        payment = making.payment(people.north)
        client = Client(enforce_csrf_checks=True)
        client.cookies = sign_in(people.finance).cookies
        answer = client.post(f"{page(payment)}refund/", {"token": "t", "amount": "10", "reason": "other"})

        assert answer.status_code == 403
        assert not Refund.objects.exists()

    def test_says_on_a_stale_page_why_it_cannot_be_done_any_more(self, people: People) -> None:
        moving = making.refund(making.payment(people.north), by=acting(people.francis))
        answer = sign_in(people.finance).get(f"{page(moving)}approve/", headers=HTMX)

        assert "does not wait for approval any more" in answer.content.decode()
        assert 'type="submit"' not in answer.content.decode()

    def test_shows_what_the_typed_amount_takes_from_whom(self, people: People) -> None:
        payment = making.payment(people.north)
        finance = sign_in(people.finance)
        url = f"{page(payment)}refund-preview/"

        assert "12.50 USD" in finance.post(url, {"amount": "12.50", "reason": "other"}).content.decode()
        assert finance.post(url, {"amount": "x", "reason": "other"}).content.decode().strip() == ""
        assert finance.get(url).status_code == 405
        assert not Refund.objects.exists()


class TestRefund:
    def test_takes_an_amount_as_people_write_it(self, people: People) -> None:
        payment = making.payment(people.north)
        answer = press(sign_in(people.finance), payment, "refund", amount="12.50", reason="duplicate", note="by phone", releases_place="on")

        made = Refund.objects.get()
        assert answer.headers["HX-Redirect"] == f"{page(payment)}change/"
        assert (made.amount, made.reason, made.note, made.source) == (1250, "duplicate", "by phone", "console")
        assert made.releases_place
        assert made.requested_by_id == people.finance.pk
        assert "Stripe confirms it shortly" in told(answer)
        assert "uccessfully" not in told(answer)
        assert set(balances.totals().values()) == {0}

    def test_left_empty_takes_what_the_terms_give(self, people: People) -> None:
        payment = making.payment(people.north)
        press(sign_in(people.finance), payment, "refund", amount="", reason="other")

        assert Refund.objects.get().amount == 5000

    @pytest.mark.parametrize(
        ("amount", "why"),
        [
            ("50.01", "Only 50.00 USD"),
            ("0", "above zero"),
            ("-5", "above zero"),
            ("12.345", "number that USD has"),
            ("zwölf", "number that USD has"),
            ("NaN", "number that USD has"),
            ("1e999999999", "number that USD has"),
            ("🙂", "number that USD has"),
        ],
    )
    def test_refuses_a_wrong_amount_beside_its_field_and_keeps_what_was_typed(self, people: People, amount: str, why: str) -> None:
        payment = making.payment(people.north)
        answer = press(sign_in(people.finance), payment, "refund", amount=amount, reason="other", note="keep me")

        assert answer.status_code == 200
        assert why in answer.content.decode()
        assert "keep me" in answer.content.decode()
        assert not Refund.objects.exists()

    @pytest.mark.parametrize(("currency", "typed", "amount"), [("JPY", "1200", 1200), ("KWD", "1.250", 1250), ("EUR", "1,000.50", 100050)])
    def test_knows_the_digits_of_each_currency(self, people: People, currency: str, typed: str, amount: int) -> None:
        payment = making.payment(people.north, amount=200_000, currency=currency)
        press(sign_in(people.finance), payment, "refund", amount=typed, reason="other")

        assert Refund.objects.get().amount == amount

    def test_of_a_double_click_is_one(self, people: People) -> None:
        payment = making.payment(people.north)
        finance = sign_in(people.finance)
        token = opened(finance, payment, "refund")
        for _ in range(2):
            answer = press(finance, payment, "refund", token=token, amount="10", reason="other")

        assert Refund.objects.count() == 1
        assert "nothing was done a second time" in told(answer)

    def test_twice_on_purpose_is_two(self, people: People) -> None:
        payment = making.payment(people.north)
        finance = sign_in(people.finance)
        for _ in range(2):
            press(finance, payment, "refund", amount="10", reason="other")

        assert Refund.objects.count() == 2

    @pytest.mark.parametrize("token", ["", "x" * 500])
    def test_without_a_token_of_ours_does_nothing(self, people: People, token: str) -> None:
        payment = making.payment(people.north)
        finance = sign_in(people.finance)
        finance.post(f"{page(payment)}refund/", {"token": token, "amount": "10", "reason": "other"}, headers=HTMX)

        assert not Refund.objects.exists()

    def test_of_a_foreign_payment_is_absent(self, people: People) -> None:
        theirs = making.payment(people.rival)
        alice = sign_in(people.alice)

        assert alice.get(f"{page(theirs, 'console')}refund/", headers=HTMX).status_code == 404
        assert alice.post(f"{page(theirs, 'console')}refund/", {"token": "t" * 20, "amount": "1", "reason": "other"}).status_code == 404
        assert not Refund.objects.exists()

    def test_by_an_organizer_above_the_limit_waits_for_the_platform(self, people: People) -> None:
        payment = making.payment(people.north, amount=60_000)
        press(sign_in(people.alice), payment, "refund", site="console", amount="600", reason="other")

        assert Refund.objects.get().state == "awaiting_approval"


class TestStepUp:
    def test_sends_money_actions_to_the_second_factor_and_back(self, people: People) -> None:
        payment = making.payment(people.north)
        late = sign_in(people.finance, factor_age=700)
        answer = late.get(f"{page(payment)}refund/", headers=HTMX)
        target = answer.headers["HX-Redirect"]

        assert target.startswith(reverse("mfa_reauthenticate"))
        assert payment.public_id in target

    def test_holds_on_post_too(self, people: People) -> None:
        payment = making.payment(people.north)
        late = sign_in(people.finance, factor_age=700)
        answer = late.post(f"{page(payment)}refund/", {"token": "t" * 20, "amount": "10", "reason": "other"}, headers=HTMX)

        assert reverse("mfa_reauthenticate") in answer.headers["HX-Redirect"]
        assert not Refund.objects.exists()

    def test_is_not_asked_for_what_moves_no_money(self, people: People) -> None:
        event = making.inbound_event(dead=True)
        press(sign_in(people.support, factor_age=700), event, "replay")

        assert InboundEvent.objects.get(pk=event.pk).state == "received"


class TestApproval:
    def test_is_for_a_second_person(self, people: People) -> None:
        waiting = making.waiting_refund(people.north, by=acting(people.finance))
        refused = press(sign_in(people.finance), waiting, "approve")
        assert "another person has to approve it" in told(refused)
        assert Refund.objects.get().state == "awaiting_approval"

        press(sign_in(people.francis), waiting, "approve")
        assert Refund.objects.get().approved_by_id == people.francis.pk

    def test_rejects_with_a_reason(self, people: People) -> None:
        waiting = making.waiting_refund(people.north, by=acting(people.finance))
        francis = sign_in(people.francis)
        press(francis, waiting, "reject", why="")
        assert Refund.objects.get().state == "awaiting_approval"

        press(francis, waiting, "reject", why="Wrong person")
        assert (Refund.objects.get().state, Refund.objects.get().failure_reason) == ("cancelled", "Wrong person")

    def test_on_a_page_that_is_stale_says_so_and_changes_nothing(self, people: People) -> None:
        waiting = making.waiting_refund(people.north, by=acting(people.finance))
        francis = sign_in(people.francis)
        token = opened(francis, waiting, "approve")
        press(francis, waiting, "reject", why="no")
        answer = press(francis, waiting, "approve", token=token)

        assert "does not wait for approval any more" in told(answer)
        assert Refund.objects.get().state == "cancelled"


class TestOtherButtons:
    def test_publish_shows_the_checklist_before_anybody_tries(self, people: People) -> None:
        event = making.event(people.north, people.alice, published=False)
        shown = sign_in(people.alice).get(f"{page(event, 'console')}publish/", headers=HTMX).content.decode()

        assert "Give the link where people join online." in shown
        assert 'type="submit"' not in shown

    def test_publish_and_unpublish(self, people: People) -> None:
        usable_account(people.north)
        event = making.event(people.north, people.alice, published=False, online_url="https://meet.example.org/a")
        alice = sign_in(people.alice)
        press(alice, event, "publish", site="console")
        assert Event.objects.get(pk=event.pk).state == "published"

        press(alice, event, "unpublish", site="console")
        assert Event.objects.get(pk=event.pk).state == "draft"

    def test_add_session_takes_times_of_the_events_own_zone(self, people: People) -> None:
        start = datetime(2027, 3, 3, tzinfo=UTC)
        event = making.event(people.north, people.alice, published=False, time_zone="Asia/Tokyo", starts_at=start)
        press(
            sign_in(people.alice),
            event,
            "add-session",
            site="console",
            title="Part two",
            starts_at="2027-03-03T09:00",
            ends_at="2027-03-03T10:00",
        )
        made = event.sessions.get(title="Part two")

        assert made.starts_at.isoformat() == "2027-03-03T00:00:00+00:00"

    def test_cancel_says_what_happens_to_the_money_and_does_it(self, people: People) -> None:
        event = making.event(people.north, people.alice)
        place = making.registration(event, payment=making.payment(people.north, for_event=event))
        alice = sign_in(people.alice)
        assert "50.00 USD goes back" in alice.get(f"{page(place, 'console')}cancel/", headers=HTMX).content.decode()
        press(alice, place, "cancel", site="console")

        assert Registration.objects.get(pk=place.pk).state == "cancelled"
        assert Refund.objects.get().amount == 5000

    def test_refund_of_a_registration_is_of_its_payment(self, people: People) -> None:
        event = making.event(people.north, people.alice)
        place = making.registration(event, payment=making.payment(people.north, for_event=event))
        press(sign_in(people.alice), place, "refund", site="console", amount="20", reason="other")

        assert Refund.objects.get().payment_id == place.payment_id
        assert Registration.objects.get(pk=place.pk).state == "confirmed"

    def test_retry_of_a_job_is_recorded(self, people: People) -> None:
        job = making.dead_job()
        press(sign_in(people.support), job, "retry")

        assert Job.objects.get(pk=job.pk).state == "queued"
        assert AuditEntry.objects.get(action="job.retried").user_id == people.support.pk

    def test_an_auditor_may_read_and_do_nothing(self, people: People) -> None:
        auditor = sign_in(making.user("aud", groups=("auditor",)))
        job = making.dead_job()

        assert auditor.get(f"{page(job)}change/").status_code == 200
        auditor.post(f"{page(job)}retry/", {"token": tokens.issue()}, headers=HTMX)
        assert Job.objects.get(pk=job.pk).state == "dead"


@pytest.mark.django_db(transaction=True)
class TestTwoClicksAtOnce:
    def test_are_one_refund(self, people: People) -> None:
        payment = making.payment(people.north)
        finance = sign_in(people.finance)
        token = opened(finance, payment, "refund")
        barrier, answers = threading.Barrier(2), []

        def click() -> None:
            client = Client()
            client.cookies = finance.cookies
            barrier.wait()
            answers.append(client.post(f"{page(payment)}refund/", {"token": token, "amount": "10", "reason": "other"}, headers=HTMX))
            connections.close_all()

        threads = [threading.Thread(target=click) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [answer.status_code for answer in answers] == [200, 200]
        assert Refund.objects.count() == 1
        assert Payment.objects.get(pk=payment.pk).refunds.count() == 1
