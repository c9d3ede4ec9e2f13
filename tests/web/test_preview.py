"""A draft as attendees will see it, for whoever has its link."""

from datetime import timedelta

import pytest
import time_machine
from django.core import signing
from django.test import Client
from django.utils import timezone

from events import preview_links, publishing
from events.models import Event
from registrations.models import Registration
from tests import flows

pytestmark = pytest.mark.django_db


def path(event: Event, key: str | None = None) -> str:
    return f"/events/{event.slug}/preview?key={preview_links.key(event) if key is None else key}"


def refused(client: Client, address: str) -> bool:
    answer = client.get(address)
    return answer.status_code == 404 and "This preview link does not work any more." in answer.content.decode()


class TestPreview:
    def test_shows_the_draft_with_a_banner_and_no_form(self, client: Client) -> None:
        event = flows.draft_event()
        answer = client.get(path(event))
        page = answer.content.decode()

        assert answer.status_code == 200
        assert event.title in page
        assert "This event is a draft" in page
        assert "<form" not in page
        assert "noindex" in answer["X-Robots-Tag"]
        assert 'name="robots" content="noindex' in page
        assert "no-store" in answer["Cache-Control"]

    def test_takes_no_registration(self, client: Client) -> None:
        event = flows.draft_event()
        values = {"name": "Gus", "email": "gus@example.org", "expected_total": "0"}

        assert client.post(path(event), values).status_code == 405
        assert client.post(f"/events/{event.slug}", values).status_code == 404
        assert not Registration.objects.exists()

    def test_lasts_its_life_and_no_longer(self, client: Client) -> None:
        event = flows.draft_event()
        address, at = path(event), timezone.now()

        with time_machine.travel(at + preview_links.VALID_FOR - timedelta(minutes=1), tick=False):
            assert client.get(address).status_code == 200
        with time_machine.travel(at + preview_links.VALID_FOR + timedelta(minutes=1), tick=False):
            assert refused(client, address)

    def test_is_refused_when_altered_of_another_event_or_made_for_something_else(self, client: Client) -> None:
        event, other = flows.draft_event(), flows.draft_event()
        good = preview_links.key(event)
        altered = good[:-1] + ("A" if good[-1] != "A" else "B")

        for key in ("", altered, preview_links.key(other), signing.dumps(event.public_id, salt="else"), "x" * 5000, "\x00"):
            assert refused(client, path(event, key)), key
        assert refused(client, f"/events/no-such-event/preview?key={good}")

    def test_of_a_published_event_leads_to_its_page(self, client: Client) -> None:
        event = flows.open_event()

        assert client.get(path(event)).headers["Location"] == f"/events/{event.slug}"

    def test_is_refused_when_the_organization_is_closed(self, client: Client) -> None:
        event = flows.draft_event()
        type(event.organization).objects.filter(pk=event.organization_id).update(is_active=False)

        assert refused(client, path(event))

    def test_opens_no_other_door(self, client: Client) -> None:
        event = flows.draft_event()

        assert client.get(f"/events/{event.slug}?key={preview_links.key(event)}").status_code == 404
        assert [failure.field for failure in publishing.checklist(event, [], at=None)]
