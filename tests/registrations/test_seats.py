"""Whatever happens in whatever order, the counter of seats is the number of places, and captured money is never kept without a word."""

from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.actor import Actor
from core.errors import DomainError
from events.models import Event
from ledger.invariants import registered, trial_balance_is_zero
from registrations import cancellation, guest_links, invariants, registering, sold_places
from registrations.models import TAKES_SEAT, Registration
from tests.factories.events import EventFactory
from tests.factories.registrations import end_unpaid, paid, paid_event, pay, register
from tests.sizes import SIZES

CAPACITY = 3
SYSTEM = Actor.system("tests.seats")


def _pay(place: Registration) -> None:
    if place.payment_id:
        pay(place)


def _expire(place: Registration) -> None:
    if place.payment_id is None:
        Registration.objects.filter(pk=place.pk, state="pending").update(hold_expires_at=place.created_at)
        cancellation.expire(registration_id=place.pk, at=place.event.starts_at, by=SYSTEM)
    elif place.payment is not None and place.payment.state in place.payment.OPEN:
        end_unpaid(place)


def _confirm(place: Registration) -> None:
    registering.confirm_address(registration_id=place.pk, key=guest_links.confirm_key(place.pk))


def _cancel(place: Registration) -> None:
    cancellation.cancel(registration_id=place.pk, by=Actor.guest(place.pk))


MOVES = {"pay": _pay, "expire": _expire, "confirm": _confirm, "cancel": _cancel}
steps = st.lists(st.tuples(st.sampled_from(["register", *MOVES]), st.integers(0, 5)), min_size=1, max_size=15)


@pytest.mark.django_db
class TestSeats:
    @settings(max_examples=SIZES.hypothesis_examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(price=st.sampled_from([0, 5000]), moves=steps)
    def test_are_counted_right_after_every_step(self, price: int, moves: list[tuple[str, int]]) -> None:
        with transaction.atomic():
            event = EventFactory(price_amount=price, capacity=CAPACITY)
            for move, number in moves:
                self.step(event, move, number)
                taken = Event.objects.get(pk=event.pk).seats_taken
                assert taken == Registration.objects.filter(event=event, state__in=TAKES_SEAT).count() <= CAPACITY
                assert violations() == []
            transaction.set_rollback(True)

    def step(self, event: Event, move: str, number: int) -> None:
        try:
            if move == "register":
                register(event, email=f"person-{number}@example.org")
                return
            places = list(Registration.objects.filter(event=event).select_related("event", "payment").order_by("pk"))
            if places:
                MOVES[move](places[number % len(places)])
        except DomainError:
            return  # a refusal is an answer; what counts is what it left behind


def violations() -> list[str]:
    return [*invariants.seats_are_counted(), *invariants.captured_money_has_a_place(), *trial_balance_is_zero()]


@pytest.mark.django_db
class TestInvariants:
    def test_name_an_event_whose_counter_is_off(self) -> None:
        event = EventFactory()
        register(event)
        Event.objects.filter(pk=event.pk).update(seats_taken=2)

        assert list(invariants.seats_are_counted()) == [f"{event.public_id} counts 2 places taken, but 1 registrations take one."]

    @pytest.mark.rule("M2")
    def test_name_money_that_was_kept_without_a_place(self) -> None:
        place = paid()
        place.cancel(at=place.created_at, reason="organizer")
        place.save()
        assert place.payment is not None

        assert list(invariants.captured_money_has_a_place()) == [
            f"{place.payment.public_id} was paid (50.00 USD), but has neither an active registration nor a refund."
        ]

    def test_are_on_the_list_of_those_that_are_run_every_night(self) -> None:
        assert {"seats_counted", "captured_has_place"} <= {invariant.name for invariant in registered()}

    def test_say_nothing_where_all_is_well(self) -> None:
        paid()
        register(paid_event())

        assert violations() == []

    def test_seats_are_counted_by_the_database_whoever_writes(self) -> None:
        event = EventFactory()
        place = register(event).registration
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE registrations_registration SET state = 'cancelled', cancel_reason = 'organizer' WHERE id = %s", [place.pk]
            )
        assert Event.objects.get(pk=event.pk).seats_taken == 0


@pytest.mark.django_db
class TestSold:
    def test_counts_paid_held_and_confirmed_places(self) -> None:
        event: Any = paid_event()
        paid(event)
        register(event)
        end_unpaid(register(event).registration)

        found = sold_places.sold(event.pk)
        assert (found.paid, found.held, found.confirmed, found.seats) == (1, 1, 1, 2)
