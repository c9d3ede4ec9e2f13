"""What an event gives back, chosen on its page: the platform's terms, none, or tiers of its own that are kept."""

from typing import Any

import pytest

from events.models import Event
from tests.admin_ext import making
from tests.admin_ext.conftest import People, sign_in
from tests.organizations.test_matrix import page, typed

pytestmark = [pytest.mark.django_db]
TIERS = [{"hours_before": 24, "percent": 80}]


def saved(people: People, event: Event, **changes: Any) -> Any:
    """What the event's terms are after its page was saved as it was shown, but for these changes."""
    client, address = sign_in(people.alice), page("console", event)
    shown = client.get(address)
    assert client.post(address, {**typed(shown), **changes}).status_code == 302
    return Event.objects.get(pk=event.pk).refund_terms


class TestRefunds:
    def test_are_the_platforms_until_somebody_chooses(self, people: People) -> None:
        event = making.event(people.north, people.alice, published=False)
        text = sign_in(people.alice).get(page("console", event)).content.decode()

        assert event.refund_terms is None
        assert "The platform&#x27;s terms: Refund of 100 %" in text

    @pytest.mark.parametrize(("chosen", "terms"), [("none", []), ("platform", None)])
    def test_can_be_none_and_the_platforms_again(self, people: People, chosen: str, terms: Any) -> None:
        before = None if chosen == "none" else []
        event = making.event(people.north, people.alice, published=False, refund_terms=before)

        assert saved(people, event, refunds=chosen) == terms
        text = sign_in(people.alice).get(page("console", event)).content.decode()
        assert ("No refunds." in text.split("Record")[-1]) is (chosen == "none")

    @pytest.mark.parametrize("terms", [None, [], TIERS])
    def test_stay_as_they_are_when_something_else_is_changed(self, people: People, terms: Any) -> None:
        event = making.event(people.north, people.alice, published=False, refund_terms=terms)
        assert saved(people, event, title="Renamed") == terms

    def test_of_its_own_can_be_given_up_for_none(self, people: People) -> None:
        event = making.event(people.north, people.alice, published=False, refund_terms=TIERS)
        assert saved(people, event, refunds="none") == []
