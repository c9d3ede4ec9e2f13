"""Attendance in the consoles: the desk, what each person attended and why it counts, the list, the marks, and what-if."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from admin_ext.attendance import bulk
from admin_ext.console import bulk_runs
from events.models import Event
from registrations import attendance, attendance_files, verdicts
from registrations.models import AttendanceLine, Registration, Verdict
from tests.admin_ext import making
from tests.admin_ext.conftest import sign_in
from tests.factories.attendance import event_under_way, parts, stay
from tests.factories.people import Personas, personas
from tests.registrations.test_attendance import place_at
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("3.3")]
CONSOLE = "/console"


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def event(people: Personas) -> Event:
    return event_under_way(people, sessions=2, credits=Decimal(2), credit_type="CPD")


@pytest.fixture
def alice(people: Personas) -> Client:
    return sign_in(people.alice)


def page_of(place: Registration) -> str:
    return f"{CONSOLE}/registrations/registration/{place.public_id}/"


def typed(event: Event, **values: str) -> dict[str, str]:
    rule = {"completion_rule": event.completion_rule, "completion_value": "", "credits": str(event.credits)}
    return {**rule, "credit_hour_minutes": "60", "credit_step": "0.25", "credit_rounding": "down", "token": "t" * 12, **values}


class TestARegistration:
    def test_shows_each_session_and_why_it_counts_or_not(self, event: Event, alice: Client, people: Personas) -> None:
        place, (one, two) = place_at(event), parts(event)
        stay(place, one, 31)
        attendance.mark(registration_id=place.pk, present=True, session_id=two.pk, by=people.as_alice)
        shown = alice.get(f"{page_of(place)}change/").content.decode()

        for sentence in ("31 of 48 minutes", "checked in", "1 of 2 required sessions.", "Not completed", "Zoom", "Check-in"):
            assert sentence in shown

    def test_is_marked_granted_and_let_be_again_by_buttons(self, event: Event, alice: Client) -> None:
        place = place_at(event)
        alice.post(f"{page_of(place)}mark-attendance/", {"presence": "present", "token": "a" * 12})
        assert Verdict.objects.get(registration=place).is_eligible
        deny = {"decision": "deny", "reason": "Somebody else sat there", "session": str(parts(event)[0].pk), "token": "b" * 12}
        alice.post(f"{page_of(place)}decide-attendance/", deny)
        assert not Verdict.objects.get(registration=place).is_eligible
        alice.post(f"{page_of(place)}withdraw-decision/", {"session": str(parts(event)[0].pk), "token": "c" * 12})
        assert Verdict.objects.get(registration=place).is_eligible


class TestManyAtOnce:
    def test_are_marked_with_a_preview_and_refusals_by_name(self, event: Event, people: Personas) -> None:
        places = [place_at(event) for _ in range(3)]
        attendance.mark(registration_id=places[0].pk, present=True, by=people.as_alice)
        rows = Registration.objects.filter(event=event)
        run = bulk_runs.freeze(kind=bulk.MARK_PRESENT.name, rows=rows, as_staff=False, by=people.as_alice)
        bulk_runs.describe(run_id=run.pk, values={"session": ""}, by=people.as_alice)
        bulk_runs.plan(run_id=run.pk)
        refused = run.items.get(state="refused")
        assert (refused.object_id, refused.message) == (places[0].pk, "The person is present already.")
        assert set(run.items.filter(state="planned").values_list("effect", flat=True)) == {"Present: Part 1, Part 2"}
        assert Verdict.objects.count() == 1

        bulk_runs.confirm(run_id=run.pk, by=people.as_alice)
        bulk_runs.work(run_id=run.pk)
        assert Verdict.objects.filter(is_eligible=True).count() == 3

    def test_are_marked_absent_in_one_session(self, event: Event, people: Personas) -> None:
        place, two = place_at(event), parts(event)[1]
        attendance.mark(registration_id=place.pk, present=True, by=people.as_alice)
        run = bulk_runs.freeze(kind=bulk.MARK_ABSENT.name, rows=Registration.objects.all(), as_staff=False, by=people.as_alice)
        bulk_runs.describe(run_id=run.pk, values={"session": two.public_id}, by=people.as_alice)
        for step in (bulk_runs.plan, bulk_runs.work):
            step(run_id=run.pk)
            if step is bulk_runs.plan:
                bulk_runs.confirm(run_id=run.pk, by=people.as_alice)

        assert run.items.get().message == "Marked; 2.00 credits, then not earned"

    @pytest.mark.parametrize(("text", "valid"), [("", True), ("ses_01m839vw98et780n0qqqctcsma", True), ("evt_1", False), ("x", False)])
    def test_ask_for_a_session_by_its_id(self, text: str, valid: bool) -> None:
        assert bulk.WhichSession({"session": text}).is_valid() is valid


class TestTheList:
    @pytest.mark.gap("5.2")
    def test_asks_as_much_for_many_rows_as_for_few_and_exports_them(self, event: Event, alice: Client, people: Personas) -> None:
        url = f"{CONSOLE}/registrations/verdict/"

        def queries(query: str = "") -> int:
            with CaptureQueriesContext(connection) as asked:
                assert alice.get(url + query).status_code == 200
            return len(asked)

        place_at(event)
        verdicts.recompute(event_id=event.pk)
        queries()
        few, filtered = queries(), queries(f"?event__id__exact={event.pk}&is_eligible__exact=1")
        Event.objects.filter(pk=event.pk).update(capacity=SIZES.list_rows + 10)
        _many(event, SIZES.list_rows)
        verdicts.recompute(event_id=event.pk)

        assert queries() == few <= 25
        assert queries(f"?event__id__exact={event.pk}&is_eligible__exact=1") == filtered
        answer: Any = alice.post(f"{url}export.csv?event__id__exact={event.pk}")
        lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
        assert lines[0] == "Id,Name,Email,Event,Completed,Credits,Sessions counted,Minutes,Why,Worked out"
        assert len(lines) == SIZES.list_rows + 2
        assert ",no,0.00,0,0,0 of 2 required sessions. “Part 1” missing: not attended." in lines[1]

    def test_finds_a_person_by_name(self, event: Event, alice: Client) -> None:
        for name in ("Ada Lovelace", "Ben Bell"):
            place_at(event, name=name)
        verdicts.recompute(event_id=event.pk)
        shown = alice.get(f"{CONSOLE}/registrations/verdict/?q=lovel").content.decode()

        assert "Ada Lovelace" in shown
        assert "Ben Bell" not in shown


def _many(event: Event, count: int) -> None:
    values = {"state": "confirmed", "confirmed_at": event.starts_at}
    Registration.objects.bulk_create(Registration(event=event, email=f"m{n}@x.org", name=f"M {n}", **values) for n in range(count))


class TestWhatIf:
    def test_shows_who_gains_and_changes_only_what_was_confirmed(self, event: Event, alice: Client) -> None:
        place = place_at(event, name="Ada Lovelace")
        stay(place, parts(event)[0], 60)
        page = f"{CONSOLE}/events/event/{event.public_id}/"
        change = typed(event, completion_rule="min_sessions_count", completion_value="1")

        shown = alice.post(f"{page}completion-preview/", change).content.decode()
        assert "Of 1 person, 1 gains and 0 lose." in shown
        assert "Gains: Ada Lovelace, not earned, then 2.00 credits." in shown
        refused = alice.post(f"{page}completion/", change).content.decode()
        assert "Look at who, then confirm." in refused
        assert Event.objects.get(pk=event.pk).completion_rule == "all_sessions"

        seal = re.search(r'name="seal" value="([0-9a-f]{64})"', shown)
        assert seal is not None
        assert seal[1] in refused  # without scripts the form itself holds it from now on
        alice.post(f"{page}completion/", {**change, "seal": seal[1]})
        assert Event.objects.get(pk=event.pk).completion_rule == "min_sessions_count"

    def test_says_which_field_is_wrong(self, event: Event, alice: Client) -> None:
        page = f"{CONSOLE}/events/event/{event.public_id}/"
        wrong = typed(event, completion_rule="min_sessions_count", completion_value="3")

        assert "Correct the fields" in alice.post(f"{page}completion-preview/", wrong).content.decode()
        assert "Ask for at most 2 sessions" in alice.post(f"{page}completion/", wrong).content.decode()

    def test_of_a_session_stands_beside_its_dialog(self, event: Event, alice: Client) -> None:
        stay(place_at(event, name="Ada Lovelace"), parts(event)[0], 60)
        page = f"{CONSOLE}/events/session/{parts(event)[1].public_id}/"
        values = {"attendance_percent": "80", "kind": "live", "is_published": "on", "is_mandatory": "", "credits": ""}

        assert "Gains: Ada Lovelace" in alice.post(f"{page}counts-preview/", values).content.decode()

    def test_is_not_for_who_may_only_look(self, event: Event, people: Personas) -> None:
        from_audit = sign_in(making.user("ina", groups=("auditor",)))
        address = f"/staff/events/event/{event.public_id}/completion-preview/"

        assert from_audit.post(address, typed(event)).status_code == 403
        assert from_audit.get(f"/staff/events/event/{event.public_id}/desk/").status_code == 403

    def test_of_working_out_anew_says_who_would_be_shown_otherwise(self, event: Event, alice: Client) -> None:
        place = place_at(event, name="Ada Lovelace")
        verdicts.recompute(event_id=event.pk)
        page = f"{CONSOLE}/events/event/{event.public_id}/recalculate/"
        assert "changes nothing" in alice.get(page).content.decode()
        for session in parts(event):
            stay(place, session, 60)

        assert "Ada Lovelace: not earned, then 2.00 credits" in alice.get(page).content.decode()


class TestTheDesk:
    def test_is_opened_from_the_events_page_and_knows_the_session_that_is_on(self, event: Event, alice: Client) -> None:
        page = f"{CONSOLE}/events/event/{event.public_id}/"
        assert f"{page}desk/" in alice.get(f"{page}change/").content.decode()
        shown = alice.get(f"{page}desk/").content.decode()

        assert f'data-api="/api/v1/events/{event.public_id}/check-ins"' in shown
        assert re.search(rf'value="{parts(event)[0].public_id}" selected', shown)

    def test_says_what_to_do_where_there_is_no_session(self, event: Event, alice: Client) -> None:
        event.sessions.update(is_published=False)

        assert "no session" in alice.get(f"{CONSOLE}/events/event/{event.public_id}/desk/").content.decode()


class TestAFile:
    def test_becomes_a_run_and_what_is_not_found_is_matched_by_hand(self, event: Event, alice: Client, people: Personas) -> None:
        ada = place_at(event, name="Ada Lovelace", email="ada@example.org")
        (line,) = attendance_files.read(session_id=parts(event)[0].pk, content=b"name\nAda Lovelac\n", by=people.as_alice)
        page = f"{CONSOLE}/registrations/attendanceline/{line.public_id}/"
        assert "Ada Lovelace (ada@example.org)" in alice.get(f"{page}match/").content.decode()
        nobody = alice.post(f"{page}match/", {"registration": "who?", "token": "d" * 12}).content.decode()
        assert "Choose who it is" in nobody

        alice.post(f"{page}match/", {"suggestion": ada.public_id, "remember": "on", "token": "e" * 12})
        assert AttendanceLine.objects.get(pk=line.pk).applied_at is not None
        assert Verdict.objects.get(registration=ada).minutes == 60
        assert b"email,name,joined,left" in alice.get(f"{CONSOLE}/registrations/attendanceline/sample.csv").content

    def test_that_is_too_large_or_in_no_zone_is_refused_at_its_field(self, event: Event, alice: Client) -> None:
        page = f"{CONSOLE}/events/session/{parts(event)[0].public_id}/attendance-file/"
        large = SimpleUploadedFile("people.csv", b"x" * (5 * 1024 * 1024), "text/csv")
        assert "larger than 4 MB" in alice.post(page, {"upload": large, "time_zone": "UTC", "token": "f" * 12}).content.decode()
        wrong = {"upload": SimpleUploadedFile("people.csv", b"email\na@x.org\n", "text/csv"), "time_zone": "Mars/Base", "token": "g" * 12}
        assert "IANA name" in alice.post(page, wrong).content.decode()
        assert not AttendanceLine.objects.exists()
