"""Events against the plan: made, enlarged and published within it, counted exactly, and told in time."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from audit.actor import Actor
from audit.models import AuditEntry
from billing import usage_emails, usage_overrides
from core.errors import NotFound, PermissionRefused, StepUpRequired
from entitlements import usage
from entitlements.models import Allowance, Grant, UsageDrift, UsageWarning
from events import authoring, publishing, usage_counts
from events.models import Event
from notifications.models import Message
from tests.factories.billing import finance
from tests.factories.entitlements import allowance, limited
from tests.factories.events import DraftEventFactory
from tests.factories.people import Personas, UserFactory, actor, personas

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.5")]


@pytest.fixture
def people() -> Personas:
    made = personas()
    limited(made.organization, events=2, attendees=50)
    return made


def create(people: Personas, by: Actor | None = None, **values: Any) -> Event:
    starts = timezone.now() + timedelta(days=20)
    given = {"title": "Ethics", "starts_at": starts, "ends_at": starts + timedelta(hours=2), "capacity": 10, **values}
    return authoring.create(organization_id=people.organization.pk, by=by or people.as_alice, **given)


class TestCreate:
    def test_counts_and_stops_at_the_limit(self, people: Personas) -> None:
        create(people)
        create(people, people.as_bob)

        with pytest.raises(usage.LimitReached) as refused:
            create(people)

        assert (refused.value.current, refused.value.limit) == (2, 2)
        assert Event.objects.count() == 2

    @pytest.mark.rule("S6")
    def test_needs_a_grant_whoever_asks(self, people: Personas) -> None:
        Allowance.objects.all().delete()
        Grant.objects.all().delete()
        for by in (people.as_alice, Actor.system("tests")):
            with pytest.raises(usage.LimitReached):
                create(people, by, host_id=people.alice.pk)
        assert not Event.objects.exists()

    def test_refuses_more_places_than_an_event_may_have_and_counts_nothing(self, people: Personas) -> None:
        with pytest.raises(usage.LimitReached) as refused:
            create(people, capacity=51)
        assert (refused.value.resource, allowance(people.organization).used) == ("attendees", 0)

    def test_that_is_refused_for_another_reason_counts_nothing(self, people: Personas) -> None:
        with pytest.raises(PermissionRefused):
            authoring.create(organization_id=people.organization.pk, by=_instructor(people), title="x")
        assert allowance(people.organization).used == 0


def _instructor(people: Personas) -> Actor:
    person = UserFactory()
    people.organization.memberships.create(user=person, role="instructor")
    return actor(person, organization=people.organization)


class TestEdit:
    def test_within_the_plan_is_allowed_and_beyond_it_is_not(self, people: Personas) -> None:
        event = create(people)
        authoring.edit(event_id=event.pk, by=people.as_alice, capacity=50)
        with pytest.raises(usage.LimitReached):
            authoring.edit(event_id=event.pk, by=people.as_alice, capacity=51)
        assert Event.objects.get().capacity == 50

    def test_that_makes_nothing_larger_is_allowed_under_any_plan(self, people: Personas) -> None:
        event = create(people, capacity=50)
        limited(people.organization, attendees=0, events=0)
        authoring.edit(event_id=event.pk, by=people.as_alice, capacity=40, title="Smaller")
        assert Event.objects.get().capacity == 40


class TestPublish:
    @pytest.mark.rule("M3")
    def test_is_refused_in_the_grace_period_and_under_a_plan_without_events(self, people: Personas) -> None:
        event = DraftEventFactory(organization=people.organization, host=people.alice)
        Grant.objects.update(access="grace")
        with pytest.raises(usage.PlanInactive):
            publishing.publish(event_id=event.pk, by=people.as_alice)
        Grant.objects.update(access="free")
        limited(people.organization, events=0)
        with pytest.raises(usage.LimitReached):
            publishing.publish(event_id=event.pk, by=people.as_alice)
        assert Event.objects.get().state == "draft"

    def test_is_refused_with_more_places_than_the_plan_allows_by_now(self, people: Personas) -> None:
        event = DraftEventFactory(organization=people.organization, host=people.alice, capacity=60)
        with pytest.raises(usage.LimitReached):
            publishing.publish(event_id=event.pk, by=people.as_alice)

    def test_counts_nothing(self, people: Personas) -> None:
        event = DraftEventFactory(organization=people.organization, host=people.alice)
        publishing.publish(event_id=event.pk, by=people.as_alice)
        assert allowance(people.organization).used == 0


@pytest.mark.gap("5.2")
class TestReconcile:
    def test_corrects_a_counter_and_reports_it(self, people: Personas) -> None:
        create(people)
        Allowance.objects.filter(pk=allowance(people.organization).pk).update(used=2)

        usage_counts.reconcile()
        usage_counts.reconcile()

        drift = UsageDrift.objects.get()
        assert (drift.counter, drift.counted, drift.organization_id) == (2, 1, people.organization.pk)
        assert allowance(people.organization).used == 1

    def test_counts_this_period_alone(self, people: Personas) -> None:
        create(people)
        Event.objects.update(created_at=timezone.now() - timedelta(days=60))
        usage_counts.reconcile()
        assert allowance(people.organization).used == 0


class TestWarningMails:
    def test_go_to_the_admins_once(self, people: Personas) -> None:
        limited(people.organization, events=1)
        create(people)

        usage_emails.send_warnings()
        usage_emails.send_warnings()

        message = Message.objects.get(kind="usage_warning")
        assert (message.to, message.subject) == (people.alice.email, "100 % of your events used")
        assert "1 of the 1 events" in message.text
        assert "Nothing more can be made" in message.text
        assert not UsageWarning.objects.unsent().exists()
        assert mail.outbox == []


class TestOverride:
    def test_is_for_staff_and_recorded(self, people: Personas) -> None:
        row, by = allowance(people.organization), finance()
        usage_overrides.override(allowance_id=row.pk, limit=3, reason="Agreed", by=by)
        for _ in range(3):
            create(people)
        assert AuditEntry.objects.about(row)[0].user_id == by.user_id

    def test_is_refused_to_everybody_else(self, people: Personas) -> None:
        row = allowance(people.organization)
        with pytest.raises(PermissionRefused):
            usage_overrides.override(allowance_id=row.pk, limit=3, reason="Mine", by=people.as_alice)
        with pytest.raises(NotFound):
            usage_overrides.override(allowance_id=row.pk, limit=3, reason="Mine", by=people.as_charlie)
        with pytest.raises(StepUpRequired):
            person = UserFactory(staff_groups=["finance"])
            usage_overrides.override(allowance_id=row.pk, limit=3, reason="Mine", by=actor(person, stepped_up=False))
        assert allowance(people.organization).override_limit is None
