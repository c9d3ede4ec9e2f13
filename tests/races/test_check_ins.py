"""Two desks, one person: one check-in, and everybody else is told."""

from typing import Any

import pytest
from django.db import transaction

from registrations import attendance, check_ins, tickets, verdicts
from registrations.models import AttendanceInterval, CheckIn, Registration, Verdict
from tests.factories.attendance import event_under_way, parts, stay
from tests.factories.people import personas
from tests.registrations.test_attendance import place_at
from tests.threads import in_threads

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("3.3")]
DESKS = 4


def test_desks_let_one_person_in_once() -> None:
    people = personas()
    place = place_at(event_under_way(people))
    by, ticket = people.as_alice, tickets.code(place.pk)

    done = in_threads(DESKS, lambda number: check_ins.check_in(event_id=place.event_id, ticket=ticket, request_key=f"desk-{number}", by=by))

    assert sorted(type(one).__name__ for one in done) == ["AlreadyCheckedIn"] * (DESKS - 1) + ["CheckedIn"]
    assert CheckIn.objects.count() == 1


def test_one_request_sent_by_every_thread_is_one_check_in() -> None:
    people = personas()
    place = place_at(event_under_way(people))
    by, ticket = people.as_alice, tickets.code(place.pk)

    done: list[Any] = in_threads(DESKS, lambda _: check_ins.check_in(event_id=place.event_id, ticket=ticket, request_key="same", by=by))

    assert len({one.check_in.pk for one in done}) == CheckIn.objects.count() == 1
    assert sum(one.repeated for one in done) == DESKS - 1


def test_the_verdict_is_of_all_that_came_at_once() -> None:
    """Attendance, decisions and the working out of the whole event meet at one place: the last word counts all of it."""
    people = personas()
    event = event_under_way(people, sessions=2)
    place, (one, two), by = place_at(event), parts(event), people.as_alice

    def late(_: int) -> None:
        with transaction.atomic():
            locked = Registration.objects.select_for_update(of=["self"]).select_related("event").get(pk=place.pk)
            stay(locked, one, 60)
            verdicts.refresh(registration=locked, by=by)

    what: list[Any] = [
        late,
        lambda _: verdicts.recompute(event_id=event.pk),
        lambda _: check_ins.check_in(event_id=event.pk, registration_id=place.pk, session_id=two.pk, by=by),
        lambda _: attendance.decide(registration_id=place.pk, session_id=one.pk, decision="grant", reason="x", by=by),
    ]
    done = in_threads(len(what), lambda number: what[number](number))

    assert not [one for one in done if isinstance(one, Exception)]
    assert AttendanceInterval.objects.count() == CheckIn.objects.count() == 1
    assert Verdict.objects.get().is_eligible
    assert verdicts.outdated(event) == []
