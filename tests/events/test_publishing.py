"""Publishing says everything that is missing; what people hold a place for is not taken back."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing.models import ConnectedAccount
from core.errors import NotFound, PermissionRefused
from core.state_machine import TransitionNotAllowed
from events import clock, publishing
from events.models import Event
from organizations.models import Membership
from tests.factories.events import DraftEventFactory, EventFactory, SessionFactory
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import Personas, personas, staff
from tests.factories.registrations import end_unpaid, register

STATE = Event.State


@pytest.fixture
def people() -> Personas:
    return personas()


def draft(people: Personas, **values: Any) -> Event:
    event: Event = DraftEventFactory(organization=people.organization, host=people.bob, **values)
    return event


def state(event: Event) -> str:
    return Event.objects.get(pk=event.pk).state


def refused_fields(event: Event, people: Personas) -> list[str]:
    with pytest.raises(publishing.ChecklistFailed) as refused:
        publishing.publish(event_id=event.pk, by=people.as_alice)
    assert (refused.value.code, refused.value.http_status) == ("CHECKLIST_FAILED", 409)
    assert state(event) == STATE.DRAFT
    return [failure["field"] for failure in refused.value.details["failures"]]


@pytest.mark.django_db
class TestPublish:
    def test_opens_the_event_to_everyone(self, people: Personas) -> None:
        event = draft(people)
        publishing.publish(event_id=event.pk, by=people.as_bob)

        after = Event.objects.get(pk=event.pk)
        assert after.state == STATE.PUBLISHED
        assert after.published_at is not None
        assert list(Event.objects.public().filter(pk=event.pk)) == [event]
        entry = AuditEntry.objects.get(object_id=event.pk)
        assert (entry.action, entry.user_id, entry.before, entry.after) == (
            "event.published",
            people.bob.pk,
            {"state": "draft"},
            {"state": "published"},
        )

    def test_is_refused_the_second_time(self, people: Personas) -> None:
        event = draft(people)
        publishing.publish(event_id=event.pk, by=people.as_alice)

        with pytest.raises(TransitionNotAllowed):
            publishing.publish(event_id=event.pk, by=people.as_alice)
        assert AuditEntry.objects.filter(object_id=event.pk).count() == 1

    def test_is_not_for_strangers_former_members_or_readers(self, people: Personas) -> None:
        event = draft(people)
        Membership.objects.filter(user=people.bob).update(ended_at=timezone.now())

        for by in (people.as_charlie, people.as_bob):
            with pytest.raises(NotFound):
                publishing.publish(event_id=event.pk, by=by)
        for group in (StaffGroup.AUDITOR, StaffGroup.FINANCE):
            with pytest.raises(PermissionRefused):
                publishing.publish(event_id=event.pk, by=staff(group))
        assert state(event) == STATE.DRAFT


@pytest.mark.django_db
class TestChecklist:
    def test_names_everything_at_once_each_with_its_fix(self, people: Personas) -> None:
        ConnectedAccount.objects.all().delete()
        event = draft(
            people,
            session=False,
            starts_at=timezone.now() - timedelta(hours=1),
            format=Event.Format.HYBRID,
            online_url="",
            time_zone="Mars/Olympus",
            credits=2,
            price_amount=10,
            refund_terms=[{"hours_before": 1, "percent": 200}],
        )

        assert refused_fields(event, people) == [
            "starts_at",
            "time_zone",
            "sessions",
            "online_url",
            "venue",
            "country",
            "credit_type",
            "refund_terms",
            "price_amount",
            "organization",
        ]

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"format": "in_person", "country": "DE"}, "venue"),
            ({"format": "in_person", "venue": "Hall"}, "country"),
            ({"online_url": ""}, "online_url"),
            ({"time_zone": "../../etc/passwd"}, "time_zone"),
            ({"credit_type": "CME"}, "credits"),
            ({"price_amount": 5000, "currency": "CHF"}, "currency"),
            ({"price_amount": 5005, "currency": "KWD"}, "price_amount"),
            ({"price_amount": 49}, "price_amount"),
            ({"refund_terms": [{"hours_before": 2, "percent": 50}, {"hours_before": 3, "percent": 10}]}, "refund_terms"),
        ],
    )
    def test_names_what_is_missing(self, people: Personas, values: dict[str, Any], field: str) -> None:
        assert refused_fields(draft(people, **values), people) == [field]

    @pytest.mark.parametrize(("start", "minutes"), [(-1, 30), (100, 30), (0, 14), (0, 481)])
    def test_names_a_session_outside_the_event_or_of_odd_length(self, people: Personas, start: int, minutes: int) -> None:
        event = draft(people, session=False)
        Event.objects.filter(pk=event.pk).update(ends_at=event.starts_at + timedelta(minutes=481 if minutes > 480 else 120))
        begins = event.starts_at + timedelta(minutes=start)
        SessionFactory(event=event, starts_at=begins, ends_at=begins + timedelta(minutes=minutes))

        assert refused_fields(event, people) == ["sessions"]

    @pytest.mark.parametrize(("price", "currency"), [(0, "CHF"), (50, "USD"), (50, "JPY"), (5010, "KWD")])
    def test_lets_through_what_can_be_charged(self, people: Personas, price: int, currency: str) -> None:
        event = draft(people, price_amount=price, currency=currency)
        publishing.publish(event_id=event.pk, by=people.as_alice)

        assert state(event) == STATE.PUBLISHED

    def test_asks_for_payouts_only_of_paid_events(self) -> None:
        people = personas(payouts_usable=False)

        assert refused_fields(draft(people, price_amount=5000), people) == ["organization"]
        free = draft(people)
        publishing.publish(event_id=free.pk, by=people.as_alice)
        assert state(free) == STATE.PUBLISHED


@pytest.mark.django_db
class TestUnpublish:
    def test_takes_an_event_back_that_nobody_has_a_place_at(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization, price_amount=5000)
        end_unpaid(register(event).registration)
        publishing.unpublish(event_id=event.pk, by=people.as_alice)

        after = Event.objects.get(pk=event.pk)
        assert (after.state, after.published_at) == (STATE.DRAFT, None)

    def test_is_refused_while_a_place_is_held(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization)
        register(event)

        with pytest.raises(publishing.EventHasRegistrations) as refused:
            publishing.unpublish(event_id=event.pk, by=people.as_alice)
        assert (refused.value.code, refused.value.http_status) == ("EVENT_HAS_REGISTRATIONS", 409)
        assert state(event) == STATE.PUBLISHED

    def test_is_refused_after_the_start(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization)
        with time_machine.travel(event.starts_at + timedelta(minutes=1)), pytest.raises(publishing.EventStarted):
            publishing.unpublish(event_id=event.pk, by=people.as_alice)
        assert state(event) == STATE.PUBLISHED

    def test_is_refused_for_a_draft_and_for_strangers(self, people: Personas) -> None:
        with pytest.raises(TransitionNotAllowed):
            publishing.unpublish(event_id=draft(people).pk, by=people.as_alice)
        with pytest.raises(NotFound):
            publishing.unpublish(event_id=EventFactory(organization=people.organization).pk, by=people.as_charlie)


@pytest.mark.django_db
class TestClock:
    def test_starts_and_ends_events_once_by_their_times(self) -> None:
        event, draft_event = EventFactory(), DraftEventFactory()
        clock.tick()
        assert state(event) == STATE.PUBLISHED

        with time_machine.travel(event.starts_at + timedelta(minutes=1)):
            clock.tick()
            clock.tick()
            assert state(event) == STATE.LIVE
        with time_machine.travel(event.ends_at + timedelta(minutes=1)):
            clock.tick()
        assert state(event) == STATE.COMPLETED
        assert state(draft_event) == STATE.DRAFT
        actions = AuditEntry.objects.filter(object_id=event.pk).order_by("id").values_list("action", flat=True)
        assert list(actions) == ["event.went_live", "event.completed"]

    def test_ends_an_event_whose_start_was_missed(self) -> None:
        event = EventFactory(organization=OrganizationFactory())
        with time_machine.travel(event.ends_at + timedelta(days=1)):
            clock.tick()

        assert state(event) == STATE.COMPLETED

    def test_leaves_an_event_that_is_not_due_when_its_turn_comes(self) -> None:
        event = EventFactory()
        clock.go_live(event_id=event.pk, at=timezone.now())
        clock.complete(event_id=event.pk, at=timezone.now())

        assert state(event) == STATE.PUBLISHED
