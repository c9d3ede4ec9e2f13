"""Changing a rule: who gains and who loses is looked at before, and confirmed as just that."""

from decimal import Decimal
from typing import Any

import pytest

from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound, PermissionRefused
from core.models import Job
from events import authoring, publishing, sessions
from events.completion import value_failure
from events.models import Event, Session
from organizations.models import Role
from registrations import completion_rules, verdicts
from registrations.models import Registration, Verdict
from tests.factories.attendance import event_under_way, parts, stay
from tests.factories.events import DraftEventFactory
from tests.factories.people import Personas, personas
from tests.registrations.test_attendance import place_at

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.8"), pytest.mark.rule("C18")]
ONE_SESSION = {"completion_rule": "min_sessions_count", "completion_value": 1}


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def event(people: Personas) -> Event:
    return event_under_way(people, sessions=2, credits=Decimal(2), credit_type="CPD")


@pytest.fixture
def half(event: Event) -> Registration:
    """Was in the first of two sessions."""
    place = place_at(event)
    stay(place, parts(event)[0], 60)
    place_at(event)  # and somebody who was not there at all
    verdicts.recompute(event_id=event.pk)
    return place


class TestWhatIf:
    def test_says_who_would_gain_and_writes_nothing(self, event: Event, half: Registration) -> None:
        found = completion_rules.what_if(event, changes=ONE_SESSION)  # type: ignore[arg-type]

        assert [one.registration_id for one in found.gaining] == [half.pk]
        assert (found.losing, found.places) == ([], 2)
        assert found.summary() == "Of 2 people, 1 gains and 0 lose."
        assert found.gaining[0].told() == "not earned, then 2.00 credits"
        assert Event.objects.get(pk=event.pk).completion_rule == "all_sessions"
        assert not Verdict.objects.filter(is_eligible=True).exists()

    def test_says_who_would_lose(self, event: Event, half: Registration, people: Personas) -> None:
        change(event, people, **ONE_SESSION)
        event = Event.objects.get(pk=event.pk)

        found = completion_rules.what_if(event, changes={"completion_rule": "total_minutes", "completion_value": 61})

        assert [one.registration_id for one in found.losing] == [half.pk]

    def test_of_a_session_counts_what_it_would_count_for(self, event: Event, half: Registration) -> None:
        found = completion_rules.what_if(event, changes={}, sessions={parts(event)[1].pk: {"is_mandatory": False}})

        assert [one.registration_id for one in found.gaining] == [half.pk]

    def test_has_no_seal_where_nobody_is_affected(self, event: Event, half: Registration) -> None:
        found = completion_rules.what_if(event, changes={"credit_rounding": "nearest"})

        assert (found.affected, found.seal, found.summary()) == ((), "", "Nobody gains or loses by it.")


def change(event: Event, people: Personas, **values: Any) -> Event:
    """Confirmed as it is now."""
    seal = completion_rules.what_if(event, changes=values).seal  # type: ignore[arg-type]
    return completion_rules.change(event_id=event.pk, by=people.as_alice, seal=seal, **values)


class TestChange:
    def test_needs_the_seal_of_just_this_effect(self, event: Event, half: Registration, people: Personas) -> None:
        seal = completion_rules.what_if(event, changes=ONE_SESSION).seal  # type: ignore[arg-type]
        stay(place_at(event), parts(event)[0], 60)  # somebody more would gain by now
        for given in ("", "wrong", seal):
            with pytest.raises(completion_rules.EffectNotConfirmed) as refused:
                completion_rules.change(event_id=event.pk, by=people.as_alice, seal=given, **ONE_SESSION)  # type: ignore[arg-type]
        assert refused.value.details["gain"] == 2
        assert Event.objects.get(pk=event.pk).completion_rule == "all_sessions"

        completion_rules.change(event_id=event.pk, by=people.as_alice, seal=refused.value.details["seal"], **ONE_SESSION)  # type: ignore[arg-type]
        assert Event.objects.get(pk=event.pk).completion_rule == "min_sessions_count"

    def test_is_recorded_with_the_effect_and_worked_out_for_all(self, event: Event, half: Registration, people: Personas) -> None:
        Job.objects.all().delete()
        change(event, people, **ONE_SESSION)

        entry = AuditEntry.objects.about(event).get(action="event.completion_changed")
        assert entry.before == {"completion_rule": "all_sessions", "completion_value": None}
        assert (entry.after["gain"], entry.after["lose"]) == (1, 0)
        (job,) = Job.objects.filter(name="registrations.verdicts.recompute")
        verdicts.recompute(event_id=event.pk, after=None)
        assert Verdict.objects.get(registration=half).credits == 2
        assert job.ids == {"event_id": str(event.pk), "after": None}

    def test_of_what_is_so_already_changes_nothing(self, event: Event, half: Registration, people: Personas) -> None:
        before = AuditEntry.objects.count()
        completion_rules.change(event_id=event.pk, by=people.as_alice, credits=Decimal(2))
        completion_rules.change_session(session_id=parts(event)[0].pk, by=people.as_alice, attendance_percent=80)

        assert AuditEntry.objects.count() == before

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"completion_rule": "some"}, "completion_rule"),
            ({"completion_rule": "all_sessions", "completion_value": 2}, "completion_value"),
            ({"completion_rule": "percentage_of_sessions", "completion_value": 0}, "completion_value"),
            ({"completion_rule": "percentage_of_sessions", "completion_value": 101}, "completion_value"),
            ({"completion_rule": "min_sessions_count", "completion_value": 3}, "completion_value"),
            ({"completion_rule": "total_minutes", "completion_value": None}, "completion_value"),
            ({"credits": Decimal("-1")}, "credits"),
            ({"credits": Decimal("0.001")}, "credits"),
            ({"credit_hour_minutes": 45}, "credit_hour_minutes"),
            ({"credit_step": Decimal("0.3")}, "credit_step"),
            ({"credit_rounding": "up"}, "credit_rounding"),
        ],
    )
    @pytest.mark.rule("C22")
    def test_to_what_nobody_could_meet_is_refused(self, event: Event, people: Personas, wrong: Any, field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            completion_rules.change(event_id=event.pk, by=people.as_alice, **wrong)
        assert refused.value.field == field

    def test_is_for_those_who_manage_the_event(self, event: Event, people: Personas) -> None:
        with pytest.raises(NotFound):
            completion_rules.change(event_id=event.pk, by=people.as_charlie, **ONE_SESSION)  # type: ignore[arg-type]
        people.bob.memberships.update(role=Role.INSTRUCTOR)
        with pytest.raises((NotFound, PermissionRefused)):
            completion_rules.change(event_id=event.pk, by=people.as_bob, **ONE_SESSION)  # type: ignore[arg-type]


class TestChangeOfASession:
    def test_says_what_it_counts_for_after_a_look(self, event: Event, half: Registration, people: Personas) -> None:
        two = parts(event)[1]
        with pytest.raises(completion_rules.EffectNotConfirmed) as refused:
            completion_rules.change_session(session_id=two.pk, by=people.as_alice, is_cancelled=True)
        completion_rules.change_session(
            session_id=two.pk, by=people.as_alice, seal=refused.value.details["seal"], is_cancelled=True, credits=None
        )

        assert Session.objects.get(pk=two.pk).is_cancelled
        assert AuditEntry.objects.about(two).get(action="session.completion_changed").after["gain"] == 1

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [({"attendance_percent": 101}, "attendance_percent"), ({"kind": "dreamt"}, "kind"), ({"credits": Decimal("-1")}, "credits")],
    )
    def test_to_what_no_session_has_is_refused(self, event: Event, people: Personas, wrong: Any, field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            completion_rules.change_session(session_id=parts(event)[0].pk, by=people.as_alice, **wrong)
        assert refused.value.field == field

    def test_leaves_at_least_one_that_can_count(self, event: Event, people: Personas) -> None:
        one, two = parts(event)
        completion_rules.change_session(session_id=one.pk, by=people.as_alice, kind="recorded")
        with pytest.raises(InvalidInput, match="at least one session"):
            completion_rules.change_session(session_id=two.pk, by=people.as_alice, is_published=False)

    def test_of_somebody_elses_is_not_found(self, event: Event, people: Personas) -> None:
        with pytest.raises(NotFound):
            completion_rules.change_session(session_id=parts(event)[0].pk, by=people.as_charlie, is_cancelled=True)


class TestAroundIt:
    def test_once_begun_the_plain_edits_change_no_outcome(self, event: Event, people: Personas) -> None:
        with pytest.raises(authoring.EventLocked, match="Completion"):
            authoring.edit(event_id=event.pk, by=people.as_alice, credits=Decimal(9))
        with pytest.raises(authoring.EventLocked, match="What it counts for"):
            sessions.edit(session_id=parts(event)[0].pk, by=people.as_alice, is_mandatory=False)

    def test_publishing_asks_for_a_rule_that_can_be_met(self, people: Personas) -> None:
        draft = DraftEventFactory(
            organization=people.organization, host=people.alice, completion_rule="min_sessions_count", completion_value=2
        )
        with pytest.raises(publishing.ChecklistFailed, match="at most 1 sessions"):
            publishing.publish(event_id=draft.pk, by=people.as_alice)
        draft.sessions.update(kind="recorded")
        with pytest.raises(publishing.ChecklistFailed, match="at least one session that can count"):
            publishing.publish(event_id=draft.pk, by=people.as_alice)

    @pytest.mark.parametrize(
        ("rule", "value", "sessions_", "possible"),
        [
            ("all_sessions", None, 3, True),
            ("percentage_of_sessions", 100, 3, True),
            ("min_sessions_count", 3, 3, True),
            ("min_sessions_count", 9, None, True),
            ("total_minutes", 1, 3, True),
            ("min_sessions_count", 4, 3, False),
            ("total_minutes", 0, 3, False),
        ],
    )
    def test_a_value_is_possible_or_says_why_not(self, rule: str, value: int | None, sessions_: int | None, possible: bool) -> None:
        assert (value_failure(rule, value, sessions_) is None) is possible
