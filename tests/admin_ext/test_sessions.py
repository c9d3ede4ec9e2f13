"""Sessions of an event in the console: changed and removed by dialogs, in the event's own zone."""

from datetime import UTC, datetime

import pytest

from events.models import Event, Session
from tests.admin_ext import making
from tests.admin_ext.conftest import People, sign_in
from tests.admin_ext.test_buttons import HTMX, page, press, told

pytestmark = pytest.mark.django_db
DAY = "2031-03-30"  # in Berlin the clocks go from 02:00 to 03:00


@pytest.fixture
def event(people: People) -> Event:
    start = datetime(2031, 3, 29, 22, tzinfo=UTC)  # 23:00 in Berlin
    return making.event(people.north, people.alice, published=False, time_zone="Europe/Berlin", starts_at=start)


def typed(start: str, end: str, title: str = "Moved") -> dict[str, str]:
    return {"title": title, "starts_at": f"{DAY}T{start}", "ends_at": f"{DAY}T{end}", "is_mandatory": "on"}


class TestEdit:
    def test_shows_and_takes_the_clocks_of_the_event(self, people: People, event: Event) -> None:
        session, alice = event.sessions.get(), sign_in(people.alice)
        shown = alice.get(f"{page(session, 'console')}edit-session/", headers=HTMX).content.decode()
        answer = press(alice, session, "edit-session", site="console", **typed("00:30", "01:30"))
        moved = Session.objects.get(pk=session.pk)

        assert 'value="2031-03-29T23:00"' in shown
        assert (moved.title, moved.starts_at) == ("Moved", datetime(2031, 3, 29, 23, 30, tzinfo=UTC))
        assert event.public_id in str(answer.headers)

    def test_refuses_an_hour_that_does_not_exist(self, people: People, event: Event) -> None:
        session = event.sessions.get()
        answer = press(sign_in(people.alice), session, "edit-session", site="console", **typed("02:15", "03:15"))

        assert "are put forward over 02:15 on 30 March 2031" in answer.content.decode()
        assert Session.objects.get(pk=session.pk).title == session.title

    def test_keeps_what_was_typed_when_it_is_outside_the_event(self, people: People, event: Event) -> None:
        session = event.sessions.get()
        answer = press(sign_in(people.alice), session, "edit-session", site="console", **typed("03:15", "09:15"))

        assert "inside the event&#x27;s times" in answer.content.decode()
        assert 'value="2031-03-30T09:15"' in answer.content.decode()
        assert Session.objects.get(pk=session.pk).ends_at == session.ends_at

    def test_is_nothing_to_strangers(self, people: People, event: Event) -> None:
        session, charlie = event.sessions.get(), sign_in(people.charlie)

        for name in ("edit-session", "remove-session"):
            assert charlie.get(f"{page(session, 'console')}{name}/", headers=HTMX).status_code == 404
            assert charlie.post(f"{page(session, 'console')}{name}/", {"token": "x"}, headers=HTMX).status_code == 404


class TestRemove:
    def test_leads_back_to_the_event(self, people: People, event: Event) -> None:
        session = event.sessions.get()
        answer = press(sign_in(people.alice), session, "remove-session", site="console")

        assert not event.sessions.exists()
        assert event.public_id in str(answer.headers)

    def test_of_the_last_one_of_a_published_event_is_refused(self, people: People) -> None:
        event = making.event(people.north, people.alice, price_amount=0, online_url="https://meet.example.org/room")
        answer = press(sign_in(people.alice), event.sessions.get(), "remove-session", site="console")

        assert "Add at least one session." in told(answer)
        assert event.sessions.count() == 1


class TestEventPage:
    def test_offers_both_beside_each_session(self, people: People, event: Event) -> None:
        shown = sign_in(people.alice).get(f"{page(event, 'console')}change/").content.decode()

        for name in ("edit-session", "remove-session"):
            assert f"{page(event.sessions.get(), 'console')}{name}/" in shown

    def test_offers_none_when_the_event_is_over(self, people: People) -> None:
        event = making.event(people.north, people.alice)
        event.complete()
        event.save()

        assert "remove-session" not in sign_in(people.alice).get(f"{page(event, 'console')}change/").content.decode()

    def test_gives_a_link_that_opens_the_draft_without_signing_in(self, people: People, event: Event, client) -> None:
        shown = sign_in(people.alice).get(f"{page(event, 'console')}change/").content.decode()
        link = shown.partition(f"/events/{event.slug}/preview?key=")[2].partition('"')[0]

        assert client.get(f"/events/{event.slug}/preview?key={link}").status_code == 200
