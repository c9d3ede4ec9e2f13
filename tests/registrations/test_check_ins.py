"""The door: by ticket, by name, undone, sent twice, and everybody who has no place here."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound, PermissionRefused
from events.models import Event
from registrations import cancellation, check_ins, places, tickets
from registrations.models import CheckIn, Registration, Verdict
from tests.factories.attendance import event_under_way, parts
from tests.factories.events import SessionFactory
from tests.factories.people import Personas, actor, personas
from tests.factories.registrations import confirmed, current, register

pytestmark = [pytest.mark.django_db, pytest.mark.gap("3.3")]


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def place(people: Personas) -> Registration:
    """Somebody's place at an event that has begun; registered the day before."""
    return begun(confirmed(tomorrow(people)))


def tomorrow(people: Personas) -> Event:
    return event_under_way(people, starts_at=timezone.now() + timedelta(days=1), ends_at=timezone.now() + timedelta(days=2))


def begun(place: Registration) -> Registration:
    """The event's times, moved so that its first session is on."""
    event, now = place.event, timezone.now()
    type(event).objects.filter(pk=event.pk).update(starts_at=now - timedelta(minutes=30), ends_at=now + timedelta(hours=3))
    for number, session in enumerate(parts(event)):
        starts = now - timedelta(minutes=30) + timedelta(hours=number)
        type(session).objects.filter(pk=session.pk).update(starts_at=starts, ends_at=starts + timedelta(hours=1))
    return current(place)


def let_in(place: Registration, people: Personas, **values: Any) -> check_ins.CheckedIn:
    values = {"ticket": tickets.code(place.pk)} | values if "registration_id" not in values else values
    return check_ins.check_in(event_id=values.pop("event_id", place.event_id), by=values.pop("by", people.as_alice), **values)


class TestByTicket:
    def test_the_person_is_in_the_session_that_is_on_and_has_earned_it(self, place: Registration, people: Personas) -> None:
        made = let_in(place, people).check_in

        assert (made.session, made.method, made.by_user) == (parts(place.event)[0], CheckIn.Method.QR, people.alice)
        kept = Verdict.objects.get(registration=place)
        assert (kept.is_eligible, kept.reasons) == (True, ["1 of 1 required session."])
        assert 28 <= kept.minutes <= 30  # from now to the session's end
        entry = AuditEntry.objects.about(place).latest("id")
        assert (entry.action, entry.after["method"]) == ("registration.checked_in", "qr")

    def test_a_second_time_is_refused_with_when_it_was(self, place: Registration, people: Personas) -> None:
        made = let_in(place, people).check_in
        with pytest.raises(check_ins.AlreadyCheckedIn) as refused:
            let_in(place, people)

        assert str(refused.value).startswith("Checked in already, at ")
        assert refused.value.details == {"check_in": made.public_id}
        assert place.check_ins.count() == 1

    def test_sent_again_under_its_key_it_is_the_same_one(self, place: Registration, people: Personas) -> None:
        first, again = (let_in(place, people, request_key="desk-1") for _ in range(2))

        assert (first.repeated, again.repeated) == (False, True)
        assert first.check_in == again.check_in
        assert place.check_ins.count() == 1

    def test_sent_again_after_its_undo_it_does_not_come_back(self, place: Registration, people: Personas) -> None:
        made = let_in(place, people, request_key="desk-1").check_in
        check_ins.undo(check_in_id=made.pk, by=people.as_alice)

        assert let_in(place, people, request_key="desk-1").check_in.undone_at is not None
        assert not place.check_ins.filter(undone_at=None).exists()

    @pytest.mark.parametrize(
        "text", ["", "cpd1.", "hello", "cpd1." + "A" * 40, "cpd1." + "!" * 40, "https://example.org/", "cpd1." + "é" * 40]
    )
    def test_what_is_no_ticket_of_ours_is_refused(self, place: Registration, people: Personas, text: str) -> None:
        with pytest.raises((tickets.TicketUnknown, InvalidInput)):
            let_in(place, people, ticket=text)
        assert not CheckIn.objects.exists()

    def test_a_ticket_is_signed(self, place: Registration, people: Personas) -> None:
        """Another place's id under this one's signature."""
        other = confirmed(tomorrow(people))
        forged = tickets.code(other.pk)[:25] + tickets.code(place.pk)[25:]
        with pytest.raises(tickets.TicketUnknown):
            tickets.read(forged)
        assert tickets.read(f" {tickets.code(place.pk)}\n") == place.pk

    def test_of_a_place_that_is_gone_is_refused(self, place: Registration, people: Personas) -> None:
        with pytest.raises(tickets.TicketUnknown):
            let_in(place, people, ticket=tickets.code(place.event_id))

    def test_of_another_event_says_so_and_not_which(self, place: Registration, people: Personas) -> None:
        other = event_under_way(people)
        with pytest.raises(check_ins.TicketOfAnotherEvent) as refused:
            let_in(place, people, event_id=other.pk)
        assert place.event.title not in str(refused.value)

    def test_of_a_cancelled_place_is_refused(self, people: Personas) -> None:
        place = confirmed(tomorrow(people))
        cancellation.cancel(registration_id=place.pk, by=people.as_alice)
        with pytest.raises(places.PlaceCancelled):
            let_in(place, people)

    def test_of_a_place_that_nobody_confirmed_is_refused(self, people: Personas) -> None:
        held = register(tomorrow(people)).registration
        with pytest.raises(places.PlaceNotConfirmed):
            let_in(current(held), people)
        assert not CheckIn.objects.exists()


class TestByName:
    def test_somebody_is_let_in_from_the_list(self, place: Registration, people: Personas) -> None:
        assert let_in(place, people, registration_id=place.pk).check_in.method == CheckIn.Method.DESK

    @pytest.mark.parametrize("both", [True, False])
    def test_either_a_ticket_or_a_registration_is_asked_for(self, place: Registration, people: Personas, both: bool) -> None:
        with pytest.raises(InvalidInput):
            let_in(place, people, registration_id=place.pk if both else None, ticket=tickets.code(place.pk) if both else "")

    def test_a_registration_of_another_event_is_not_found(self, place: Registration, people: Personas) -> None:
        with pytest.raises(NotFound):
            let_in(place, people, registration_id=place.pk, event_id=event_under_way(people).pk)


class TestWhen:
    def test_the_desk_says_when_it_was_unless_its_clock_is_ahead(self, place: Registration, people: Personas) -> None:
        at = timezone.now() - timedelta(minutes=10)
        made = let_in(place, people, at=at).check_in
        check_ins.undo(check_in_id=made.pk, by=people.as_alice)
        later = let_in(place, people, at=timezone.now() + timedelta(hours=5)).check_in

        assert made.at == at
        assert later.at <= timezone.now()

    def test_the_session_is_the_one_that_is_on_the_next_or_the_last(self, people: Personas) -> None:
        event = event_under_way(people, sessions=2)
        one, two = parts(event)

        assert check_ins.session_at([two, one], one.starts_at - timedelta(hours=1)) == one
        assert check_ins.session_at([two, one], one.starts_at) == one
        assert check_ins.session_at([two, one], one.ends_at) == two
        assert check_ins.session_at([two, one], two.ends_at + timedelta(days=1)) == two
        with pytest.raises(InvalidInput):
            check_ins.session_at([], one.starts_at)

    def test_another_session_can_be_named_but_only_of_this_event(self, place: Registration, people: Personas) -> None:
        second = SessionFactory(event=place.event, title="Part 2", starts_at=timezone.now() + timedelta(hours=1))

        assert let_in(place, people, session_id=second.pk).check_in.session == second
        with pytest.raises(NotFound):
            let_in(place, people, session_id=parts(event_under_way(people))[0].pk)


class TestUndo:
    def test_the_check_in_counts_no_more_and_another_can_be_made(self, place: Registration, people: Personas) -> None:
        made = let_in(place, people).check_in
        check_ins.undo(check_in_id=made.pk, by=people.as_bob)

        assert not Verdict.objects.get(registration=place).is_eligible
        assert AuditEntry.objects.about(place).filter(action="registration.check_in_undone").exists()
        assert let_in(place, people).check_in != made

    def test_a_second_time_is_refused(self, place: Registration, people: Personas) -> None:
        made = let_in(place, people).check_in
        check_ins.undo(check_in_id=made.pk, by=people.as_alice)
        with pytest.raises(check_ins.CheckInUndone):
            check_ins.undo(check_in_id=made.pk, by=people.as_alice)

    def test_of_another_event_or_organization_is_not_found(self, place: Registration, people: Personas) -> None:
        made = let_in(place, people).check_in
        for values in ({"by": people.as_charlie}, {"by": people.as_alice, "event_id": event_under_way(people).pk}):
            with pytest.raises(NotFound):
                check_ins.undo(check_in_id=made.pk, **values)
        assert CheckIn.objects.get(pk=made.pk).undone_at is None


class TestWhoMay:
    @pytest.mark.rule("C13")
    def test_colleagues_may_strangers_do_not_see_the_event(self, place: Registration, people: Personas) -> None:
        with pytest.raises(NotFound):
            let_in(place, people, by=people.as_charlie)
        assert let_in(place, people, by=people.as_bob).check_in.by_user == people.bob

    def test_an_attendee_lets_nobody_in(self, place: Registration, people: Personas) -> None:
        Registration.objects.filter(pk=place.pk).update(user=people.charlie)
        with pytest.raises((NotFound, PermissionRefused)):
            let_in(place, people, by=actor(people.charlie))


class TestTheDatabase:
    """What must never be, whoever writes it."""

    def check_in(self, place: Registration, session: Any, **values: Any) -> CheckIn:
        return CheckIn.objects.create(registration=place, session=session, method="qr", at=timezone.now(), **values)

    def test_has_one_active_check_in_for_a_place_and_session(self, place: Registration) -> None:
        session = parts(place.event)[0]
        self.check_in(place, session, undone_at=timezone.now())
        self.check_in(place, session)
        with pytest.raises(IntegrityError, match="check_in_active_once"), transaction.atomic():
            self.check_in(place, session)

    def test_takes_no_session_of_another_event(self, place: Registration, people: Personas) -> None:
        foreign = parts(event_under_way(people))[0]
        with pytest.raises(IntegrityError, match="another event"), transaction.atomic():
            self.check_in(place, foreign)
        made = self.check_in(place, parts(place.event)[0])
        with pytest.raises(IntegrityError, match="another event"), transaction.atomic():
            CheckIn.objects.filter(pk=made.pk).update(session=foreign)

    def test_moves_neither_an_attended_place_nor_a_session_to_another_event(self, place: Registration, people: Personas) -> None:
        other = event_under_way(people)
        self.check_in(place, parts(place.event)[0])
        with pytest.raises(IntegrityError, match="attendance is recorded"), transaction.atomic():
            Registration.objects.filter(pk=place.pk).update(event=other)
        with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
            place.event.sessions.update(event=other)
