"""From a file to attendance: who a line is, what is recorded once, and what is remembered."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from admin_ext.attendance import files
from admin_ext.console import bulk_runs
from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound
from core.public_ids import uuid7
from events.models import Event
from registrations import attendance_files, matching, places
from registrations.matching import People, Person
from registrations.models import AttendanceLine, AttendeeAlias, Registration, Verdict
from tests.factories.attendance import event_under_way, parts
from tests.factories.people import Personas, personas
from tests.registrations.test_attendance import place_at


def person(name: str, email: str = "") -> Person:
    return Person(uuid7(), email or f"{name.split()[0].lower()}@example.org", name)


ADA, BEN, BEA = person("Ada Lovelace"), person("Ben Bell"), person("Bea Bell")
ZOE, ZOES = person("Zoë Ångström"), person("Ångström Zoe", "zoe2@example.org")


class TestMatching:
    @pytest.mark.parametrize(
        ("email", "name", "found", "by"),
        [
            ("ADA@example.org", "Somebody", ADA, "email"),
            ("", "ada lovelace", ADA, "name"),
            ("", "Lovelace, Ada (iPhone)", ADA, "name"),
            ("ada@private.example", "", ADA, "alias"),
            ("", "Countess", ADA, "alias"),
            ("", "Zoe Angstrom", None, ""),  # two people have that name
            ("", "", None, ""),
            ("", "Quite Somebody", None, ""),
        ],
    )
    def test_goes_by_address_then_alias_then_name(self, email: str, name: str, found: Person | None, by: str) -> None:
        aliases = {"ada@private.example": ADA.email, "countess": ADA.email}
        match = People([ADA, BEN, BEA, ZOE, ZOES], aliases).match(email=email, name=name)

        assert (match.person, match.by) == (found, by)

    def test_ranks_who_it_might_be(self) -> None:
        people = People([ADA, BEN, BEA, ZOE, ZOES], {})

        assert people.match(email="", name="Benn Bell").suggestions[:2] == (BEN, BEA)
        assert set(people.match(email="", name="Zoe Angstrom").suggestions) == {ZOE, ZOES}
        assert people.match(email="ada@elsewhere.example", name="").suggestions == (ADA,)
        assert people.match(email="", name="Quite Somebody").suggestions == ()

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Ångström, Ada (iPhone)", "angstrom ada"),
            ("  ADA  lovelace ", "ada lovelace"),
            ("Ada.L+x@Example.org", "ada.l+x@example.org"),
            ("()", ""),
        ],
    )
    def test_folds_what_does_not_tell_people_apart(self, text: str, expected: str) -> None:
        assert matching.folded(text) == expected


@pytest.fixture
def people(db: None) -> Personas:
    return personas()


@pytest.fixture
def event(people: Personas) -> Event:
    return event_under_way(people)


def minute(event: Event, minutes: int) -> str:
    return (parts(event)[0].starts_at + timedelta(minutes=minutes)).isoformat()


def sent(event: Event, people: Personas, *lines: str, **values: Any) -> list[AttendanceLine]:
    content = "\r\n".join(["email,name,joined,left", *lines]).encode()
    given = {"session_id": parts(event)[0].pk, "content": content, "by": people.as_alice, **values}
    return attendance_files.read(**given)


class TestRead:
    def test_keeps_each_line_with_whom_it_is_and_records_nothing(self, event: Event, people: Personas) -> None:
        ada = place_at(event, name="Ada Lovelace", email="ada@example.org")
        lines = sent(event, people, "ada@example.org,,,", ",Ada Lovelac,,", ",,09:00,")

        assert [line.registration_id for line in lines] == [ada.pk, None, None]
        assert lines[1].suggestions == [ada.public_id]
        assert [bool(line.problem) for line in lines] == [False, False, True]
        assert not ada.attendance.exists()
        assert AuditEntry.objects.about(parts(event)[0]).latest("id").after == {"lines": 3, "matched": 1, "source": "import"}

    def test_is_for_the_events_own_people(self, event: Event, people: Personas) -> None:
        with pytest.raises(NotFound):
            sent(event, people, "a@x.org,,,", by=people.as_charlie)
        with pytest.raises(InvalidInput, match="IANA"):
            sent(event, people, "a@x.org,,,", time_zone="../etc/passwd")
        assert not AttendanceLine.objects.exists()


class TestApply:
    def test_records_the_minutes_and_says_what_they_come_to(self, event: Event, people: Personas) -> None:
        ada = place_at(event, email="ada@example.org")
        first, second = sent(
            event,
            people,
            f"ada@example.org,,{minute(event, 0)},{minute(event, 30)}",
            f"ada@example.org,,{minute(event, 20)},{minute(event, 50)}",
        )
        assert "to" in attendance_files.check(first)

        assert attendance_files.apply(line_id=first.pk, by=people.as_alice) == "Recorded; not earned"
        assert attendance_files.apply(line_id=second.pk, by=people.as_alice) == "Recorded; not earned, then completed"
        assert Verdict.objects.get(registration=ada).minutes == 50

    def test_of_a_line_without_times_is_the_whole_session(self, event: Event, people: Personas) -> None:
        ada = place_at(event, email="ada@example.org")
        (line,) = sent(event, people, "ada@example.org,,,")
        assert "the whole session" in attendance_files.check(line)
        attendance_files.apply(line_id=line.pk, by=people.as_alice)

        assert Verdict.objects.get(registration=ada).minutes == 60

    def test_of_the_same_line_in_another_copy_is_refused(self, event: Event, people: Personas) -> None:
        ada = place_at(event, email="ada@example.org")
        (line,), (copy,) = (sent(event, people, f"ada@example.org,,{minute(event, 0)},") for _ in range(2))
        attendance_files.apply(line_id=line.pk, by=people.as_alice)
        for again in (line, copy):
            again = AttendanceLine.objects.select_related("session__event", "registration").get(pk=again.pk)
            with pytest.raises(attendance_files.LineApplied):
                attendance_files.check(again)
            with pytest.raises(attendance_files.LineApplied):
                attendance_files.apply(line_id=again.pk, by=people.as_alice)
        assert ada.attendance.count() == 1

    def test_of_nobody_says_who_it_might_be(self, event: Event, people: Personas) -> None:
        place_at(event, name="Ada Lovelace", email="ada@example.org")
        nobody, wrong = sent(event, people, ",Ada Lovelac,,", "a@x.org,,noon,")
        with pytest.raises(attendance_files.LineUnmatched, match=r"Ada Lovelace \(ada@example.org\)"):
            attendance_files.apply(line_id=nobody.pk, by=people.as_alice)
        with pytest.raises(attendance_files.LineUnreadable, match="cannot be read"):
            attendance_files.apply(line_id=wrong.pk, by=people.as_alice)

    def test_of_a_place_given_up_meanwhile_is_refused(self, event: Event, people: Personas) -> None:
        ada = place_at(event, email="ada@example.org")
        (line,) = sent(event, people, "ada@example.org,,,")
        Registration.objects.filter(pk=ada.pk).update(state="cancelled", cancel_reason="attendee")
        with pytest.raises(places.PlaceCancelled):
            attendance_files.apply(line_id=line.pk, by=people.as_alice)


class TestMatch:
    def test_records_the_line_and_finds_the_person_in_the_next_file(self, event: Event, people: Personas) -> None:
        ada = place_at(event, name="Ada Lovelace", email="ada@example.org")
        (line,) = sent(event, people, "countess@private.example,The Countess,,")
        attendance_files.match(line_id=line.pk, registration_id=ada.pk, by=people.as_alice)

        assert ada.attendance.count() == 1
        assert set(AttendeeAlias.objects.values_list("alias", "email")) == {
            ("countess@private.example", "ada@example.org"),
            ("the countess", "ada@example.org"),
        }
        (next_line,) = sent(event, people, f",The COUNTESS (iPad),{minute(event, 1)},")
        assert next_line.registration_id == ada.pk

    def test_need_not_be_remembered(self, event: Event, people: Personas) -> None:
        ada = place_at(event)
        (line,) = sent(event, people, ",The Countess,,")
        attendance_files.match(line_id=line.pk, registration_id=ada.pk, by=people.as_alice, remember=False)

        assert not AttendeeAlias.objects.exists()
        with pytest.raises(attendance_files.LineApplied):
            attendance_files.match(line_id=line.pk, registration_id=ada.pk, by=people.as_alice)

    def test_aliases_are_an_organizations_own(self, event: Event, people: Personas) -> None:
        AttendeeAlias.objects.create(organization=people.elsewhere, alias="the countess", email="ada@example.org")
        place_at(event, email="ada@example.org")
        (line,) = sent(event, people, ",The Countess,,")

        assert line.registration_id is None

    def test_only_to_a_place_at_the_same_event(self, event: Event, people: Personas) -> None:
        (line,) = sent(event, people, ",The Countess,,")
        elsewhere = place_at(event_under_way(people))
        with pytest.raises(NotFound):
            attendance_files.match(line_id=line.pk, registration_id=elsewhere.pk, by=people.as_alice)
        with pytest.raises(NotFound):
            attendance_files.match(line_id=line.pk, registration_id=place_at(event).pk, by=people.as_charlie)


class TestTheRun:
    def test_previews_and_records_each_line(self, event: Event, people: Personas) -> None:
        ada = place_at(event, name="Ada", email="ada@example.org")
        content = b"email,name\r\nada@example.org,\r\n,Somebody Else\r\n"
        run = files.begin(session_id=parts(event)[0].pk, content=content, time_zone="", by=people.as_alice)
        bulk_runs.plan(run_id=run.pk)
        planned = list(run.items.order_by("position").values_list("state", "message"))
        bulk_runs.confirm(run_id=run.pk, by=people.as_alice)
        bulk_runs.work(run_id=run.pk)

        assert [state for state, _ in planned] == ["planned", "refused"]
        assert "Nobody of that name" in planned[1][1]
        done = run.items.get(object_id=line_of(ada))
        assert (done.state, done.message) == ("done", "Recorded; completed")
        assert Verdict.objects.get(registration=ada).is_eligible

    def test_forgets_the_lines_after_some_weeks(self, event: Event, people: Personas) -> None:
        ada = place_at(event, email="ada@example.org")
        old, new = (sent(event, people, line)[0] for line in ("ada@example.org,,,", "b@example.org,,,"))
        attendance_files.apply(line_id=old.pk, by=people.as_alice)
        AttendanceLine.objects.filter(pk=old.pk).update(created_at=old.session.starts_at - timedelta(days=31))
        attendance_files.purge()

        assert list(AttendanceLine.objects.values_list("pk", flat=True)) == [new.pk]
        assert ada.attendance.exists()


def line_of(place: Registration) -> UUID:
    return AttendanceLine.objects.get(registration=place).pk
