"""The door and one's own outcome over the API: each person sees what is theirs."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import Event, Session
from registrations import attendance, guest_links, tickets, verdicts
from registrations.models import CheckIn, Registration
from tests.factories.attendance import event_under_way, parts, stay
from tests.factories.people import Personas, personas
from tests.public_api.calling import call, code, get, signed_in
from tests.registrations.test_attendance import place_at
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("3.3")]


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def event(people: Personas) -> Event:
    return event_under_way(people)


@pytest.fixture
def desk(people: Personas) -> Client:
    return signed_in(people.alice)


def let_in(client: Client, event: Event, **body: Any) -> Any:
    return call(client, "POST", f"/events/{event.public_id}/check-ins", body)


class TestCheckIn:
    def test_by_ticket_says_who_is_in(self, event: Event, desk: Client) -> None:
        place = place_at(event, name="Ada")
        answer = let_in(desk, event, ticket=tickets.code(place.pk), at=timezone.now().isoformat(), request_key="abc-1")

        assert answer.status_code == 201
        body = answer.json()
        assert (body["name"], body["session_title"], body["method"], body["undone_at"]) == ("Ada", "Part 1", "qr", None)
        assert body["registration"] == place.public_id

    def test_sent_again_under_its_key_is_answered_as_before(self, event: Event, desk: Client) -> None:
        place = place_at(event)
        first, again = (let_in(desk, event, registration=place.public_id, request_key="abc-1") for _ in range(2))

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()

    def test_of_who_has_no_place_is_one_sentence(self, event: Event, desk: Client) -> None:
        held = place_at(event, state="pending", confirmed_at=None, hold_expires_at=timezone.now() + timedelta(days=1))
        given_up = place_at(event)
        given_up.cancel(at=timezone.now(), reason="attendee")
        given_up.save()
        answers = [let_in(desk, event, ticket=tickets.code(place.pk)) for place in (held, given_up)]

        assert [(one.status_code, code(one)) for one in answers] == [(409, "PLACE_NOT_CONFIRMED"), (409, "PLACE_CANCELLED")]

    @pytest.mark.parametrize(
        ("body", "status", "refusal"),
        [
            ({"ticket": "hello"}, 422, "TICKET_UNKNOWN"),
            ({}, 422, "VALIDATION_ERROR"),
            ({"ticket": "x", "request_key": "not a key"}, 422, "VALIDATION_ERROR"),
            ({"ticket": "x", "at": "yesterday"}, 422, "VALIDATION_ERROR"),
            ({"ticket": "x", "more": 1}, 422, "VALIDATION_ERROR"),
        ],
    )
    def test_of_nothing_sensible_changes_nothing(self, event: Event, desk: Client, body: Any, status: int, refusal: str) -> None:
        answer = let_in(desk, event, **body)

        assert (answer.status_code, code(answer)) == (status, refusal)
        assert not CheckIn.objects.exists()

    def test_a_second_time_and_at_the_wrong_event_are_said_plainly(self, event: Event, desk: Client, people: Personas) -> None:
        place, other = place_at(event), event_under_way(people)
        made = let_in(desk, event, ticket=tickets.code(place.pk)).json()
        again, elsewhere = (let_in(desk, at, ticket=tickets.code(place.pk)) for at in (event, other))

        assert (code(again), again.json()["error"]["details"]) == ("ALREADY_CHECKED_IN", {"check_in": made["id"]})
        assert (elsewhere.status_code, code(elsewhere)) == (409, "TICKET_OF_ANOTHER_EVENT")

    def test_is_undone(self, event: Event, desk: Client) -> None:
        made = let_in(desk, event, ticket=tickets.code(place_at(event).pk)).json()
        path = f"/events/{event.public_id}/check-ins/{made['id']}"
        undone, again = call(desk, "DELETE", path), call(desk, "DELETE", path)

        assert undone.status_code == 200
        assert undone.json()["undone_at"] is not None
        assert (again.status_code, code(again)) == (409, "CHECK_IN_UNDONE")

    def test_asks_a_browser_for_its_csrf_token(self, event: Event, people: Personas) -> None:
        answer = let_in(signed_in(people.alice, with_csrf_checks=True), event, ticket=tickets.code(place_at(event).pk))

        assert (answer.status_code, code(answer)) == (403, "CSRF_FAILED")


class TestSearch:
    def test_finds_people_by_the_beginning_of_a_name_or_an_address(self, event: Event, desk: Client) -> None:
        place_at(event, name="Ada Lovelace", email="ada@example.org")
        place_at(event, name="Ben Bell", email="ben@example.org")
        for search in ("lov", "ADA", "ada@ex"):
            found = get(desk, f"/events/{event.public_id}/check-ins?search={search}").json()["items"]
            assert [one["name"] for one in found] == ["Ada Lovelace"]
        assert get(desk, f"/events/{event.public_id}/check-ins?search=").json()["items"] == []

    def test_says_who_is_in_already(self, event: Event, desk: Client) -> None:
        place = place_at(event, name="Ada")
        made = let_in(desk, event, ticket=tickets.code(place.pk)).json()
        session, other = parts(event)[0], Session.objects.create(event=event, title="x", starts_at=event.starts_at, ends_at=event.ends_at)
        for where, expected in ((session, made["id"]), (other, None)):
            (found,) = get(desk, f"/events/{event.public_id}/check-ins?search=ada&session={where.public_id}").json()["items"]
            assert found["check_in"] == expected


class TestOnesOwnOutcome:
    def test_is_told_to_the_guest_who_has_the_key(self, event: Event) -> None:
        place = place_at(event)
        key = guest_links.manage_key(place.pk)
        Registration.objects.filter(pk=place.pk).update(guest_key_hash=guest_links.stored_hash(key))
        stay(place, parts(event)[0], 31)
        answer = get(Client(), f"/registrations/{place.public_id}/attendance?key={key}")

        assert answer.status_code == 200
        body = answer.json()
        assert (body["eligible"], body["credits"]) == (False, "0.00")
        assert body["reasons"] == ["0 of 1 required session.", "“Part 1” missing: 31 of 48 minutes."]
        (sitting,) = body["sessions"]
        assert (sitting["counts"], sitting["why"], sitting["minutes"], sitting["stays"][0]["source"]) == (
            False,
            "31 of 48 minutes",
            31,
            "zoom",
        )

    def test_is_told_to_the_person_and_to_the_organizer(self, event: Event, desk: Client, people: Personas) -> None:
        place = place_at(event, user=people.charlie)
        attendance.mark(registration_id=place.pk, present=True, by=people.as_alice)
        for client in (desk, signed_in(people.charlie)):
            assert get(client, f"/registrations/{place.public_id}/attendance").json()["eligible"] is True

    def test_names_no_session_that_is_not_published(self, event: Event, people: Personas) -> None:
        place = place_at(event, user=people.charlie)
        Session.objects.create(event=event, title="Secret", starts_at=event.starts_at, ends_at=event.ends_at, is_published=False)

        assert b"Secret" not in get(signed_in(people.charlie), f"/registrations/{place.public_id}/attendance").content

    def test_of_somebody_else_is_not_found(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        for client in (Client(), signed_in(people.charlie)):
            assert get(client, f"/registrations/{place.public_id}/attendance").status_code in (401, 404)


class TestTheList:
    def test_says_who_earned_what_and_goes_on_page_by_page(self, event: Event, desk: Client, people: Personas) -> None:
        names = [place_at(event, name=f"N{number}").name for number in range(5)]
        attendance.mark(registration_id=event.registrations.get(name="N3").pk, present=True, by=people.as_alice)
        verdicts.recompute(event_id=event.pk)
        path = f"/events/{event.public_id}/attendance"
        first = get(desk, f"{path}?limit=3").json()
        rest = get(desk, f"{path}?limit=3&cursor={first['next']}").json()

        assert sorted(one["name"] for one in first["items"] + rest["items"]) == names
        assert rest["next"] is None
        assert [one["name"] for one in get(desk, f"{path}?eligible=true").json()["items"]] == ["N3"]

    def test_asks_as_much_for_many_as_for_few(self, event: Event, desk: Client) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as asked:
                assert get(desk, f"/events/{event.public_id}/attendance?limit=100").status_code == 200
            return len(asked)

        place_at(event)
        verdicts.recompute(event_id=event.pk)
        queries()
        few = queries()
        for _ in range(min(event.capacity - 1, SIZES.list_rows)):
            place_at(event)
        verdicts.recompute(event_id=event.pk)

        assert queries() == few
