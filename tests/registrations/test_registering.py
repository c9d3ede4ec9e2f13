"""Taking a place: what is stored, what it costs in queries, and every refusal."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.actor import Actor
from audit.models import AuditEntry
from billing import refund_terms
from billing.models import FeeSchedule, Payment, TaxRate
from billing.quoting import TotalBelowMinimum
from core.errors import InvalidInput, NotFound
from core.models import Job
from events.models import Event
from registrations import admission, guest_links, registering
from registrations.models import Registration
from tests.factories.events import DraftEventFactory, EventFactory
from tests.factories.people import UserFactory, actor, personas
from tests.factories.registrations import confirmed, current, paid_event, register

STATE = Registration.State


def seats(event: Event) -> int:
    return Event.objects.get(pk=event.pk).seats_taken


def nothing_happened(event: Event) -> bool:
    """No place, no payment, no seat, no audit entry, no work."""
    rows = (Registration.objects.filter(event=event), Payment.objects.filter(group=event.public_id), AuditEntry.objects, Job.objects)
    return seats(event) == 0 and not any(row.exists() for row in rows)


@pytest.mark.django_db
class TestRegister:
    def test_confirms_a_verified_person_for_a_free_event_at_once(self) -> None:
        event, user = EventFactory(), UserFactory(name="Zoë")
        given = register(event, user, name="", email="somebody-else@example.org")

        place = current(given.registration)
        assert (place.state, place.user_id, place.email, place.name) == (STATE.CONFIRMED, user.pk, user.email, "Zoë")
        assert place.confirmed_at is not None
        assert (place.hold_expires_at, place.payment_id, place.guest_key_hash) == (None, None, "")
        assert (given.guest_key, given.payment_id, given.quote.total.amount) == (None, None, 0)
        assert seats(event) == 1
        entry = AuditEntry.objects.get(object_id=place.pk)
        assert (entry.action, entry.user_id, entry.organization_id) == ("registration.created", user.pk, event.organization_id)

    def test_holds_a_guests_free_place_until_the_address_is_confirmed(self) -> None:
        event = EventFactory()
        given = register(event, email="Zoe@Example.org")

        place = current(given.registration)
        assert (place.state, place.email, place.user_id) == (STATE.PENDING, "zoe@example.org", None)
        assert place.hold_expires_at is not None
        assert timedelta(hours=23, minutes=59) < place.hold_expires_at - timezone.now() <= timedelta(hours=24)
        assert seats(event) == 1
        assert given.guest_key is not None
        assert given.guest_key not in place.guest_key_hash

    def test_holds_an_unverified_persons_free_place_too(self) -> None:
        given = register(EventFactory(), UserFactory(verified=False))

        assert current(given.registration).state == STATE.PENDING

    @pytest.mark.rule("M6")
    def test_holds_a_paid_place_with_its_payment_until_checkout_is_over(self) -> None:
        event = paid_event()
        given = register(event, UserFactory(), expected_total=5000)

        place = current(given.registration)
        payment = Payment.objects.get(pk=given.payment_id)
        assert (place.state, place.payment_id) == (STATE.PENDING, payment.pk)
        assert place.hold_expires_at is not None
        assert timedelta(minutes=34) < place.hold_expires_at - timezone.now() <= timedelta(minutes=35)
        assert (payment.state, payment.amount, payment.amount_captured) == (Payment.State.PENDING, 5000, 0)
        assert (payment.subject, payment.group, payment.purpose) == (place.public_id, event.public_id, "registration")
        assert (payment.responsible_id, payment.organization_id) == (event.host_id, event.organization_id)
        assert payment.refund_terms == [{"hours_before": 168, "percent": 100}, {"hours_before": 48, "percent": 50}]
        assert payment.release_at == event.ends_at + timedelta(days=3)
        assert seats(event) == 1

    def test_freezes_no_refunds_as_no_refunds(self) -> None:
        given = register(paid_event(refund_terms=[]), UserFactory())

        payment = Payment.objects.get(pk=given.payment_id)
        assert payment.refund_terms == []
        assert refund_terms.percent_at(payment, timezone.now() - timedelta(days=900)) == 0

    def test_takes_the_tax_of_the_venue_in_person_and_of_the_buyer_online(self) -> None:
        for jurisdiction, points in (("DE", 1900), ("FR", 2000)):
            TaxRate.objects.create(jurisdiction=jurisdiction, name="VAT", basis_points=points, starts_on="2020-01-01")
        there = paid_event(format=Event.Format.IN_PERSON, venue="Hall 1", country="DE")

        assert register(there, country="FR").quote.total.amount == 5950
        assert register(paid_event(), country="fr").quote.total.amount == 6000
        assert register(paid_event()).quote.tax_note == "No tax is charged."

    @pytest.mark.parametrize("name", ["Zoë 🦉", "محمد بن سلمان", "山田 太郎", "👩‍⚕️ Dr. O'Neil-Ågård", "x" * 200])
    def test_takes_names_as_people_write_them(self, name: str) -> None:
        assert current(register(EventFactory(), name=name).registration).name == name

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": " \t "}, "name"),
            ({"name": "x" * 201}, "name"),
            ({"name": "x" * 1_000_000}, "name"),
            ({"name": "a\x00b"}, "name"),
            ({"name": "a\nb"}, "name"),
            ({"name": "a\u202eb"}, "name"),
            ({"email": ""}, "email"),
            ({"email": "nobody"}, "email"),
            ({"email": "a@b\r\nBcc: c@d.org"}, "email"),
            ({"email": "x" * 1_000_000 + "@example.org"}, "email"),
            ({"country": "Germany"}, "country"),
        ],
    )
    def test_refuses_what_is_no_name_or_address_with_one_sentence(self, given: dict[str, str], field: str) -> None:
        event = paid_event()
        with pytest.raises(InvalidInput) as refused:
            register(event, **given)

        assert refused.value.field == field
        assert str(refused.value).count(".") <= 2
        assert len(str(refused.value)) < 120
        assert nothing_happened(event)

    def test_lets_somebody_register_again_after_cancelling(self) -> None:
        event = EventFactory()
        first = confirmed(event, email="zoe@example.org")
        first.cancel(at=timezone.now(), reason="attendee")
        first.save()

        assert current(register(event, email="zoe@example.org").registration).state == STATE.PENDING
        assert seats(event) == 1


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.gap("5.3")
    def test_refuses_a_full_event(self) -> None:
        event = EventFactory(capacity=1)
        register(event)
        before = Job.objects.count()

        with pytest.raises(admission.EventFull) as refused:
            register(event)
        assert (refused.value.code, refused.value.http_status) == ("EVENT_FULL", 409)
        assert seats(event) == 1
        assert Job.objects.count() == before

    @pytest.mark.rule("C5")
    @pytest.mark.parametrize(
        ("hours", "sentence"),
        [
            ({"starts_at": -1, "ends_at": 1}, "has started"),
            ({"starts_at": -3, "ends_at": -1}, "is over"),
            ({"registration_opens_at": 1}, "opens on"),
            ({"registration_closes_at": -1}, "is closed"),
        ],
    )
    def test_refuses_outside_the_time_of_registration(self, hours: dict[str, int], sentence: str) -> None:
        event = EventFactory()
        times = {name: timezone.now() + timedelta(hours=number) for name, number in hours.items()}
        Event.objects.filter(pk=event.pk).update(**times)

        with pytest.raises(admission.RegistrationClosed, match=sentence) as refused:
            register(event)
        assert (refused.value.code, refused.value.http_status) == ("REGISTRATION_CLOSED", 409)
        assert nothing_happened(event)

    def test_names_the_opening_in_the_events_zone(self) -> None:
        event = EventFactory(registration_opens_at="2030-01-15T11:00:00+00:00", starts_at=timezone.now() + timedelta(days=3000))

        with pytest.raises(admission.RegistrationClosed, match=r"Tuesday 15 January 2030, 12:00 \(Europe/Berlin\)"):
            register(event)

    def test_refuses_a_draft_as_unknown_to_strangers_and_as_closed_to_its_people(self) -> None:
        people = personas()
        event = DraftEventFactory(organization=people.organization)

        with pytest.raises(NotFound):
            register(event)
        with pytest.raises(NotFound):
            register(event, people.charlie)
        with pytest.raises(admission.RegistrationClosed, match="not published"):
            register(event, people.alice)
        assert nothing_happened(event)

    def test_refuses_an_unknown_event(self) -> None:
        with pytest.raises(NotFound):
            registering.register(event_id=UserFactory().pk, by=Actor.anonymous(), email="a@example.org", name="A")

    def test_refuses_guests_where_an_account_is_needed(self) -> None:
        event = EventFactory(guests_allowed=False)

        with pytest.raises(admission.GuestsNotAllowed) as refused:
            register(event)
        assert (refused.value.code, refused.value.http_status) == ("GUESTS_NOT_ALLOWED", 403)
        assert nothing_happened(event)
        assert current(register(event, UserFactory()).registration).state == STATE.CONFIRMED

    def test_refuses_a_signed_in_person_twice_even_when_full(self) -> None:
        event, user = EventFactory(capacity=1), UserFactory()
        place = register(event, user).registration

        with pytest.raises(admission.AlreadyRegistered) as refused:
            register(event, user)
        assert (refused.value.code, refused.value.http_status) == ("ALREADY_REGISTERED", 409)
        assert refused.value.details == {"registration": place.public_id}
        assert seats(event) == 1

    def test_refuses_a_verified_person_whose_address_has_a_guests_place(self) -> None:
        event, user = EventFactory(), UserFactory()
        register(event, email=user.email.upper())

        with pytest.raises(admission.AlreadyRegistered):
            register(event, user)

    def test_refuses_a_changed_price_with_the_new_quote(self) -> None:
        event = paid_event()
        FeeSchedule.objects.create(currency="USD", service_fixed=100)

        with pytest.raises(admission.PriceChanged) as refused:
            register(event, expected_total=5000)
        assert (refused.value.code, refused.value.http_status) == ("PRICE_CHANGED", 409)
        assert refused.value.details["quote"]["total"] == {"amount": 5100, "currency": "USD"}
        assert [line["amount"] for line in refused.value.details["quote"]["lines"]] == [5000, 100]
        assert nothing_happened(event)

    def test_refuses_a_total_that_cannot_be_charged(self) -> None:
        event = paid_event(price_amount=49)

        with pytest.raises(TotalBelowMinimum):
            register(event)
        assert nothing_happened(event)


@pytest.mark.django_db
class TestDuplicateOfAGuest:
    @pytest.mark.rule("S18")
    @pytest.mark.parametrize("price", [0, 5000])
    def test_is_answered_like_a_first_one_and_stores_nothing(self, price: int) -> None:
        event = EventFactory(price_amount=price)
        first = register(event, email="zoe@example.org")
        payments, entries = Payment.objects.count(), AuditEntry.objects.count()

        second = register(event, email="ZOE@example.org")

        assert second.registration.pk != first.registration.pk
        assert second.registration.state == first.registration.state
        assert second.guest_key not in (None, first.guest_key)
        assert second.quote == first.quote
        assert second.registration.hold_expires_at is not None
        assert not Registration.objects.filter(pk=second.registration.pk).exists()
        assert (Payment.objects.count(), AuditEntry.objects.count(), seats(event)) == (payments, entries, 1)
        with pytest.raises(NotFound):
            guest_links.actor_for_key(registration_id=first.registration.pk, key=second.guest_key or "")

    def test_of_a_full_event_is_refused_like_anybody(self) -> None:
        event = EventFactory(capacity=1)
        register(event, email="zoe@example.org")

        with pytest.raises(admission.EventFull):
            register(event, email="zoe@example.org")

    def test_of_an_account_that_is_not_verified_learns_nothing(self) -> None:
        event, stranger = EventFactory(), UserFactory(verified=False)
        register(event, email=stranger.email)

        assert register(event, stranger).registration.state == STATE.PENDING
        assert Registration.objects.filter(event=event).count() == 1


def queries_of(event: Event, **values: Any) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        registering.register(event_id=event.pk, **values)
    return [query["sql"] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]


@pytest.mark.django_db
class TestCost:
    def test_a_paid_registration_with_fees_and_tax_takes_twelve_queries_at_most(self) -> None:
        FeeSchedule.objects.create(currency="USD", service_fixed=100)
        TaxRate.objects.create(jurisdiction="FR", name="VAT", basis_points=2000, starts_on="2020-01-01")
        event, by = paid_event(), actor(UserFactory())

        assert len(queries_of(event, by=by, country="FR")) <= 12

    def test_whoever_comes_too_late_takes_two_queries_and_no_lock(self) -> None:
        event = EventFactory(capacity=1)
        register(event)
        with CaptureQueriesContext(connection) as captured, pytest.raises(admission.EventFull):
            register(event)

        assert len(captured) <= 2
        assert not any("FOR " in query["sql"] for query in captured)


@pytest.mark.django_db
class TestConfirmAddress:
    def test_confirms_the_place_and_changes_nothing_the_second_time(self) -> None:
        event = EventFactory()
        held = register(event).registration
        key = guest_links.confirm_key(held.pk)

        first = registering.confirm_address(registration_id=held.pk, key=key)
        second = registering.confirm_address(registration_id=held.pk, key=key)

        assert (first.state, second.confirmed_at) == (STATE.CONFIRMED, first.confirmed_at)
        assert current(held).hold_expires_at is None
        assert AuditEntry.objects.filter(object_id=held.pk, action="registration.confirmed").count() == 1
        assert seats(event) == 1

    def test_refuses_the_key_that_only_manages_the_place(self) -> None:
        given = register(EventFactory())

        for key in (given.guest_key or "", "", "x" * 100_000, guest_links.confirm_key(given.registration.event_id)):
            with pytest.raises(NotFound):
                registering.confirm_address(registration_id=given.registration.pk, key=key)
        assert current(given.registration).state == STATE.PENDING

    def test_never_confirms_a_place_that_waits_for_money(self) -> None:
        held = register(paid_event()).registration
        registering.confirm_address(registration_id=held.pk, key=guest_links.confirm_key(held.pk))

        assert current(held).state == STATE.PENDING

    def test_says_that_the_place_was_let_go(self) -> None:
        held = current(register(EventFactory()).registration)
        held.cancel(at=timezone.now(), reason="expired")
        held.save()

        with pytest.raises(registering.HoldExpired) as refused:
            registering.confirm_address(registration_id=held.pk, key=guest_links.confirm_key(held.pk))
        assert refused.value.code == "HOLD_EXPIRED"
