"""Attendance by hand, and the verdict that follows from all of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound
from core.models import Job
from events import sessions
from events.models import Event
from registrations import attendance, cancellation, check_ins, explaining, places, verdicts
from registrations.models import AttendanceInterval, AttendanceOverride, Registration, Verdict
from tests.factories.attendance import event_under_way, parts, stay, verdict
from tests.factories.people import Personas, personas

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.8"), pytest.mark.rule("C3")]


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def event(people: Personas) -> Event:
    return event_under_way(people, sessions=2, credits=Decimal(2), credit_type="CPD")


def place_at(event: Event, **values: Any) -> Registration:
    """Confirmed; events that have begun take no registrations any more."""
    number = event.registrations.count()
    given = {"email": f"p{number}@example.org", "name": f"Person {number}", "state": "confirmed", "confirmed_at": event.starts_at}
    return Registration.objects.create(event=event, **{**given, **values})


def earned(place: Registration) -> tuple[bool, Decimal]:
    kept = Verdict.objects.get(registration=place)
    return kept.is_eligible, kept.credits


class TestMark:
    def test_present_counts_every_session_whole(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        change = attendance.mark(registration_id=place.pk, present=True, by=people.as_alice)

        assert change.after == earned(place) == (True, Decimal(2))
        assert Verdict.objects.get(registration=place).minutes == 120

    def test_one_session_alone(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        attendance.mark(registration_id=place.pk, present=True, session_id=parts(event)[1].pk, by=people.as_alice)

        assert earned(place) == (False, Decimal(0))
        assert Verdict.objects.get(registration=place).sessions_counted == 1

    def test_absent_takes_check_ins_back(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        attendance.mark(registration_id=place.pk, present=True, by=people.as_alice)
        attendance.mark(registration_id=place.pk, present=False, by=people.as_bob)

        assert earned(place) == (False, Decimal(0))
        assert place.check_ins.filter(undone_at=None).count() == 0

    @pytest.mark.parametrize("present", [True, False])
    def test_what_is_so_already_is_said(self, event: Event, people: Personas, present: bool) -> None:
        place = place_at(event)
        if present:
            attendance.mark(registration_id=place.pk, present=True, by=people.as_alice)
        with pytest.raises(attendance.AttendanceUnchanged):
            attendance.mark(registration_id=place.pk, present=present, by=people.as_alice)

    def test_absent_does_not_outweigh_recorded_minutes(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        stay(place, parts(event)[0], 60)
        with pytest.raises(attendance.AttendanceRecorded, match="Part 1"):
            attendance.mark(registration_id=place.pk, present=False, by=people.as_alice)

    def test_only_of_a_place_that_is_confirmed_and_ones_own(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        with pytest.raises(NotFound):
            attendance.mark(registration_id=place.pk, present=True, by=people.as_charlie)
        cancellation.cancel(registration_id=place.pk, by=people.as_alice)
        with pytest.raises(places.PlaceCancelled):
            attendance.mark(registration_id=place.pk, present=True, by=people.as_alice)


class TestDecide:
    def test_grants_and_denies_with_a_reason_and_an_entry(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        granted = attendance.decide(registration_id=place.pk, decision="grant", reason="Was ill, saw the recording", by=people.as_alice)
        assert granted.after == (True, Decimal(2))

        denied = attendance.decide(registration_id=place.pk, decision="deny", reason="Not the person", by=people.as_alice)
        assert denied.told() == "2.00 credits, then not earned"
        entry = AuditEntry.objects.about(place).filter(action="registration.attendance_decided").latest("id")
        assert (entry.reason, entry.before["decision"], entry.after["decision"]) == ("Not the person", "grant", "deny")
        assert AttendanceOverride.objects.filter(registration=place, withdrawn_at=None).count() == 1

    @pytest.mark.rule("C3")
    def test_deny_wins_over_everything(self, event: Event, people: Personas) -> None:
        place, one = place_at(event), parts(event)[0]
        attendance.mark(registration_id=place.pk, present=True, by=people.as_alice)
        attendance.decide(registration_id=place.pk, decision="grant", reason="x", session_id=one.pk, by=people.as_alice)
        attendance.decide(registration_id=place.pk, decision="deny", reason="Left at once", by=people.as_alice)

        assert earned(place) == (False, Decimal(0))
        assert Verdict.objects.get(registration=place).reasons == ["Denied by the organizer."]

    def test_withdrawn_lets_what_was_recorded_count_again(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        attendance.mark(registration_id=place.pk, present=True, by=people.as_alice)
        attendance.decide(registration_id=place.pk, decision="deny", reason="x", by=people.as_alice)
        attendance.withdraw(registration_id=place.pk, by=people.as_alice)

        assert earned(place) == (True, Decimal(2))
        with pytest.raises(attendance.NothingDecided):
            attendance.withdraw(registration_id=place.pk, by=people.as_alice)

    @pytest.mark.parametrize(("decision", "reason"), [("grant", "  "), ("maybe", "x"), ("grant", "x" * 501)])
    def test_asks_for_a_decision_and_a_reason(self, event: Event, people: Personas, decision: str, reason: str) -> None:
        place = place_at(event)
        with pytest.raises(InvalidInput):
            attendance.decide(registration_id=place.pk, decision=decision, reason=reason, by=people.as_alice)
        assert not place.overrides.exists()

    def test_takes_no_session_of_another_event(self, event: Event, people: Personas) -> None:
        place, foreign = place_at(event), parts(event_under_way(people))[0]
        with pytest.raises(NotFound):
            attendance.decide(registration_id=place.pk, decision="grant", reason="x", session_id=foreign.pk, by=people.as_alice)


class TestVerdicts:
    def test_overlapping_sources_count_once(self, event: Event) -> None:
        place, (one, two) = place_at(event), parts(event)
        stay(place, one, 35)
        stay(place, one, 35, start=20, source="import")
        stay(place, two, 47)

        kept = verdict(place)

        assert (kept.minutes, kept.is_eligible) == (102, False)
        assert kept.reasons == ["1 of 2 required sessions.", "“Part 2” missing: 47 of 48 minutes."]

    def test_a_no_show_has_one_that_says_so(self, event: Event) -> None:
        kept = verdict(place_at(event))

        assert (kept.is_eligible, kept.credits, kept.minutes) == (False, 0, 0)

    @pytest.mark.parametrize("attribute", [{"is_published": False}, {"is_cancelled": True}, {"kind": "recorded"}])
    def test_sessions_that_cannot_count_are_left_out(self, event: Event, attribute: dict[str, Any]) -> None:
        place, (one, two) = place_at(event), parts(event)
        stay(place, one, 60)
        type(two).objects.filter(pk=two.pk).update(**attribute)

        assert verdict(place).is_eligible

    def test_are_forgotten_with_the_place(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        attendance.mark(registration_id=place.pk, present=True, by=people.as_alice)
        cancellation.cancel(registration_id=place.pk, by=people.as_alice)

        assert not Verdict.objects.filter(registration=place).exists()
        assert not explaining.explain(Registration.objects.select_related("event").get(pk=place.pk)).verdict.eligible

    def test_are_the_same_worked_out_for_one_and_for_all(self, event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(verdicts, "CHUNK", 2)
        rows = [place_at(event) for _ in range(5)]
        for number, place in enumerate(rows):
            stay(place, parts(event)[0], 12 * number + 10)
        verdicts.recompute(event_id=event.pk)
        together = {one.registration_id: (one.is_eligible, one.minutes, one.reasons) for one in Verdict.objects.all()}

        assert len(together) == 5
        for place in rows:
            alone = verdict(place)
            assert (alone.is_eligible, alone.minutes, alone.reasons) == together[place.pk]

    def test_late_attendance_shows_as_a_difference_before_it_is_worked_out(self, event: Event, people: Personas) -> None:
        place = place_at(event)
        verdict(place)
        for session in parts(event):
            stay(place, session, 60)

        (change,) = verdicts.outdated(event)
        assert change.told() == "not earned, then 2.00 credits"
        assert earned(place) == (False, Decimal(0))

        verdicts.recalculate(event_id=event.pk, by=people.as_alice)
        verdicts.recompute(event_id=event.pk)
        assert verdicts.outdated(event) == []
        entry = AuditEntry.objects.about(place).get(action="registration.verdict_changed")
        assert (entry.before["earned"], entry.after["earned"]) == ("not earned", "2.00 credits")

    def test_the_clock_finds_events_whose_verdicts_are_missing_or_by_an_old_rule(self, event: Event) -> None:
        def queued() -> int:
            Job.objects.all().delete()
            verdicts.sweep()
            return Job.objects.filter(name="registrations.verdicts.recompute").count()

        place_at(event)
        assert queued() == 1
        verdicts.recompute(event_id=event.pk)
        assert queued() == 0
        Event.objects.filter(pk=event.pk).update(completion_rule="total_minutes", completion_value=1)
        assert queued() == 1

    def test_a_part_of_the_work_goes_on_after_the_last_place(self, event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(verdicts, "SECONDS", 0.0)
        verdicts.recompute(event_id=event.pk)

        assert Job.objects.filter(name="registrations.verdicts.recompute").count() == 1
        assert verdicts._recompute_chunk(event_id=parts(event)[0].pk, after=None) is None  # the key of no event

    def test_cost_as_many_queries_for_many_as_for_few(self, event: Event, django_assert_num_queries: Any) -> None:
        for _ in range(2):
            place_at(event)
        verdicts.recompute(event_id=event.pk)
        for size in (2, event.capacity):
            while event.registrations.count() < size:
                place_at(event)
            verdicts._recompute_chunk(event.pk, None)
            with django_assert_num_queries(10):
                verdicts._recompute_chunk(event.pk, None)


class TestTheDatabase:
    def test_takes_no_interval_that_ends_before_it_starts(self, event: Event) -> None:
        with pytest.raises(IntegrityError, match="interval_ends_after_start"), transaction.atomic():
            stay(place_at(event), parts(event)[0], 0)

    def test_takes_no_interval_of_another_events_session(self, event: Event, people: Personas) -> None:
        with pytest.raises(IntegrityError, match="another event"), transaction.atomic():
            stay(place_at(event), parts(event_under_way(people))[0], 10)

    def test_takes_no_interval_twice_from_one_source(self, event: Event) -> None:
        place, one = place_at(event), parts(event)[0]
        stay(place, one, 10, source_key="a")
        stay(place, one, 10)
        stay(place, one, 10)
        with pytest.raises(IntegrityError, match="interval_source_key_once"), transaction.atomic():
            stay(place, one, 20, source_key="a")
        assert AttendanceInterval.objects.count() == 3

    def test_has_one_decision_for_a_place_and_session_and_one_for_the_whole(self, event: Event) -> None:
        place = place_at(event)
        for session in (None, parts(event)[0]):
            values = {"registration": place, "session": session, "decision": "deny", "reason": "x"}
            AttendanceOverride.objects.create(**values)
            with pytest.raises(IntegrityError, match="override_active_once"), transaction.atomic():
                AttendanceOverride.objects.create(**values)

    def test_gives_no_credit_to_who_did_not_complete(self, event: Event) -> None:
        verdict(place_at(event))
        with pytest.raises(IntegrityError, match="verdict_credits_only_eligible"), transaction.atomic():
            Verdict.objects.update(credits=1)

    @pytest.mark.parametrize(
        ("rule", "value"),
        [
            ("all_sessions", 1),
            ("percentage_of_sessions", None),
            ("percentage_of_sessions", 101),
            ("min_sessions_count", 0),
            ("total_minutes", None),
        ],
    )
    def test_takes_no_rule_that_nobody_could_meet(self, event: Event, rule: str, value: int | None) -> None:
        with pytest.raises(IntegrityError, match="event_completion_possible"), transaction.atomic():
            Event.objects.filter(pk=event.pk).update(completion_rule=rule, completion_value=value)

    @pytest.mark.parametrize("wrong", [{"credit_hour_minutes": 55}, {"credit_step": Decimal("0.3")}, {"credit_rounding": "up"}])
    def test_takes_no_credit_rule_that_no_body_has(self, event: Event, wrong: dict[str, Any]) -> None:
        with pytest.raises(IntegrityError, match="event_credit_rule_known"), transaction.atomic():
            Event.objects.filter(pk=event.pk).update(**wrong)

    def test_keeps_a_session_that_somebody_attended(self, event: Event, people: Personas) -> None:
        place, two = place_at(event), parts(event)[1]
        check_ins.check_in(event_id=event.pk, registration_id=place.pk, session_id=two.pk, by=people.as_alice)
        with pytest.raises(sessions.SessionAttended):
            sessions.remove(session_id=two.pk, by=people.as_alice)
        assert parts(event)[1] == two
        assert two.ends_at - two.starts_at == timedelta(hours=1)
