"""Giving a place up: who may, what happens to the money, and that nothing is kept without a word."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from billing import refunds
from billing.models import Payment, Refund
from core.errors import NotFound, PermissionRefused, StepUpRequired
from core.models import Job
from core.money import Money
from events.models import Event
from organizations.models import Membership, Organization
from registrations import cancellation, guest_links, invariants
from registrations.models import Registration
from tests.factories.events import EventFactory
from tests.factories.people import Personas, UserFactory, actor, personas, staff
from tests.factories.registrations import confirmed, current, paid, paid_event, register

STATE, REASON = Registration.State, Registration.CancelReason


@pytest.fixture
def people() -> Personas:
    return personas()


def seats(place: Registration) -> int:
    return Event.objects.get(pk=place.event_id).seats_taken


def guest(place: Registration) -> Actor:
    return guest_links.actor_for_key(registration_id=place.pk, key=guest_links.manage_key(place.pk))


def ending(place: Registration) -> int:
    """How often billing was asked to end the place's payment."""
    return Job.objects.filter(name="billing.checkout.end", ids__payment_id=str(place.payment_id)).count()


def mails(place: Registration) -> int:
    return Job.objects.filter(name="registrations.emails.send_cancelled", ids={"registration_id": str(place.pk)}).count()


def before_start(place: Registration, **ago: Any) -> time_machine.travel:
    return time_machine.travel(place.event.starts_at - timedelta(**ago), tick=False)


@pytest.mark.django_db
class TestCancelFree:
    def test_by_its_guest_frees_the_seat_and_mails_once(self) -> None:
        place = confirmed()
        cancellation.cancel(registration_id=place.pk, by=guest(place))

        after = current(place)
        assert (after.state, after.cancel_reason) == (STATE.CANCELLED, REASON.ATTENDEE)
        assert after.cancelled_at is not None
        assert seats(place) == 0
        assert mails(place) == 1
        assert not Refund.objects.exists()
        entry = AuditEntry.objects.get(object_id=place.pk, action="registration.cancelled")
        assert (entry.actor, entry.before, entry.after["reason"]) == (f"guest:{place.pk}", {"state": "confirmed"}, "attendee")

    def test_by_the_organizer_says_so(self, people: Personas) -> None:
        place = confirmed(EventFactory(organization=people.organization, host=people.bob))
        cancellation.cancel(registration_id=place.pk, by=people.as_bob)

        assert current(place).cancel_reason == REASON.ORGANIZER

    def test_of_a_cancelled_place_is_refused(self) -> None:
        place = confirmed()
        cancellation.cancel(registration_id=place.pk, by=guest(place))

        with pytest.raises(cancellation.AlreadyCancelled) as refused:
            cancellation.cancel(registration_id=place.pk, by=guest(place))
        assert (refused.value.code, refused.value.http_status) == ("ALREADY_CANCELLED", 409)
        assert mails(place) == 1

    def test_after_the_start_is_the_organizers_matter(self, people: Personas) -> None:
        place = confirmed(EventFactory(organization=people.organization))
        with time_machine.travel(place.event.starts_at + timedelta(minutes=1)):
            with pytest.raises(cancellation.CancellationClosed):
                cancellation.cancel(registration_id=place.pk, by=guest(place))
            assert current(place).state == STATE.CONFIRMED
            cancellation.cancel(registration_id=place.pk, by=people.as_alice)
        assert current(place).state == STATE.CANCELLED


@pytest.mark.django_db
@pytest.mark.gap("4.2")
class TestWhoMayCancel:
    def test_nobody_else_even_sees_it(self, people: Personas) -> None:
        place, other = confirmed(EventFactory(organization=people.organization)), confirmed()
        member = UserFactory()
        Membership.objects.create(organization=people.organization, user=member, role="admin", ended_at=timezone.now())
        strangers = [people.as_charlie, actor(people.charlie), Actor.anonymous(), guest(other), actor(member)]

        for by in strangers:
            with pytest.raises(NotFound):
                cancellation.cancel(registration_id=place.pk, by=by)
        assert current(place).state == STATE.CONFIRMED

    def test_those_who_only_look_are_refused(self, people: Personas) -> None:
        place = confirmed(EventFactory(organization=people.organization))
        for by in (staff(StaffGroup.AUDITOR), staff(StaffGroup.FINANCE)):
            with pytest.raises(PermissionRefused):
                cancellation.cancel(registration_id=place.pk, by=by)
        assert current(place).state == STATE.CONFIRMED
        assert mails(place) == 0

    def test_an_organizer_of_own_events_only_sees_no_other(self, people: Personas) -> None:
        Organization.objects.filter(pk=people.organization.pk).update(organizer_scope="own")
        place = confirmed(EventFactory(organization=people.organization, host=people.alice))

        with pytest.raises(NotFound):
            cancellation.cancel(registration_id=place.pk, by=people.as_bob)

    def test_a_member_in_the_console_acts_for_the_organization_even_on_their_own_place(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization)
        place = register(event, people.alice).registration
        cancellation.cancel(registration_id=place.pk, by=people.as_alice)

        assert current(place).cancel_reason == REASON.ORGANIZER


@pytest.mark.django_db
class TestCancelUnpaid:
    @pytest.mark.rule("M2")
    def test_keeps_the_seat_until_stripe_has_said_that_nobody_paid(self) -> None:
        place = register(paid_event()).registration
        cancellation.cancel(registration_id=place.pk, by=guest(place))
        cancellation.cancel(registration_id=place.pk, by=guest(place))

        after = current(place)
        assert (after.state, after.cancel_reason) == (STATE.PENDING, REASON.ATTENDEE)
        assert seats(place) == 1
        assert ending(place) == 1
        assert mails(place) == 0


@pytest.mark.django_db
class TestCancelPaid:
    @pytest.mark.rule("M2")
    @pytest.mark.parametrize(("ago", "back"), [({"days": 7}, 5000), ({"days": 6}, 2500), ({"hours": 48}, 2500)])
    def test_by_the_attendee_requests_what_the_frozen_terms_give(self, ago: dict[str, int], back: int) -> None:
        place = paid()
        with before_start(place, **ago):
            cancellation.cancel(registration_id=place.pk, by=guest(place))

        assert current(place).state == STATE.CANCELLED
        refund = Refund.objects.get(payment_id=place.payment_id)
        assert (refund.amount, refund.source, refund.requested_by_id) == (back, Refund.Source.AUTOMATIC, None)
        assert seats(place) == 0
        assert list(invariants.captured_money_has_a_place()) == []

    @pytest.mark.rule("M2")
    def test_by_the_attendee_too_late_is_recorded_by_name(self) -> None:
        place = paid()
        with before_start(place, hours=47):
            cancellation.cancel(registration_id=place.pk, by=guest(place))

        assert current(place).state == STATE.CANCELLED
        assert not Refund.objects.exists()
        entry = AuditEntry.objects.get(object_id=place.pk, action=cancellation.KEPT_BY_TERMS)
        assert entry.reason == "0 % by the terms at this moment"
        assert list(invariants.captured_money_has_a_place()) == []

    def test_by_the_attendee_needs_no_second_person_above_the_limit(self, people: Personas) -> None:
        event = paid_event(organization=people.organization, price_amount=90_000)
        place = paid(event, people.charlie)
        cancellation.cancel(registration_id=place.pk, by=actor(people.charlie))

        assert Refund.objects.get(payment_id=place.payment_id).state == Refund.State.REQUESTED

    def test_by_the_organizer_gives_everything_back_whatever_the_terms(self, people: Personas) -> None:
        place = paid(paid_event(organization=people.organization))
        with before_start(place, hours=1):
            cancellation.cancel(registration_id=place.pk, by=people.as_alice)

        refund = Refund.objects.get(payment_id=place.payment_id)
        assert (refund.amount, refund.requested_by_id) == (5000, people.alice.pk)
        assert current(place).cancel_reason == REASON.ORGANIZER

    def test_by_the_organizer_takes_a_fresh_second_factor_and_else_changes_nothing(self, people: Personas) -> None:
        place = paid(paid_event(organization=people.organization))
        tired = actor(people.alice, organization=people.organization, stepped_up=False)

        with pytest.raises(StepUpRequired):
            cancellation.cancel(registration_id=place.pk, by=tired)
        with pytest.raises(PermissionRefused):
            cancellation.cancel(registration_id=place.pk, by=staff(StaffGroup.SUPPORT))
        assert current(place).state == STATE.CONFIRMED
        assert seats(place) == 1
        assert not Refund.objects.exists()

    def test_takes_earlier_refunds_into_account(self, people: Personas) -> None:
        place = paid(paid_event(organization=people.organization))
        cancellation.refund(registration_id=place.pk, amount=3000, reason="other", by=people.as_alice)
        cancellation.cancel(registration_id=place.pk, by=guest(place))

        assert sorted(Refund.objects.values_list("amount", flat=True)) == [2000, 3000]

    def test_of_a_disputed_payment_leaves_the_money_to_the_bank(self) -> None:
        place = paid()
        Payment.objects.filter(pk=place.payment_id).update(amount_disputed=5000)
        cancellation.cancel(registration_id=place.pk, by=guest(place))

        assert current(place).state == STATE.CANCELLED
        assert not Refund.objects.exists()
        assert AuditEntry.objects.get(object_id=place.pk, action=cancellation.KEPT_BY_TERMS).reason == "disputed at the bank"


@pytest.mark.django_db
class TestGivenBack:
    def test_says_before_what_cancelling_would_refund(self, people: Personas) -> None:
        place = paid(paid_event(organization=people.organization))
        at = place.event.starts_at - timedelta(days=3)

        assert cancellation.given_back(registration=place, at=at, by=guest(place)) == Money(2500, "USD")
        assert cancellation.given_back(registration=place, at=at, by=people.as_alice) == Money(5000, "USD")
        assert cancellation.given_back(registration=confirmed(), at=at, by=guest(place)) is None


@pytest.mark.django_db
@pytest.mark.gap("1.3")
class TestRefund:
    def test_requests_a_refund_that_gives_the_place_back_once_it_is_paid_out(self, people: Personas) -> None:
        place = paid(paid_event(organization=people.organization))
        refund = cancellation.refund(registration_id=place.pk, amount=5000, reason="other", note="Ill", by=people.as_bob)

        assert (refund.amount, refund.releases_place, refund.source, refund.note) == (5000, True, Refund.Source.API, "Ill")
        assert current(place).state == STATE.CONFIRMED
        assert seats(place) == 1

    def test_takes_what_the_terms_give_where_no_amount_is_named(self, people: Personas) -> None:
        place = paid(paid_event(organization=people.organization))
        with before_start(place, days=3):
            refund = cancellation.refund(registration_id=place.pk, amount=None, reason="other", by=people.as_alice)

        assert refund.amount == 2500

    def test_gives_the_same_refund_for_the_same_token(self, people: Personas) -> None:
        place = paid(paid_event(organization=people.organization))
        same = [
            cancellation.refund(registration_id=place.pk, amount=100, reason="other", request_token="once", by=people.as_alice).pk
            for _ in range(2)
        ]

        assert same[0] == same[1]
        assert Refund.objects.filter(payment_id=place.payment_id).count() == 1

    def test_refuses_a_place_that_nothing_was_paid_for(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization)
        with pytest.raises(cancellation.NothingPaid) as refused:
            cancellation.refund(registration_id=confirmed(event).pk, amount=100, reason="other", by=people.as_alice)
        assert (refused.value.code, refused.value.http_status) == ("NOTHING_PAID", 409)

    def test_refuses_a_place_that_is_not_paid_yet(self, people: Personas) -> None:
        place = register(paid_event(organization=people.organization)).registration
        with pytest.raises(refunds.NothingToRefund):
            cancellation.refund(registration_id=place.pk, amount=100, reason="other", by=people.as_alice)

    def test_is_not_for_the_attendee_nor_for_strangers(self, people: Personas) -> None:
        place = paid(paid_event(organization=people.organization))
        with pytest.raises(PermissionRefused):
            cancellation.refund(registration_id=place.pk, amount=100, reason="other", by=guest(place))
        with pytest.raises(NotFound):
            cancellation.refund(registration_id=place.pk, amount=100, reason="other", by=people.as_charlie)
        assert not Refund.objects.exists()
