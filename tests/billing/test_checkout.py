"""Checkout: one open session for each payment, found again after a lost answer, and ended before a place is given away."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing import checkout, sweeps
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import CheckoutSession, Payment, StripeCommand
from core.errors import NotFound
from core.models import Job
from core.outside_calls import OutsideCallInTransaction
from sandbox.stripe.server import Sandbox
from tests.billing.conftest import Shop, Till
from tests.factories.billing import again, checkout_session, paid_payment, pending_payment

pytestmark = pytest.mark.django_db
SESSIONS = {"method": "POST", "path": "/v1/checkout/sessions"}


def sessions(payment: Payment) -> list[tuple[int, str]]:
    return list(payment.checkout_sessions.order_by("number").values_list("number", "state"))


def at_stripe(till: Till) -> list[str]:
    """Keys of the sessions that Stripe made."""
    made = till.calls("POST", "/v1/checkout/sessions")
    return [
        call["idempotency_key"] for call in made if call["path"].endswith("/sessions") and call["status"] == 200 and not call["replayed"]
    ]


@pytest.mark.gap("9.8")
@pytest.mark.rule("M4")
class TestOpen:
    @pytest.mark.rule("S21")
    def test_gives_stripes_page_with_addresses_of_our_own(self, till: Till, settings: Any) -> None:
        payment = pending_payment()
        url = checkout.open(payment_id=payment.pk)

        assert url
        assert url.startswith(f"{till.sandbox.url}/c/pay/cs_test_")
        sent = StripeCommand.objects.get(operation="checkout.create").parameters
        assert sent["success_url"] == f"{settings.BASE_URL}/payments/{payment.public_id}/return?session={{CHECKOUT_SESSION_ID}}"
        assert sent["cancel_url"] == f"{settings.BASE_URL}/payments/{payment.public_id}/return?cancelled=1"
        assert sent["line_items"][0]["price_data"]["unit_amount"] == 5000
        assert (
            sent["payment_intent_data"]["metadata"]
            == sent["metadata"]
            == {
                "payment_id": str(payment.pk),
                "checkout": payment.checkout_sessions.get().public_id,
            }
        )
        assert sessions(payment) == [(1, "open")]
        assert str(payment.checkout_sessions.get()) == "Checkout 1"

    def test_gives_the_open_session_again(self, till: Till) -> None:
        payment = pending_payment()
        urls = {checkout.open(payment_id=payment.pk) for _ in range(3)}
        assert len(urls) == 1
        assert at_stripe(till) == [f"checkout-{payment.pk}-1"]

    @pytest.mark.parametrize("kind", ["timeout_after_success", "reset_after", "reset_before"])
    def test_is_idempotent_after_a_lost_answer(self, till: Till, kind: str, settings: Any) -> None:
        payment = pending_payment()
        settings.STRIPE_REQUEST_TIMEOUT = 0.5
        gateway.cache_clear()
        till.control.fault(kind, **SESSIONS, seconds=5)
        assert checkout.open(payment_id=payment.pk) is None
        assert sessions(payment) == [(1, "opening")]

        assert checkout.open(payment_id=payment.pk)
        assert sessions(payment) == [(1, "open")]
        assert at_stripe(till) == [f"checkout-{payment.pk}-1"]

    @pytest.mark.parametrize("kind", ["rate_limit", "lock_timeout"])
    def test_gives_none_while_stripe_is_busy(self, till: Till, kind: str) -> None:
        payment = pending_payment()
        till.control.fault(kind, **SESSIONS)
        assert checkout.open(payment_id=payment.pk) is None
        assert checkout.open(payment_id=payment.pk)
        assert sessions(payment) == [(1, "open")]

    def test_gives_none_while_the_open_one_cannot_be_read(self, till: Till) -> None:
        payment = pending_payment()
        url = checkout.open(payment_id=payment.pk)
        till.control.fault("rate_limit", method="GET")
        assert checkout.open(payment_id=payment.pk) is None
        assert checkout.open(payment_id=payment.pk) == url

    @pytest.mark.parametrize("work", [True, False])
    def test_takes_the_next_one_behind_a_stored_500(self, till: Till, work: bool) -> None:
        payment = pending_payment()
        till.control.fault("stored_500", **SESSIONS, work=work)
        assert checkout.open(payment_id=payment.pk) is None
        assert checkout.open(payment_id=payment.pk)
        assert sessions(payment) == [(1, "expired"), (2, "open")]

    def test_takes_the_next_one_where_the_lost_one_would_now_end_too_soon(self, till: Till) -> None:
        payment = pending_payment()
        till.control.fault("reset_before", **SESSIONS)
        assert checkout.open(payment_id=payment.pk) is None
        with time_machine.travel(timezone.now() + timedelta(minutes=20)):
            assert checkout.open(payment_id=payment.pk)
        assert sessions(payment) == [(1, "expired"), (2, "open")]

    def test_takes_the_next_one_where_the_last_has_expired(self, till: Till) -> None:
        payment = pending_payment()
        first = checkout.open(payment_id=payment.pk)
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            second = checkout.open(payment_id=payment.pk)
        assert second
        assert second != first
        assert sessions(payment) == [(1, "expired"), (2, "open")]

    def test_hears_of_money_that_came_meanwhile(self, till: Till, shop: Shop) -> None:
        payment = pending_payment()
        till.pay(payment)
        with pytest.raises(checkout.NotPayable, match="paid already"):
            checkout.open(payment_id=payment.pk)
        assert (again(payment).state, sessions(payment), shop.words()) == ("succeeded", [(1, "complete")], ["paid"])

    def test_refuses_what_cannot_be_paid(self, till: Till) -> None:
        expired = pending_payment()
        expired.expire()
        expired.save()
        for payment, words in ((paid_payment(), "paid already"), (expired, "can no longer be paid")):
            with pytest.raises(checkout.NotPayable, match=words) as refused:
                checkout.open(payment_id=payment.pk)
            assert refused.value.state == payment.state
        with pytest.raises(NotFound):
            checkout.open(payment_id=uuid4())
        assert at_stripe(till) == []

    def test_gives_up_what_stripe_refuses_and_says_so(self, till: Till, settings: Any) -> None:
        payment = pending_payment()
        settings.CHECKOUT_SESSION_MINUTES = 5  # less than Stripe allows
        with pytest.raises(GatewayRefused):
            checkout.open(payment_id=payment.pk)
        assert sessions(payment) == [(1, "expired")]
        settings.CHECKOUT_SESSION_MINUTES = 30
        assert checkout.open(payment_id=payment.pk)
        assert sessions(payment) == [(1, "expired"), (2, "open")]

    @pytest.mark.rule("M10")
    def test_never_calls_inside_a_transaction(self, till: Till) -> None:
        payment = pending_payment()
        with transaction.atomic(), pytest.raises(OutsideCallInTransaction):
            checkout.open(payment_id=payment.pk)

    def test_is_held_to_one_open_session_by_the_database(self, till: Till) -> None:
        payment = pending_payment()
        checkout.open(payment_id=payment.pk)
        with pytest.raises(IntegrityError, match="checkout_one_open"), transaction.atomic():
            CheckoutSession.objects.create(payment=payment, number=2, expires_at=timezone.now())


class TestOpened:
    def test_changes_nothing_about_one_that_went_on(self, till: Till) -> None:
        payment = pending_payment()
        answer = gateway().retrieve_checkout_session(checkout_session(payment))
        row = payment.checkout_sessions.get()
        checkout.closed(session_id=row.pk, answer=answer)  # it is open still: nothing to mirror
        checkout.opened(session_id=row.pk, answer=answer)
        assert sessions(payment) == [(1, "open")]


class TestRefresh:
    def test_has_nothing_to_read_before_the_answer(self, till: Till) -> None:
        payment = pending_payment()
        till.control.fault("reset_before", **SESSIONS)
        checkout.open(payment_id=payment.pk)
        checkout.refresh(session_id=payment.checkout_sessions.get().pk)
        assert sessions(payment) == [(1, "opening")]

    def test_mirrors_a_session_whose_answer_was_lost(self, till: Till) -> None:
        payment = pending_payment()
        till.control.fault("reset_after", **SESSIONS)
        checkout.open(payment_id=payment.pk)
        row = payment.checkout_sessions.get()
        found = gateway().retrieve_checkout_session(_made(till))
        checkout.closed(session_id=row.pk, answer=found)
        assert CheckoutSession.objects.get(pk=row.pk).stripe_session_id == found.id


def _made(till: Till) -> str:
    """The id of the session that Stripe made last, as its events tell it."""
    till.control.advance(0)
    found: str = till.sandbox.world.store.select("checkout.session")[0]["id"]
    return found


def end(payment: Payment, *, cancelled: bool = False) -> None:
    with transaction.atomic():
        checkout.request_end(payment_id=payment.pk, cancelled=cancelled)


@pytest.mark.rule("M6")
class TestEnd:
    @pytest.mark.parametrize(("cancelled", "state"), [(False, "expired"), (True, "cancelled")])
    def test_closes_the_page_before_it_lets_go(self, till: Till, cancelled: bool, state: str, shop: Shop) -> None:
        payment = pending_payment()
        session = checkout_session(payment)
        end(payment, cancelled=cancelled)
        assert again(payment).state == "pending"
        till.work()
        assert (again(payment).state, sessions(payment), shop.words()) == (state, [(1, "expired")], ["failed"])
        assert gateway().retrieve_checkout_session(session).status == "expired"
        checkout.end(payment_id=payment.pk, cancelled=int(cancelled))
        assert shop.words() == ["failed"]

    def test_ends_what_never_had_a_page(self, till: Till) -> None:
        payment = pending_payment()
        end(payment)
        till.work()
        assert (again(payment).state, at_stripe(till)) == ("expired", [])

    @pytest.mark.rule("M2")
    def test_keeps_what_was_paid_in_the_last_moment(self, till: Till, shop: Shop, books: Callable[[], None]) -> None:
        payment = pending_payment()
        till.control.delivery("lost")
        till.pay(payment)
        end(payment)
        till.settle()
        checkout.refresh(session_id=payment.checkout_sessions.get().pk)
        assert (again(payment).state, sessions(payment), shop.words()) == ("succeeded", [(1, "complete")], ["paid"])
        books()

    def test_keeps_what_the_bank_still_works_on(self, till: Till, shop: Shop) -> None:
        payment = pending_payment()
        till.pay(payment, outcome="processing_until_settled")
        end(payment)
        till.work()
        assert (again(payment).state, sessions(payment), shop.told) == ("processing", [(1, "complete")], [])

    @pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
    def test_finds_and_closes_a_page_whose_answer_was_lost(self, till: Till, kind: str) -> None:
        payment = pending_payment()
        till.control.fault(kind, **SESSIONS)
        checkout.open(payment_id=payment.pk)
        end(payment)
        till.work()
        assert (again(payment).state, sessions(payment)) == ("expired", [(1, "expired")])
        assert gateway().retrieve_checkout_session(_made(till)).status == "expired"

    def test_gives_up_a_page_that_never_came_to_be(self, till: Till) -> None:
        payment = pending_payment()
        till.control.fault("reset_before", **SESSIONS)
        checkout.open(payment_id=payment.pk)
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            checkout.end(payment_id=payment.pk, cancelled=0)
        assert (again(payment).state, sessions(payment), at_stripe(till)) == ("expired", [(1, "expired")], [])

    @pytest.mark.parametrize("work", [True, False])
    def test_gives_up_a_page_behind_a_stored_500(self, till: Till, work: bool) -> None:
        payment = pending_payment()
        till.control.fault("stored_500", **SESSIONS, work=work)
        checkout.open(payment_id=payment.pk)
        end(payment)
        till.work()
        assert (again(payment).state, sessions(payment)) == ("expired", [(1, "expired")])

    def test_waits_while_stripe_does_not_answer(self, till: Till) -> None:
        payment = pending_payment()
        checkout_session(payment)
        till.control.fault("rate_limit", **SESSIONS)
        with pytest.raises(GatewayBusy):
            checkout.end(payment_id=payment.pk, cancelled=0)
        assert (again(payment).state, sessions(payment)) == ("pending", [(1, "open")])
        till.control.fault("reset_before", method="GET")
        with pytest.raises(GatewayUnknown):
            checkout.end(payment_id=payment.pk, cancelled=0)
        checkout.end(payment_id=payment.pk, cancelled=0)
        assert again(payment).state == "expired"

    def test_comes_back_by_itself(self, till: Till) -> None:
        payment = pending_payment()
        checkout_session(payment)
        end(payment)
        till.control.fault("rate_limit", **SESSIONS)
        till.work(delayed=True)
        assert again(payment).state == "expired"
        assert Job.objects.get(name="billing.checkout.end").attempts == 2


class TestSweep:
    def test_reads_a_session_whose_end_has_passed(self, till: Till, shop: Shop) -> None:
        payment = pending_payment()
        till.control.delivery("lost")
        checkout_session(payment)
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            till.control.advance(1)
            sweeps.open_checkouts()
        assert (sessions(payment), again(payment).state) == ([(1, "expired")], "pending")
        assert shop.told == []

    def test_finds_money_whose_webhook_never_came(self, till: Till, shop: Shop) -> None:
        payment = pending_payment()
        till.control.delivery("lost")
        till.pay(payment)
        sweeps.open_checkouts()
        assert again(payment).state == "pending"
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            sweeps.open_checkouts()
        assert (again(payment).state, shop.words()) == ("succeeded", ["paid"])

    def test_finds_the_session_of_a_lost_answer(self, till: Till) -> None:
        payment = pending_payment()
        till.control.fault("reset_after", **SESSIONS)
        checkout.open(payment_id=payment.pk)
        sweeps.open_checkouts()
        assert sessions(payment) == [(1, "opening")]
        with time_machine.travel(timezone.now() + timedelta(minutes=3)):
            sweeps.open_checkouts()
        assert sessions(payment) == [(1, "open")]

    @pytest.mark.parametrize("succeeds", [True, False])
    def test_follows_a_payment_that_the_bank_works_on(self, till: Till, succeeds: bool) -> None:
        payment = pending_payment()
        till.pay(payment, outcome="processing_until_settled")
        till.work()
        till.control.delivery("lost")
        till.control.settle_payment(again(payment).stripe_payment_intent_id or "", succeeds=succeeds)
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            sweeps.open_checkouts()
        assert again(payment).state == ("succeeded" if succeeds else "failed")
        assert again(payment).checked_at is not None

    def test_gives_up_an_opening_that_nobody_can_pay_any_more(self, till: Till, sandbox: Sandbox) -> None:
        payment = pending_payment()
        till.control.fault("reset_before", **SESSIONS)
        checkout.open(payment_id=payment.pk)
        payment = again(payment)
        payment.cancel()
        payment.save()
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            sweeps.open_checkouts()
        assert again(payment).state == "cancelled"
