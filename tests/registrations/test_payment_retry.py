"""A second chance to pay: the place held again and one mail, never for what is over, full or paid."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing import payments
from billing.models import Payment
from core.errors import DomainError, NotFound, PermissionRefused
from events.models import Event
from notifications.models import Message
from registrations import admission, guest_links, payment_retry
from registrations.models import Registration
from tests.factories.people import Personas, personas, staff
from tests.factories.registrations import STRIPE, current, end_unpaid, intent_of, paid, paid_event, pay, register

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]
STATE = Registration.State


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def event(people: Personas) -> Event:
    return paid_event(organization=people.organization, host=people.alice, capacity=1)


def declined(event: Event) -> Registration:
    """A held place whose buyer's card was refused."""
    place = register(event).registration
    payment = Payment.objects.get(pk=place.payment_id)
    intent = intent_of(payment, status="requires_payment_method")
    payments.sync(payment_id=payment.pk, intent=replace(intent, error="Your card was declined."), at=timezone.now(), by=STRIPE)
    return current(place)


def expired(event: Event) -> Registration:
    return end_unpaid(register(event).registration)


def mails() -> list[Message]:
    return list(Message.objects.filter(kind="payment_retry").order_by("created_at"))


class TestSendLink:
    def test_keeps_the_place_of_a_failed_payment_for_a_day(self, event: Event, people: Personas, run_jobs: Callable[..., int]) -> None:
        place = declined(event)
        held = payment_retry.send_link(payment_id=place.payment_id, by=people.as_alice)
        run_jobs()

        assert held.pk == place.pk
        until = current(place).hold_expires_at
        assert until is not None
        assert timedelta(hours=23) < until - timezone.now() <= timedelta(hours=24)
        (mail,) = mails()
        assert mail.to == place.email
        assert guest_links.manage_key(place.pk) in mail.text
        assert "50.00 USD" in mail.text
        entry = AuditEntry.objects.get(action="payment.retry_link_sent")
        assert (entry.user_id, entry.object_id) == (people.alice.pk, place.payment_id)
        assert pay(place).state == STATE.CONFIRMED

    def test_holds_a_new_place_where_the_old_one_was_let_go(self, event: Event, people: Personas, run_jobs: Callable[..., int]) -> None:
        former = expired(event)
        Event.objects.filter(pk=event.pk).update(price_amount=6000)

        held = payment_retry.send_link(payment_id=former.payment_id, by=people.as_alice)
        run_jobs()

        assert held.pk != former.pk
        assert (held.email, held.state, held.payment.amount) == (former.email, STATE.PENDING, 6000)
        assert Event.objects.get(pk=event.pk).seats_taken == 1
        assert Payment.objects.get(pk=former.payment_id).state == Payment.State.EXPIRED
        (mail,) = mails()
        assert "60.00 USD" in mail.text
        assert guest_links.manage_key(held.pk) in mail.text
        assert pay(held).state == STATE.CONFIRMED

    def test_never_holds_beyond_the_beginning(self, event: Event, people: Personas) -> None:
        with time_machine.travel(event.starts_at - timedelta(hours=2)):
            held = payment_retry.send_link(payment_id=declined(event).payment_id, by=people.as_alice)
        assert held.hold_expires_at == event.starts_at

    def test_is_refused_for_an_event_that_has_begun(self, event: Event, people: Personas, run_jobs: Callable[..., int]) -> None:
        places = [expired(event), declined(event)]
        for place in places:
            with time_machine.travel(event.starts_at + timedelta(minutes=1)), pytest.raises(admission.RegistrationClosed):
                payment_retry.send_link(payment_id=place.payment_id, by=people.as_alice)
        run_jobs()
        assert mails() == []
        assert not AuditEntry.objects.filter(action="payment.retry_link_sent").exists()

    def test_is_refused_where_the_event_is_sold_out_meanwhile(self, event: Event, people: Personas, run_jobs: Callable[..., int]) -> None:
        former = expired(event)
        paid(event)
        with pytest.raises(admission.EventFull):
            payment_retry.send_link(payment_id=former.payment_id, by=people.as_alice)
        run_jobs()
        assert mails() == []
        assert Registration.objects.filter(event=event).count() == 2

    def test_is_refused_where_they_have_a_place_by_now(self, event: Event, people: Personas) -> None:
        former = expired(event)
        register(event, email=former.email)
        with pytest.raises(admission.AlreadyRegistered):
            payment_retry.send_link(payment_id=former.payment_id, by=people.as_alice)

    def test_is_refused_for_what_was_paid_or_costs_nothing_any_more(self, event: Event, people: Personas) -> None:
        with pytest.raises(payment_retry.NothingToRetry, match="failed or expired"):
            payment_retry.send_link(payment_id=paid(paid_event(organization=people.organization)).payment_id, by=people.as_alice)
        former = expired(event)
        Event.objects.filter(pk=event.pk).update(price_amount=0)
        with pytest.raises(payment_retry.NothingToRetry, match="costs nothing"):
            payment_retry.send_link(payment_id=former.payment_id, by=people.as_alice)
        assert not Registration.objects.active().filter(event=event).exists()

    @pytest.mark.gap("4.2")
    def test_is_for_those_who_sell_and_who_help(self, event: Event, people: Personas) -> None:
        payment_id = declined(event).payment_id
        refused: list[tuple[object, type[DomainError]]] = [
            (people.as_charlie, NotFound),
            (staff(StaffGroup.AUDITOR), PermissionRefused),
        ]
        for by, refusal in refused:
            with pytest.raises(refusal):
                payment_retry.send_link(payment_id=payment_id, by=by)  # type: ignore[arg-type]
        for by in (people.as_bob, staff(StaffGroup.SUPPORT)):
            assert payment_retry.send_link(payment_id=payment_id, by=by).payment_id == payment_id
