"""Creating and editing events and their sessions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from audit.actor import StaffGroup
from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound, PermissionRefused
from events import authoring, local_times, publishing, sessions
from events.models import Event, Session
from tests.factories.events import DraftEventFactory, EventFactory
from tests.factories.people import Personas, personas, staff
from tests.factories.registrations import end_unpaid, paid, paid_event, register

START = datetime(2031, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def people() -> Personas:
    return personas()


def create(people: Personas, **values: Any) -> Event:
    given = {"title": "Ethics", "starts_at": START, "ends_at": START + timedelta(hours=2), "capacity": 10, "by": people.as_alice}
    return authoring.create(organization_id=people.organization.pk, **{**given, **values})


def now(event: Event) -> Event:
    return Event.objects.get(pk=event.pk)


@pytest.mark.django_db
class TestCreate:
    @pytest.mark.rule("C2")
    def test_makes_a_draft_of_the_organization_hosted_by_the_one_who_acts(self, people: Personas) -> None:
        event = now(create(people, price_amount=5000, currency="EUR", time_zone="Asia/Tokyo", credits=Decimal("1.5"), credit_type="CME"))

        assert (event.state, event.organization_id, event.host_id) == (Event.State.DRAFT, people.organization.pk, people.alice.pk)
        assert (event.price_amount, event.currency, event.time_zone, event.credits) == (5000, "EUR", "Asia/Tokyo", Decimal("1.50"))
        entry = AuditEntry.objects.get(object_id=event.pk)
        assert (entry.action, entry.organization_id, entry.after["title"]) == ("event.created", people.organization.pk, "Ethics")

    @pytest.mark.rule("C20")
    def test_makes_slugs_that_are_never_the_same(self, people: Personas) -> None:
        slugs = {create(people, title=title).slug for title in ("Ethics", "Ethics", "倫理", "…")}

        assert len(slugs) == 4
        assert sum(slug.startswith("ethics-") for slug in slugs) == 2
        assert sum(slug.startswith("event-") for slug in slugs) == 2

    def test_lets_staff_name_the_host(self, people: Personas) -> None:
        by = staff(StaffGroup.SUPPORT)

        assert create(people, by=by, host_id=people.bob.pk).host_id == people.bob.pk
        with pytest.raises(InvalidInput, match="host"):
            create(people, by=by)
        with pytest.raises(InvalidInput, match="host"):
            create(people, host_id=people.charlie.pk)

    def test_is_not_for_strangers_or_readers(self, people: Personas) -> None:
        with pytest.raises(NotFound):
            create(people, by=people.as_charlie)
        with pytest.raises(PermissionRefused):
            create(people, by=staff(StaffGroup.AUDITOR), host_id=people.bob.pk)
        assert not Event.objects.filter(organization=people.organization).exists()

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"title": ""}, "title"),
            ({"title": "x" * 201}, "title"),
            ({"title": "a\x00"}, "title"),
            ({"description": "x" * 20_001}, "description"),
            ({"description": "a\x00"}, "description"),
            ({"ends_at": START}, "ends_at"),
            ({"starts_at": datetime(2031, 3, 1)}, "starts_at"),  # noqa: DTZ001  a moment without its zone is what is refused
            ({"capacity": 0}, "capacity"),
            ({"capacity": True}, "capacity"),
            ({"price_amount": -1}, "price_amount"),
            ({"price_amount": 10.5}, "price_amount"),
            ({"currency": "usd"}, "currency"),
            ({"time_zone": "Berlin"}, "time_zone"),
            ({"country": "Germany"}, "country"),
            ({"online_url": "javascript:alert(1)"}, "online_url"),
            ({"format": "somewhere"}, "format"),
            ({"credits": "many"}, "credits"),
            ({"credits": Decimal("NaN")}, "credits"),
            ({"credits": Decimal("0.125")}, "credits"),
            ({"refund_terms": [{"percent": 10}]}, "refund_terms"),
            ({"is_listed": "maybe"}, "is_listed"),
            ({"registration_opens_at": START, "registration_closes_at": START}, "registration_closes_at"),
            ({"seats_taken": 5}, "seats_taken"),
        ],
    )
    def test_refuses_what_no_event_could_have(self, people: Personas, values: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            create(people, **values)
        assert refused.value.field == field
        assert not Event.objects.exists()


@pytest.mark.django_db
class TestEdit:
    def test_changes_what_is_given_and_records_before_and_after(self, people: Personas) -> None:
        event = create(people)
        authoring.edit(event_id=event.pk, title="Ethics II", capacity=10, by=people.as_bob)

        assert now(event).title == "Ethics II"
        entry = AuditEntry.objects.get(object_id=event.pk, action="event.edited")
        assert (entry.before, entry.after, entry.user_id) == ({"title": "Ethics"}, {"title": "Ethics II"}, people.bob.pk)

    def test_of_nothing_records_nothing(self, people: Personas) -> None:
        event = create(people)
        authoring.edit(event_id=event.pk, title="Ethics", by=people.as_alice)

        assert not AuditEntry.objects.filter(action="event.edited").exists()

    @pytest.mark.rule("M11")
    @pytest.mark.parametrize(
        "change", [{"price_amount": 100}, {"currency": "EUR"}, {"tax_category": "reduced"}, {"time_zone": "UTC"}, {"starts_at": START}]
    )
    def test_leaves_what_people_agreed_to_once_a_place_is_paid_or_held(self, people: Personas, change: dict[str, Any]) -> None:
        event = paid_event(organization=people.organization)
        place = register(event).registration

        with pytest.raises(authoring.EventLocked) as refused:
            authoring.edit(event_id=event.pk, by=people.as_alice, title="New", **change)
        assert refused.value.details == {"fields": list(change)}
        assert refused.value.code == "EVENT_LOCKED"
        assert now(event).title == event.title
        end_unpaid(place)
        if change != {"starts_at": START}:
            authoring.edit(event_id=event.pk, by=people.as_alice, **change)

    @pytest.mark.rule("M11")
    def test_keeps_the_capacity_above_what_is_taken(self, people: Personas) -> None:
        event = paid_event(organization=people.organization)
        paid(event)
        register(event)

        with pytest.raises(authoring.EventLocked, match="2 places are taken"):
            authoring.edit(event_id=event.pk, capacity=1, by=people.as_alice)
        authoring.edit(event_id=event.pk, capacity=2, by=people.as_alice)
        assert now(event).capacity == 2

    @pytest.mark.rule("C18")
    def test_changes_words_after_the_end_and_nothing_else(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization)
        event.complete()
        event.save()

        authoring.edit(event_id=event.pk, description="Thank you.", is_listed=False, by=people.as_alice)
        assert now(event).description == "Thank you."
        with pytest.raises(authoring.EventLocked):
            authoring.edit(event_id=event.pk, capacity=50, by=people.as_alice)

    def test_keeps_a_published_event_publishable(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization)

        with pytest.raises(publishing.ChecklistFailed):
            authoring.edit(event_id=event.pk, online_url="", by=people.as_alice)
        with pytest.raises(publishing.ChecklistFailed):
            authoring.edit(event_id=event.pk, price_amount=10, by=people.as_alice)
        assert now(event).online_url

    def test_is_not_for_strangers_or_readers(self, people: Personas) -> None:
        event = create(people)
        with pytest.raises(NotFound):
            authoring.edit(event_id=event.pk, title="Mine", by=people.as_charlie)
        with pytest.raises(PermissionRefused):
            authoring.edit(event_id=event.pk, title="Mine", by=staff(StaffGroup.FINANCE))
        assert now(event).title == "Ethics"


@pytest.mark.django_db
class TestSessions:
    def test_are_added_changed_and_removed(self, people: Personas) -> None:
        event = create(people)
        session = sessions.add(event_id=event.pk, title=" One ", starts_at=START, ends_at=START + timedelta(hours=1), by=people.as_bob)
        sessions.edit(session_id=session.pk, title="Two", is_mandatory=False, by=people.as_bob)

        changed = Session.objects.get(pk=session.pk)
        assert (changed.title, changed.is_mandatory, changed.event_id) == ("Two", False, event.pk)
        sessions.remove(session_id=session.pk, by=people.as_bob)
        assert not event.sessions.exists()
        actions = AuditEntry.objects.filter(object_id=session.pk).order_by("id").values_list("action", flat=True)
        assert list(actions) == ["session.added", "session.edited", "session.removed"]

    def test_say_before_and_after_in_the_audit_log(self, people: Personas) -> None:
        event = create(people)
        session = sessions.add(event_id=event.pk, title="One", starts_at=START, ends_at=START + timedelta(hours=1), by=people.as_bob)
        sessions.edit(session_id=session.pk, ends_at=START + timedelta(hours=2), by=people.as_bob)

        entry = AuditEntry.objects.get(object_id=session.pk, action="session.edited")
        assert (entry.before, entry.after) == (
            {"ends_at": "2031-03-01 10:00:00+00:00"},
            {"ends_at": "2031-03-01 11:00:00+00:00"},
        )
        assert entry.organization_id == people.organization.pk

    def test_stay_inside_the_events_times(self, people: Personas) -> None:
        event = create(people)
        session = sessions.add(event_id=event.pk, title="One", starts_at=START, ends_at=START + timedelta(hours=1), by=people.as_bob)

        for field, outside in (("starts_at", START - timedelta(minutes=1)), ("ends_at", START + timedelta(hours=3))):
            with pytest.raises(InvalidInput, match="inside the event's times") as refused:
                sessions.edit(session_id=session.pk, by=people.as_bob, **{field: outside})  # type: ignore[misc]  # one key of two that fit
            assert refused.value.field == field
        with pytest.raises(InvalidInput, match="inside the event's times"):
            sessions.add(event_id=event.pk, title="Two", starts_at=START, ends_at=START + timedelta(hours=4), by=people.as_bob)
        kept = event.sessions.get()
        assert (kept.starts_at, kept.ends_at) == (START, START + timedelta(hours=1))

    def test_of_a_published_event_keep_it_publishable(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization)
        session = event.sessions.get()

        with pytest.raises(publishing.ChecklistFailed):
            sessions.edit(session_id=session.pk, ends_at=session.starts_at + timedelta(minutes=5), by=people.as_alice)
        with pytest.raises(publishing.ChecklistFailed):
            sessions.remove(session_id=session.pk, by=people.as_alice)

    def test_are_refused_upside_down_and_after_the_end(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization)
        session = event.sessions.get()
        with pytest.raises(InvalidInput):
            sessions.edit(session_id=session.pk, ends_at=session.starts_at, by=people.as_alice)
        event.complete()
        event.save()
        with pytest.raises(authoring.EventLocked):
            sessions.remove(session_id=session.pk, by=people.as_alice)

    def test_are_not_for_strangers_or_readers(self, people: Personas) -> None:
        event = DraftEventFactory(organization=people.organization)
        session = event.sessions.get()
        with pytest.raises(NotFound):
            sessions.remove(session_id=session.pk, by=people.as_charlie)
        with pytest.raises(NotFound):
            sessions.add(event_id=event.pk, title="X", starts_at=START, ends_at=timezone.now(), by=people.as_charlie)
        with pytest.raises(PermissionRefused):
            sessions.remove(session_id=session.pk, by=staff(StaffGroup.AUDITOR))
        assert event.sessions.count() == 1


@pytest.mark.rule("C15")
class TestLocalTimes:
    def test_follow_the_zones_rules_for_the_day(self) -> None:
        before, after = datetime(2031, 3, 30, 0, 30, tzinfo=UTC), datetime(2031, 3, 30, 1, 30, tzinfo=UTC)

        assert local_times.text(before, "Europe/Berlin") == "Sunday 30 March 2031, 01:30 (Europe/Berlin)"
        assert local_times.text(after, "Europe/Berlin") == "Sunday 30 March 2031, 03:30 (Europe/Berlin)"

    def test_name_the_second_day_only_where_it_is_another(self) -> None:
        assert local_times.span(START, START + timedelta(hours=2), "Asia/Tokyo").endswith("18:00 to 20:00 (Asia/Tokyo)")
        assert "to Sunday 2 March 2031, 09:00" in local_times.span(START, START + timedelta(days=1), "UTC")
