"""More people than uses, all at once: every use is taken once, every seat is sold, and who is late for the code pays the list price."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from billing import payments
from billing.models import Payment
from events.models import Event
from ledger import invariants
from promo_codes import refusals
from promo_codes.models import PromoCode, Redemption
from registrations import admission, registering
from registrations.models import Registration
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.factories.people import actor
from tests.factories.promo_codes import now, promo_code, state_of
from tests.factories.registrations import STRIPE, current, intent_of
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("5.3"), pytest.mark.gap("2.6")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]


def register(event: Event, number: int, code: str) -> registering.Registered:
    """With the code, and at the list price where it is used up."""
    who = {"by": Actor.anonymous(), "email": f"p{number}@example.org", "name": "Somebody"}
    try:
        return registering.register(event_id=event.pk, promo_code=code, **who)
    except refusals.CodeUsedUp:
        return registering.register(event_id=event.pk, **who)


class TestLastUses:
    @pytest.mark.parametrize("points", [2000, 10_000], ids=["paid", "free"])
    def test_are_taken_once(self, sandbox: Sandbox, race: Race, points: int) -> None:
        event = flows.open_event(capacity=SIZES.seats)
        code = promo_code(event.organization, max_uses=SIZES.promo_uses, basis_points=points)
        results = race(SIZES.promo_registrations, lambda number: register(event, number, code.code))

        done = [one for one in results if isinstance(one, registering.Registered)]
        assert len(done) == SIZES.seats
        assert {type(one) for one in results} - {registering.Registered} <= {admission.EventFull}
        assert Counter(one.registration.redemption_id is not None for one in done)[True] == SIZES.promo_uses
        assert now(code).uses == SIZES.promo_uses == Redemption.objects.filter(state="reserved").count()
        assert not any(invariants.violations().values())

    def test_of_one_code_at_two_events_never_wait_in_a_circle(self, race: Race) -> None:
        first = flows.open_event(capacity=SIZES.seats)
        second = flows.open_event(of=first.organization, capacity=SIZES.seats)
        code = promo_code(first.organization, max_uses=SIZES.promo_uses)
        results = race(20, lambda number: register(first if number % 2 else second, number, code.code))

        assert {type(one) for one in results} == {registering.Registered}
        assert now(code).uses == min(SIZES.promo_uses, 20)


class TestHoldAndMoney:
    @pytest.mark.parametrize("round_", range(3))
    def test_at_the_same_moment_end_in_one_state(self, sandbox: Sandbox, race: Race, round_: int) -> None:
        """Paid first: consumed. Let go first: the late money counts the use again, unless somebody took it."""
        event = flows.open_event(capacity=2)
        code = promo_code(event.organization, max_uses=1)
        place = register(event, 0, code.code).registration
        results = race(3, lambda number: (lambda: self.pay(place), lambda: self.let_go(place), lambda: self.other(event, code))[number]())

        assert [one for one in results if isinstance(one, Exception) and not isinstance(one, refusals.CodeUsedUp)] == []
        assert now(code).uses == Redemption.objects.counting().count() == 1
        expected = "consumed" if current(place).state == Registration.State.CONFIRMED else "released"
        assert state_of(place) == expected
        found = {name: rows for name, rows in invariants.violations().items() if rows}
        assert set(found) <= {"stripe_balance"}, "the payment is told here by hand, and the stand-in never took it"

    def pay(self, place: Registration) -> None:
        payment = Payment.objects.get(pk=place.payment_id)
        payments.sync(payment_id=payment.pk, intent=intent_of(payment), at=timezone.now(), by=STRIPE)

    def let_go(self, place: Registration) -> None:
        with transaction.atomic():
            payment = Payment.objects.select_for_update(of=["self"]).get(pk=place.payment_id)
            if payment.state in Payment.OPEN:
                payments.expire(payment=payment, at=timezone.now(), by=STRIPE)

    def other(self, event: Event, code: PromoCode) -> None:
        registering.register(event_id=event.pk, promo_code=code.code, by=Actor.anonymous(), email="o@example.org", name="Other")


class TestOnePerson:
    def test_uses_it_once_at_two_events(self, race: Race) -> None:
        first = flows.open_event()
        second = flows.open_event(of=first.organization)
        code, person = promo_code(first.organization, max_uses_per_person=1), flows.member(first.organization)
        EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
        by = actor(person)
        events = (first, second)
        results = race(2, lambda number: registering.register(event_id=events[number].pk, by=by, promo_code=code.code))

        assert sorted(type(one).__name__ for one in results) == ["CodeUsedByPerson", "Registered"]
        assert now(code).uses == 1
