"""A place with a promo code: priced, reserved, paid, let go, paid late, refunded."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from audit.actor import Actor
from audit.models import AuditEntry
from billing import refunds
from billing.models import Payment, Refund
from core.money import Money
from events.models import Event
from ledger.balances import balance
from ledger.chart import organizer_payable
from promo_codes import lifecycle, refusals
from promo_codes.models import PromoCode, Redemption
from registrations import admission, cancellation, guest_links, holds, invariants, payment_retry, registering
from registrations.fulfillment import RegistrationFulfillment
from registrations.models import Registration
from tests.factories.events import EventFactory
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import UserFactory, personas
from tests.factories.promo_codes import SYSTEM, for_event, now, promo_code, state_of, use_of
from tests.factories.registrations import STRIPE, current, end_unpaid, paid_event, pay, register

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.6")]


@pytest.fixture
def event() -> Event:
    return paid_event()


def held(event: Event, code: PromoCode, **values: Any) -> Registration:
    return register(event, promo_code=code.code.lower(), **values).registration


class TestRegister:
    def test_reserves_one_use_and_freezes_the_price(self, event: Event) -> None:
        code = promo_code(event.organization)
        done = register(event, promo_code=f" {code.code.lower()} ")

        assert done.quote.total == Money(4000, "USD")
        payment = Payment.objects.get(pk=done.payment_id)
        lines = list(payment.lines.order_by("position").values_list("kind", "amount", "description"))
        assert lines == [("price", 5000, event.title), ("discount", -1000, f"Promo code {code.code}")]
        use = use_of(done.registration)
        assert (use.state, use.amount, use.price, use.subject, use.group) == (
            "reserved", 1000, 5000, done.registration.public_id, event.public_id,
        )  # fmt: skip
        assert now(code).uses == 1
        assert AuditEntry.objects.filter(action="redemption.reserved", organization_id=event.organization_id).count() == 1

    def test_refuses_another_total_than_was_shown_and_reserves_nothing(self, event: Event) -> None:
        code = promo_code(event.organization)
        with pytest.raises(admission.PriceChanged):
            register(event, promo_code=code.code, expected_total=5000)
        assert (now(code).uses, Registration.objects.count()) == (0, 0)
        register(event, promo_code=code.code, expected_total=4000)

    def test_confirms_without_stripe_where_all_is_taken_off(self, event: Event) -> None:
        code, zoe = promo_code(event.organization, basis_points=10_000), UserFactory.create()
        done = register(event, zoe, promo_code=code.code)

        assert (done.registration.state, done.payment_id, state_of(done.registration)) == ("confirmed", None, "consumed")
        assert not Payment.objects.exists()

    def test_holds_a_guests_free_place_until_the_address_is_confirmed(self, event: Event) -> None:
        place = held(event, promo_code(event.organization, basis_points=10_000))
        assert (place.state, state_of(place)) == ("pending", "reserved")
        registering.confirm_address(registration_id=place.pk, key=guest_links.confirm_key(place.pk))
        assert state_of(place) == "consumed"

    def test_takes_no_second_use_for_an_address_that_has_a_place(self, event: Event) -> None:
        """And answers as for a new one."""
        code = promo_code(event.organization)
        place = held(event, code)
        again = register(event, email=place.email, promo_code=code.code)
        assert again.quote.total == Money(4000, "USD")
        assert (now(code).uses, Redemption.objects.count()) == (1, 1)


class TestRefusals:
    def refused(self, event: Event, text: str, error: type[refusals.PromoCodeRefused], user: Any = None) -> None:
        with pytest.raises(error) as found:
            register(event, user, promo_code=text)
        assert found.value.details == {"field": "promo_code"}
        assert not Registration.objects.filter(event=event, email="nobody@example.org").exists()

    def test_of_a_foreign_or_stopped_code_are_those_of_no_code(self, event: Event) -> None:
        promo_code(OrganizationFactory.create(), code="THEIRS")
        paused, archived = (promo_code(event.organization, code=name) for name in ("PAUSED", "ARCHIVED"))
        lifecycle.pause(promo_code_id=paused.pk, by=SYSTEM)
        lifecycle.archive(promo_code_id=archived.pk, by=SYSTEM)
        for text in ("THEIRS", "PAUSED", "ARCHIVED", "NO-SUCH", "\x00", "x" * 500):
            self.refused(event, text, refusals.UnknownCode)
        assert not Registration.objects.exists()

    def test_of_its_terms(self, event: Event) -> None:
        at, of = timezone.now(), event.organization
        cases = [
            ({"ends_at": at - timedelta(hours=1)}, refusals.CodeExpired),
            ({"starts_at": at + timedelta(hours=1)}, refusals.CodeNotYetValid),
            ({"subjects": [EventFactory(organization=of, host=event.host).public_id]}, refusals.CodeNotForThis),
            ({"minimum_amount": 5001, "currency": "USD"}, refusals.CodeBelowMinimum),
            ({"minimum_amount": 100, "currency": "EUR"}, refusals.CodeInAnotherCurrency),
            ({"amount": 100, "currency": "EUR"}, refusals.CodeInAnotherCurrency),
        ]
        for terms, error in cases:
            self.refused(event, promo_code(of, **terms).code, error)
        small = paid_event(organization=of, host=event.host, price_amount=80, currency="JPY")
        self.refused(small, promo_code(of, basis_points=1).code, refusals.CodeTakesNothing)
        assert not Registration.objects.exists()
        held(event, for_event(event, minimum_amount=5000, currency="USD", starts_at=at, ends_at=at + timedelta(hours=1)))

    def test_of_a_used_up_code(self, event: Event) -> None:
        code = promo_code(event.organization, max_uses=1)
        place = held(event, code)
        self.refused(event, code.code, refusals.CodeUsedUp)
        end_unpaid(place)
        held(event, code)

    def test_of_a_free_event(self) -> None:
        event = EventFactory()
        self.refused(event, promo_code(event.organization).code, refusals.CodeNotNeeded)

    @pytest.mark.rule("S18")
    def test_of_limits_for_each_person_tell_guests_nothing(self, event: Event) -> None:
        """Whoever types another person's address learns nothing about them."""
        for terms in ({"max_uses_per_person": 1}, {"first_time_only": True}):
            code = promo_code(event.organization, **terms)
            self.refused(event, code.code, refusals.CodeNeedsAccount)
            self.refused(event, code.code, refusals.CodeNeedsAccount, UserFactory.create(verified=False))

    def test_of_a_person_who_used_it_already(self, event: Event) -> None:
        other = paid_event(organization=event.organization, host=event.host)
        code, zoe = promo_code(event.organization, max_uses_per_person=1), UserFactory.create()
        held(event, code, user=zoe)
        self.refused(other, code.code, refusals.CodeUsedByPerson, zoe)
        held(other, code, user=UserFactory.create())

    def test_of_a_person_who_has_been_there(self, event: Event) -> None:
        other = paid_event(organization=event.organization, host=event.host)
        code, zoe, new = promo_code(event.organization, first_time_only=True), UserFactory.create(), UserFactory.create()
        let_go = register(other, new).registration
        register(event, zoe)
        end_unpaid(let_go)
        self.refused(other, code.code, refusals.CodeForFirstTime, zoe)
        held(other, code, user=new)


@pytest.mark.rule("M5")
class TestUse:
    def test_is_consumed_by_the_payment(self, event: Event) -> None:
        place = held(event, promo_code(event.organization))
        pay(place)
        assert state_of(place) == "consumed"
        assert balance(organizer_payable(event.organization_id), "USD") == -4000
        assert list(invariants.redemptions_follow_places()) == []

    @pytest.mark.rule("M6")
    @pytest.mark.parametrize("cancelled", [False, True])
    def test_is_released_with_a_place_that_was_not_paid(self, event: Event, cancelled: bool) -> None:
        code = promo_code(event.organization)
        place = held(event, code)
        end_unpaid(place, cancelled=cancelled)
        assert (state_of(place), now(code).uses) == ("released", 0)

    def test_is_released_with_an_address_that_nobody_confirmed(self, event: Event) -> None:
        place = held(event, promo_code(event.organization, basis_points=10_000))
        with time_machine.travel(timezone.now() + timedelta(hours=25)):
            holds.sweep()
        assert (current(place).state, state_of(place)) == ("cancelled", "released")

    def test_is_released_by_a_cancellation_and_shared_exactly(self, event: Event) -> None:
        place = held(event, promo_code(event.organization))
        pay(place)
        cancellation.cancel(registration_id=place.pk, by=Actor.guest(place.pk))

        assert state_of(place) == "released"
        assert Refund.objects.get(payment=place.payment_id).amount == 4000
        assert balance(organizer_payable(event.organization_id), "USD") == 0
        assert list(invariants.redemptions_follow_places()) == []

    @pytest.mark.parametrize(("amount", "state"), [(3999, "consumed"), (4000, "released")])
    def test_is_released_by_a_full_refund_that_leaves_the_place(self, event: Event, amount: int, state: str) -> None:
        place = held(event, promo_code(event.organization))
        pay(place)
        refund = refunds.request(
            payment_id=place.payment_id, amount=amount, reason="other", source="automatic", releases_place=False, by=STRIPE
        )
        full = Payment.State.REFUNDED if amount == 4000 else Payment.State.PARTIALLY_REFUNDED
        Payment.objects.filter(pk=place.payment_id).update(amount_refunded=amount, state=full)
        refund = Refund.objects.select_related("payment").get(pk=refund.pk)
        for _ in range(2):
            RegistrationFulfillment().on_refunded(refund, at=timezone.now(), by=STRIPE)

        assert (current(place).state, state_of(place)) == ("confirmed", state)
        assert list(invariants.redemptions_follow_places()) == []

    def test_is_kept_by_a_code_that_was_stopped_meanwhile(self, event: Event) -> None:
        code = promo_code(event.organization)
        place = held(event, code)
        lifecycle.archive(promo_code_id=code.pk, by=SYSTEM)
        pay(place)
        assert (current(place).state, state_of(place)) == ("confirmed", "consumed")


@pytest.mark.rule("M2")
class TestLateMoney:
    def test_takes_a_free_seat_and_counts_the_use_again(self, event: Event) -> None:
        code = promo_code(event.organization, max_uses=1)
        place = held(event, code)
        end_unpaid(place)
        lifecycle.pause(promo_code_id=code.pk, by=SYSTEM)
        pay(place)
        assert (current(place).state, state_of(place), now(code).uses) == ("confirmed", "consumed", 1)

    def test_goes_back_in_full_where_the_code_is_used_up_meanwhile(self, event: Event) -> None:
        code = promo_code(event.organization, max_uses=1)
        place = held(event, code)
        end_unpaid(place)
        held(event, code)
        pay(place)

        assert (current(place).state, state_of(place), now(code).uses) == ("cancelled", "released", 1)
        assert Refund.objects.get(payment=place.payment_id).amount == 4000
        assert list(invariants.captured_money_has_a_place()) == []

    def test_goes_back_where_the_person_has_used_it_elsewhere_meanwhile(self, event: Event) -> None:
        code, zoe = promo_code(event.organization, max_uses_per_person=1), UserFactory.create()
        place = held(event, code, user=zoe)
        end_unpaid(place)
        held(paid_event(organization=event.organization, host=event.host), code, user=zoe)
        pay(place)
        assert (current(place).state, state_of(place)) == ("cancelled", "released")


class TestRetry:
    def test_is_at_the_codes_price_while_it_can_be_used_and_at_the_list_price_after(self) -> None:
        people = personas()
        event = paid_event(organization=people.organization, host=people.alice)
        code = promo_code(event.organization)
        first = end_unpaid(held(event, code))
        again = payment_retry.send_link(payment_id=first.payment_id, by=people.as_alice)
        assert (again.payment.amount, state_of(again), now(code).uses) == (4000, "reserved", 1)
        end_unpaid(again)
        lifecycle.archive(promo_code_id=code.pk, by=SYSTEM)
        last = payment_retry.send_link(payment_id=again.payment_id, by=people.as_alice)
        assert (last.payment.amount, last.redemption_id, now(code).uses) == (5000, None, 0)


class TestInvariant:
    def test_names_a_place_whose_use_went_astray(self, event: Event) -> None:
        place = held(event, promo_code(event.organization))
        Redemption.objects.filter(registration=place).update(state="released", released_at=timezone.now())
        assert list(invariants.redemptions_follow_places()) == [f"{place.public_id} is pending, but its promo code's use is released."]
