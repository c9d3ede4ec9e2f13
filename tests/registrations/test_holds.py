"""Held places end by the clock, never before Stripe has said that nobody paid."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from billing.models import Payment
from core.models import Job
from events.models import Event
from notifications.models import Message
from registrations import emails, holds
from registrations.models import Registration
from tests.factories.events import EventFactory
from tests.factories.registrations import current, paid, paid_event, pay, register

STATE = Registration.State


def seats(place: Registration) -> int:
    return Event.objects.get(pk=place.event_id).seats_taken


def asked(place: Registration) -> int:
    return Job.objects.filter(name="billing.checkout.end", ids={"payment_id": str(place.payment_id), "cancelled": 0}).count()


def after(**hours: int) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(**hours), tick=False)


@pytest.mark.django_db
@pytest.mark.rule("M6")
class TestSweep:
    def test_lets_go_of_an_address_that_nobody_confirmed_and_writes_no_mail(self, run_jobs) -> None:
        place = register(EventFactory()).registration
        with after(hours=25):
            holds.sweep()

        ended = current(place)
        assert (ended.state, ended.cancel_reason) == (STATE.CANCELLED, Registration.CancelReason.EXPIRED)
        assert seats(place) == 0
        assert not Job.objects.filter(name="registrations.emails.send_cancelled").exists()

    def test_leaves_what_is_not_due(self) -> None:
        free, unpaid = register(EventFactory()).registration, register(paid_event()).registration
        with after(minutes=34):
            holds.sweep()

        assert current(free).state == current(unpaid).state == STATE.PENDING
        assert asked(unpaid) == 0

    def test_keeps_the_unpaid_seat_and_has_stripe_asked(self) -> None:
        place = register(paid_event()).registration
        with after(minutes=36):
            holds.sweep()
            holds.sweep()

        assert current(place).state == STATE.PENDING
        assert seats(place) == 1
        assert asked(place) == 1

    def test_asks_again_while_a_bank_is_still_processing(self) -> None:
        place = register(paid_event()).registration
        for minutes in (36, 42, 48):
            with after(minutes=minutes):
                holds.sweep()

        assert asked(place) == 3
        assert current(place).state == STATE.PENDING

    def test_leaves_a_place_that_was_paid_in_time(self) -> None:
        place = paid()
        with after(hours=25):
            holds.sweep()

        assert current(place).state == STATE.CONFIRMED
        assert asked(place) == 0


@pytest.mark.django_db
class TestWithStripe:
    def test_an_abandoned_checkout_frees_the_seat(self, sandbox, run_jobs) -> None:
        place = register(paid_event()).registration
        with after(minutes=36):
            holds.sweep()
            run_jobs()

        ended = current(place)
        assert (ended.state, ended.cancel_reason) == (STATE.CANCELLED, Registration.CancelReason.EXPIRED)
        assert Payment.objects.get(pk=place.payment_id).state == Payment.State.EXPIRED
        assert seats(place) == 0
        assert Message.objects.filter(related_id=place.pk, kind="registration_cancelled").count() == 1


@pytest.mark.django_db
class TestMails:
    def kinds(self, place: Registration) -> list[str]:
        return list(Message.objects.filter(related_id=place.pk).order_by("pk").values_list("kind", flat=True))

    def test_tell_what_the_place_is_once_for_each_state(self, run_jobs) -> None:
        place = register(paid_event(title="Ethics <b>")).registration
        run_jobs()
        pay(place)
        run_jobs()
        emails.send_registered(registration_id=place.pk)

        assert self.kinds(place) == ["registration_pending_payment", "registration_confirmed"]
        held, confirmed = Message.objects.filter(related_id=place.pk).order_by("pk")
        assert "50.00 USD" in held.text
        assert "Ethics &lt;b&gt;" in confirmed.html
        assert "(Europe/Berlin)" in confirmed.text
        assert f"/registrations/{place.public_id}?key=" in confirmed.text
        assert "https://meet.example.org/room" in confirmed.text
        assert "https://meet.example.org/room" not in held.text

    def test_carry_the_confirming_link_to_the_address_only(self, run_jobs) -> None:
        given = register(EventFactory())
        run_jobs()

        message = Message.objects.get(related_id=given.registration.pk)
        assert message.kind == "registration_pending_confirmation"
        assert "/confirm?key=" in message.text
        assert (given.guest_key or "") not in message.text

    @pytest.mark.rule("S18")
    def test_say_at_most_once_an_hour_that_an_address_has_a_place(self, run_jobs) -> None:
        event = EventFactory()
        place = register(event, email="zoe@example.org").registration
        for _ in range(3):
            register(event, email="zoe@example.org")
        run_jobs()
        assert self.kinds(place) == ["registration_pending_confirmation", "registration_already"]

        with after(minutes=61):
            register(event, email="zoe@example.org")
            run_jobs()
        assert self.kinds(place).count("registration_already") == 2
