"""The public list, one event, its price; caching, pages and limits on them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events.models import Event
from public_api import throttling
from public_api.models import Window
from tests.factories.events import DraftEventFactory, EventFactory
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import UserFactory, personas
from tests.factories.registrations import paid_event, register
from tests.public_api.calling import code, get, post, signed_in

pytestmark = pytest.mark.django_db


def titles(answer: Any) -> list[str]:
    return [item["title"] for item in answer.json()["items"]]


class TestList:
    def test_shows_what_is_published_and_listed_and_nothing_else(self, client: Client) -> None:
        EventFactory(title="Seen")
        EventFactory(title="Unlisted", is_listed=False)
        DraftEventFactory(title="Draft")
        EventFactory(title="Of a closed organization", organization=OrganizationFactory(is_active=False))
        assert titles(get(client, "/events")) == ["Seen"]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("search=ethics%20PRACTICE", ["Ethics in practice"]),
            ("search=nothing", []),
            ("search=%25", []),
            ("format=in_person", ["Knots"]),
            ("price=free", ["Ethics in practice"]),
            ("price=paid", ["Knots"]),
            ("organization=institute-x", ["Knots"]),
            ("order=-starts_at", ["Knots", "Ethics in practice"]),
        ],
    )
    def test_filters_and_orders(self, client: Client, query: str, found: list[str]) -> None:
        soon = timezone.now() + timedelta(days=3)
        EventFactory(title="Ethics in practice", starts_at=soon)
        there = {"format": "in_person", "venue": "Pier 1", "country": "US"}
        organization = OrganizationFactory(slug="institute-x")
        EventFactory(title="Knots", starts_at=soon + timedelta(days=1), price_amount=900, organization=organization, **there)
        assert titles(get(client, f"/events?{query}")) == found

    def test_filters_by_time_with_a_zone(self, client: Client) -> None:
        event: Event = EventFactory()
        before = (event.starts_at - timedelta(hours=1)).isoformat().replace("+", "%2B")
        assert len(titles(get(client, f"/events?starts_after={before}"))) == 1
        assert titles(get(client, f"/events?starts_before={before}")) == []

    @pytest.mark.parametrize(
        "query",
        [
            "format=virtual",
            "price=cheap",
            "order=title",
            "starts_after=tomorrow",
            "starts_after=2026-01-01T10:00:00",
            "limit=0",
            "limit=101",
        ],
    )
    def test_refuses_a_filter_that_is_not_in_its_closed_list(self, client: Client, query: str) -> None:
        answer = get(client, f"/events?{query}")
        assert (answer.status_code, code(answer)) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("time", ["0050-11-04T18:52:41.9%2B19:12", "0001-01-01T00:00:00%2B23:00", "9999-12-31T23:59:59-23:00"])
    def test_refuses_a_time_that_the_database_does_not_know(self, client: Client, time: str) -> None:
        assert get(client, f"/events?starts_before={time}").status_code == 422
        assert get(client, "/events?starts_before=2026-11-04T18:52:41%2B19:12").status_code == 200

    @pytest.mark.parametrize("query", ["search=%00", "organization=%00", "search=" + "x" * 201])
    def test_refuses_texts_that_cannot_be_looked_for(self, client: Client, query: str) -> None:
        assert get(client, f"/events?{query}").status_code == 422

    @pytest.mark.parametrize("size", [1, 15])
    def test_costs_two_queries_at_most_however_many_rows(self, client: Client, size: int, django_assert_max_num_queries: Any) -> None:
        for _ in range(size):
            EventFactory()
        get(client, "/events")
        with django_assert_max_num_queries(2):
            assert len(titles(get(client, "/events"))) == size


class TestPages:
    @pytest.mark.parametrize("order", ["starts_at", "-starts_at"])
    def test_show_every_event_once_even_those_that_start_together(self, client: Client, order: str) -> None:
        at = timezone.now() + timedelta(days=9)
        for _ in range(7):
            EventFactory(starts_at=at)
        seen, cursor = [], ""
        while cursor is not None:
            page = get(client, f"/events?limit=3&order={order}{cursor and '&cursor=' + cursor}").json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
        assert len(seen) == len(set(seen)) == 7

    @pytest.mark.parametrize("cursor", ["x", "e30:abc", "%00", "W10:9999", "a" * 601])
    def test_refuse_a_cursor_that_they_did_not_give(self, client: Client, cursor: str) -> None:
        answer = get(client, f"/events?cursor={cursor}")
        assert answer.status_code == 422
        assert code(answer) in ("INVALID_CURSOR", "VALIDATION_ERROR")

    def test_refuse_a_cursor_of_another_order_or_list(self, client: Client) -> None:
        people = personas()
        for _ in range(2):
            EventFactory(organization=people.organization, host=people.alice)
        cursor = get(client, "/events?limit=1").json()["next"]
        event = Event.objects.first()
        assert event is not None
        assert code(get(client, f"/events?order=-starts_at&cursor={cursor}")) == "INVALID_CURSOR"
        assert code(get(signed_in(people.alice), f"/events/{event.public_id}/registrations?cursor={cursor}")) == "INVALID_CURSOR"


class TestOne:
    def test_is_found_by_id_and_by_slug(self, client: Client) -> None:
        event: Event = EventFactory()
        assert get(client, f"/events/{event.public_id}").json() == get(client, f"/events/{event.slug}").json()

    def test_shows_sessions_refund_policy_and_the_price_in_parts(self, client: Client) -> None:
        body = get(client, f"/events/{paid_event().public_id}").json()
        assert [session["title"] for session in body["sessions"]] == ["First session"]
        assert body["refund_policy"]["terms"][0] == {"hours_before": 168, "percent": 100}
        assert body["refund_policy"]["text"].startswith("Refund of 100 % until 7 days")
        assert body["quote"]["total"] == {"amount": 5000, "currency": "USD"}

    def test_shows_an_unlisted_event_to_whoever_has_its_address_but_a_draft_to_its_own_people_only(self, client: Client) -> None:
        people = personas()
        draft = DraftEventFactory(organization=people.organization, host=people.alice)
        assert get(client, f"/events/{EventFactory(is_listed=False).public_id}").status_code == 200
        assert get(client, f"/events/{draft.public_id}").status_code == 404
        assert get(signed_in(people.charlie), f"/events/{draft.public_id}").status_code == 404
        assert get(signed_in(people.alice), f"/events/{draft.public_id}").json()["state"] == "draft"

    def test_shows_ones_own_place_to_oneself_only(self, client: Client) -> None:
        event, user = EventFactory(), UserFactory.create()
        mine = register(event, user).registration
        assert get(signed_in(user), f"/events/{event.public_id}").json()["my_registration"] == {"id": mine.public_id, "state": "confirmed"}
        assert get(client, f"/events/{event.public_id}").json()["my_registration"] is None

    @pytest.mark.rule("S3")
    def test_never_shows_the_address_of_the_meeting(self, client: Client) -> None:
        event = EventFactory(online_url="https://meet.example.org/secret-room")
        assert b"secret-room" not in get(client, f"/events/{event.public_id}").content

    def test_costs_three_queries_at_most(self, client: Client, django_assert_max_num_queries: Any) -> None:
        event = paid_event(format="in_person", venue="Pier 1", country="DE")
        get(client, f"/events/{event.public_id}")
        with django_assert_max_num_queries(3):
            get(client, f"/events/{event.public_id}")

    @pytest.mark.parametrize("named", ["%00", "evt_nonsense", "x" * 300, "../me"])
    def test_is_not_found_under_a_name_that_nothing_has(self, client: Client, named: str) -> None:
        assert get(client, f"/events/{named}").status_code == 404

    def test_quotes_for_a_country_and_reserves_nothing(self, client: Client) -> None:
        event = paid_event()
        answer = post(client, f"/events/{event.public_id}/quote", {"country": "DE"}, key="")
        assert (answer.status_code, answer.json()["total"]["amount"]) == (200, 5000)
        assert Event.objects.get().seats_taken == 0


class TestEtag:
    @pytest.mark.parametrize("path", ["/events", "/events/{id}"])
    def test_answers_304_until_something_changes(self, client: Client, path: str) -> None:
        event: Event = EventFactory()
        path = path.format(id=event.public_id)
        etag = get(client, path)["ETag"]
        again = get(client, path, If_None_Match=etag)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        register(event, UserFactory.create())
        changed = get(client, path, If_None_Match=etag)
        assert (changed.status_code, changed["ETag"] != etag) == (200, True)

    def test_never_matches_a_weak_tag(self, client: Client) -> None:
        etag = get(client, "/events")["ETag"]
        assert get(client, "/events", If_None_Match=f"W/{etag}").status_code == 200

    def test_of_somebody_signed_in_is_not_anothers(self, client: Client) -> None:
        event, user = EventFactory(), UserFactory.create()
        register(event, user)
        etag = get(client, f"/events/{event.public_id}")["ETag"]
        mine = get(signed_in(user), f"/events/{event.public_id}", If_None_Match=etag)
        assert (mine.status_code, mine["Cache-Control"]) == (200, "private, no-cache")
        assert "X-Session-Token" in mine["Vary"]

    def test_is_compared_after_the_sign_in_so_that_an_ended_one_gets_401(self, client: Client) -> None:
        etag = get(client, "/events")["ETag"]
        assert get(client, "/events", If_None_Match=etag, X_Session_Token="ended").status_code == 401


@pytest.mark.rule("S20")
class TestLimits:
    @pytest.fixture(autouse=True)
    def _tight(self, settings: Any) -> None:
        settings.API_THROTTLE_SCALE = 0.1  # three quotes a minute

    def quote(self, client: Client, event: Event, **headers: str) -> Any:
        return post(client, f"/events/{event.public_id}/quote", {}, key="", **headers)

    def test_refuse_with_the_seconds_to_wait(self, client: Client) -> None:
        event = paid_event()
        assert [self.quote(client, event).status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = self.quote(client, event)
        assert code(refused) == "RATE_LIMITED"
        assert 1 <= int(refused["Retry-After"]) <= 60

    def test_are_not_got_round_by_claiming_another_address(self, client: Client) -> None:
        event = paid_event()
        statuses = [self.quote(client, event, X_Forwarded_For=f"192.0.2.{number}").status_code for number in range(4)]
        assert statuses[-1] == 429

    def test_follow_the_address_that_a_trusted_proxy_saw(self, client: Client, settings: Any) -> None:
        settings.TRUSTED_PROXIES = 1
        event = paid_event()
        statuses = [self.quote(client, event, X_Forwarded_For=f"203.0.113.9, 192.0.2.{number}").status_code for number in range(4)]
        assert statuses == [200] * 4
        spoofed = [self.quote(client, event, X_Forwarded_For=f"203.0.113.{number}, 192.0.2.77").status_code for number in range(4)]
        assert spoofed[-1] == 429

    def test_follow_an_account_from_address_to_address(self) -> None:
        event, user = paid_event(), UserFactory.create()
        client = signed_in(user)
        statuses = []
        for number in range(4):
            client.defaults["REMOTE_ADDR"] = f"192.0.2.{number}"
            statuses.append(self.quote(client, event).status_code)
        assert statuses[-1] == 429

    def test_are_shared_by_processes_through_the_database(self, client: Client) -> None:
        event = paid_event()
        for _ in range(3):
            self.quote(client, event)
        throttling.forget_leases()  # another process knows nothing of this one's
        assert self.quote(client, event).status_code == 429

    def test_never_let_more_through_than_the_limit_where_hits_are_taken_in_blocks(self) -> None:
        def used(number: int) -> bool:
            throttling.forget_leases()
            return throttling.take(scope="test", who="x", limit=10, seconds=3600, at_once=4)

        assert sum(used(number) for number in range(12)) <= 10

    def test_are_forgotten_when_their_window_is_over(self) -> None:
        throttling.take(scope="test", who="x", limit=10, seconds=1, at_once=1)
        Window.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
        throttling.purge()
        assert not Window.objects.exists()
