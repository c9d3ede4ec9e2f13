"""What money, its absence and its return mean for a place."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from billing import fulfillment, refunds
from billing.models import Payment, Refund
from core.models import Job
from events.models import Event
from registrations import cancellation, guest_links, invariants
from registrations.fulfillment import RegistrationFulfillment
from registrations.models import Registration
from tests.factories.people import UserFactory
from tests.factories.registrations import STRIPE, current, end_unpaid, paid, paid_event, pay, register

STATE, REASON = Registration.State, Registration.CancelReason


def seats(place: Registration) -> int:
    return Event.objects.get(pk=place.event_id).seats_taken


def gave_back(place: Registration) -> bool:
    """Whether exactly one refund of everything was requested, without anybody's approval."""
    refund = Refund.objects.get(payment_id=place.payment_id)
    return (refund.amount, refund.reason, refund.state) == (5000, Refund.Reason.LATE_PAYMENT, Refund.State.REQUESTED)


@pytest.mark.django_db
class TestOnPaid:
    def test_confirms_the_held_place_and_mails_once(self) -> None:
        place = paid()

        assert (place.state, place.hold_expires_at) == (STATE.CONFIRMED, None)
        assert seats(place) == 1
        assert not Refund.objects.exists()
        assert Job.objects.filter(name="registrations.emails.send_registered", ids={"registration_id": str(place.pk)}).count() == 2

    def test_that_comes_twice_changes_nothing(self) -> None:
        place = paid()

        assert pay(place).confirmed_at == place.confirmed_at
        assert not Refund.objects.exists()

    @pytest.mark.rule("M6")
    def test_late_takes_a_seat_that_is_still_free(self) -> None:
        place = end_unpaid(register(paid_event()).registration)
        assert (place.state, place.cancel_reason, seats(place)) == (STATE.CANCELLED, REASON.EXPIRED, 0)

        place = pay(place)
        assert (place.state, place.cancel_reason, place.cancelled_at) == (STATE.CONFIRMED, "", None)
        assert seats(place) == 1
        assert not Refund.objects.exists()

    @pytest.mark.rule("M2")
    def test_late_goes_back_in_full_where_the_event_has_filled_up(self) -> None:
        event = paid_event(capacity=1)
        place = end_unpaid(register(event).registration)
        winner = paid(event)

        place = pay(place)
        assert place.state == STATE.CANCELLED
        assert gave_back(place)
        assert current(winner).state == STATE.CONFIRMED
        assert seats(place) == 1
        assert list(invariants.captured_money_has_a_place()) == []

    def test_late_goes_back_where_the_person_has_another_place_by_now(self) -> None:
        event = paid_event()
        place = end_unpaid(register(event, email="zoe@example.org").registration)
        paid(event, email="zoe@example.org")

        assert pay(place).state == STATE.CANCELLED
        assert gave_back(place)
        assert seats(place) == 1

    def test_late_goes_back_after_the_event(self) -> None:
        place = end_unpaid(register(paid_event()).registration)
        with time_machine.travel(place.event.ends_at + timedelta(minutes=1)):
            assert pay(place).state == STATE.CANCELLED
        assert gave_back(place)

    @pytest.mark.rule("M2")
    def test_while_it_is_being_cancelled_cancels_and_goes_back(self) -> None:
        place = register(paid_event()).registration
        by = guest_links.actor_for_key(registration_id=place.pk, key=guest_links.manage_key(place.pk))
        cancellation.cancel(registration_id=place.pk, by=by)

        place = pay(place)
        assert (place.state, place.cancel_reason) == (STATE.CANCELLED, REASON.ATTENDEE)
        assert gave_back(place)
        assert seats(place) == 0

    def test_after_somebody_cancelled_goes_back(self) -> None:
        place = register(paid_event()).registration
        by = guest_links.actor_for_key(registration_id=place.pk, key=guest_links.manage_key(place.pk))
        cancellation.cancel(registration_id=place.pk, by=by)
        place = end_unpaid(place, cancelled=True)
        assert (place.state, place.cancel_reason) == (STATE.CANCELLED, REASON.ATTENDEE)

        assert pay(place).state == STATE.CANCELLED
        assert gave_back(place)

    def test_without_a_registration_goes_back(self) -> None:
        place = register(paid_event()).registration
        Registration.objects.filter(pk=place.pk).update(payment=None)
        payment_id = place.payment_id

        pay(place)
        assert Refund.objects.get(payment_id=payment_id).amount == 5000


@pytest.mark.django_db
class TestOnFailed:
    def test_frees_the_seat(self) -> None:
        place = end_unpaid(register(paid_event()).registration)

        assert (place.state, place.cancel_reason) == (STATE.CANCELLED, REASON.EXPIRED)
        assert seats(place) == 0

    def test_leaves_a_confirmed_place_alone(self) -> None:
        place = paid()
        RegistrationFulfillment().on_failed(Payment.objects.get(pk=place.payment_id), at=timezone.now(), by=STRIPE)

        assert current(place).state == STATE.CONFIRMED


def settled(place: Registration, amount: int, *, releases_place: bool) -> None:
    """As billing tells it once Stripe has paid out: the payment's refund total, then the handler."""
    payment = Payment.objects.get(pk=place.payment_id)
    refund = refunds.request(
        payment_id=payment.pk, amount=amount, reason="other", source="automatic", releases_place=releases_place, by=STRIPE
    )
    Payment.objects.filter(pk=payment.pk).update(
        amount_refunded=amount, state=Payment.State.REFUNDED if amount == payment.amount else Payment.State.PARTIALLY_REFUNDED
    )
    refund = Refund.objects.select_related("payment").get(pk=refund.pk)
    RegistrationFulfillment().on_refunded(refund, at=timezone.now(), by=STRIPE)


@pytest.mark.django_db
class TestOnRefunded:
    def test_a_full_refund_that_was_asked_to_gives_the_place_back(self) -> None:
        place = paid()
        settled(place, 5000, releases_place=True)

        after = current(place)
        assert (after.state, after.cancel_reason) == (STATE.CANCELLED, REASON.REFUNDED)
        assert seats(place) == 0

    @pytest.mark.parametrize(("amount", "releases_place"), [(4999, True), (5000, False)])
    def test_a_part_or_one_that_was_not_asked_to_leaves_it(self, amount: int, releases_place: bool) -> None:
        place = paid()
        settled(place, amount, releases_place=releases_place)

        assert current(place).state == STATE.CONFIRMED
        assert seats(place) == 1


@pytest.mark.django_db
class TestHandler:
    def test_is_registered_for_its_purpose_and_knows_who_answers(self) -> None:
        place = paid(user=UserFactory())
        handler = fulfillment.handler_for("registration")

        assert isinstance(handler, RegistrationFulfillment)
        assert handler.responsible(Payment.objects.get(pk=place.payment_id)) == place.event.host_id

    def test_a_dispute_takes_no_place_away(self) -> None:
        place = paid()
        RegistrationFulfillment().on_disputed(Payment.objects.get(pk=place.payment_id), at=timezone.now(), by=STRIPE)

        assert current(place).state == STATE.CONFIRMED
