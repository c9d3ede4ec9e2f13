"""Files of participants as they come: Zoom's report, plain lists, and what no spreadsheet should have written."""

from datetime import UTC, datetime, timedelta

import pytest

from core.errors import InvalidInput
from registrations import participant_files
from registrations.intervals import Interval
from registrations.participant_files import Row, read

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
HOUR = Interval(NOON, NOON + timedelta(hours=1))
ZOOM = (
    "Meeting ID,Topic,Start Time,End Time,User Email,Duration (Minutes),Participants\r\n"
    "123 456 789,Ethics,03/01/2027 11:55:02 AM,03/01/2027 01:01:00 PM,host@example.org,66,2\r\n"
    "\r\n"
    "Name (Original Name),User Email,Join Time,Leave Time,Duration (Minutes),Guest\r\n"
    "Ada Lovelace (iPhone),ada@example.org,03/01/2027 11:58:00 AM,03/01/2027 12:30:00 PM,32,No\r\n"
    '"Bell, Ben",,03/01/2027 12:10:00 PM,03/01/2027 01:00:00 PM,50,Yes\r\n'
)


def rows(text: str, *, zone: str = "UTC", window: Interval = HOUR) -> list[Row]:
    return read(text.encode(), zone=zone, window=window).rows


def at(hour: int, minute: int) -> datetime:
    return datetime(2027, 3, 1, hour, minute, tzinfo=UTC)


class TestWhatIsRead:
    def test_zooms_report_with_the_lines_about_the_meeting(self) -> None:
        file = read(ZOOM.encode("utf-8-sig"), zone="UTC", window=HOUR)

        assert file.is_zoom
        assert file.rows == [
            Row(5, "ada@example.org", "Ada Lovelace (iPhone)", at(11, 58), at(12, 30)),
            Row(6, "", "Bell, Ben", at(12, 10), at(13, 0)),
        ]

    def test_its_times_are_somebodys_clock(self) -> None:
        assert rows(ZOOM, zone="America/New_York")[0].started_at == datetime(2027, 3, 1, 16, 58, tzinfo=UTC)

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_a_plain_list_with_any_separator(self, delimiter: str) -> None:
        text = "name,email,joined,left\nAda,ADA@example.org,2027-03-01 12:00,2027-03-01T12:30:00\n".replace(",", delimiter)

        assert rows(text) == [Row(2, "ada@example.org", "Ada", at(12, 0), at(12, 30))]

    def test_the_sample_file(self) -> None:
        found = rows(participant_files.SAMPLE)

        assert [(row.email, row.started_at is None, row.problem) for row in found] == [
            ("ada@example.org", False, ""),
            ("ben@example.org", True, ""),
        ]

    def test_an_offset_in_the_file_outweighs_the_zone(self) -> None:
        (row,) = rows("email,joined\na@example.org,2027-03-01T13:30:00+01:00\n", zone="Asia/Tokyo")

        assert row.started_at == at(12, 30)

    def test_what_would_be_a_formula_stays_text(self) -> None:
        (row,) = rows("name,email\n'=HYPERLINK(1),a@example.org\n")

        assert row.name == "=HYPERLINK(1)"


class TestAClockThatChanges:
    """Berlin, 31 October 2027: 02:30 comes twice."""

    NIGHT = Interval(datetime(2027, 10, 31, 1, 0, tzinfo=UTC), datetime(2027, 10, 31, 2, 0, tzinfo=UTC))  # the second 02:00 to 03:00

    def test_means_the_time_that_lies_in_the_session(self) -> None:
        (row,) = rows("email,joined,left\na@x.org,2027-10-31 02:15,2027-10-31 02:45\n", zone="Europe/Berlin", window=self.NIGHT)

        assert row.started_at == datetime(2027, 10, 31, 1, 15, tzinfo=UTC)
        assert row.ended_at == datetime(2027, 10, 31, 1, 45, tzinfo=UTC)

    def test_and_who_left_earlier_on_the_clock_left_after_it_was_put_back(self) -> None:
        window = Interval(self.NIGHT.started_at - timedelta(hours=1), self.NIGHT.ended_at)
        (row,) = rows("email,joined,left\na@x.org,2027-10-31 02:45,2027-10-31 02:15\n", zone="Europe/Berlin", window=window)

        assert row.started_at is not None
        assert row.ended_at is not None
        assert row.ended_at - row.started_at == timedelta(minutes=30)

    def test_never_shows_an_hour_that_it_skips(self) -> None:
        (row,) = rows("email,joined\na@x.org,2027-03-28 02:30\n", zone="Europe/Berlin")

        assert "never show 02:30" in row.problem


class TestAWrongLine:
    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            (",,2027-03-01 12:00,", "names nobody"),
            ("a@x.org,,noon,", "cannot be read"),
            ("a@x.org,,2027-03-01 12:00,later", "cannot be read"),
            ("a@x.org,,2027-03-01 12:30,2027-03-01 12:00", "left before they joined"),
            ("a@x.org,,,2027-03-01 12:00", "not when they joined"),
            ("a@x.org,,0001-01-01 12:00,", "cannot be read"),
        ],
    )
    def test_stays_in_with_its_problem_and_the_others_are_read(self, line: str, problem: str) -> None:
        wrong, right = rows(f"email,name,joined,left\n{line}\nb@x.org,B,,\n")

        assert problem in wrong.problem
        assert right == Row(3, "b@x.org", "B")


class TestAFileThatIsNone:
    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "No line names the columns"),
            (b"a,b\n1,2\n", "No line names the columns"),
            (b"email,name\n", "names nobody"),
            ("email\nÄda@x.org".encode("utf-16"), "UTF-8"),
            ("name\nÄda".encode("latin-1"), "UTF-8"),
            (b"email\n\x00\n", "no CSV file"),
            (b'email\n"' + b"x" * 200_000, "no CSV file"),
            (b"email," + b",".join(b"c%d" % n for n in range(100)) + b"\nx" + b"," * 100 + b"\n", "more than 40 columns"),
            (b"email\n" + b"a@x.org\n" * 20_001, "at most 20,000 lines"),
            (b"x" * (20 * 1024 * 1024), "larger than 4 MB"),
            (b"PK\x03\x04\xff\xfe" + b"\x80" * 50, "UTF-8"),
        ],
        ids=["empty", "no columns", "nobody", "UTF-16", "Latin-1", "binary", "no end", "100 columns", "too long", "20 MB", "XLSX"],
    )
    def test_is_refused_in_one_sentence(self, content: bytes, sentence: str) -> None:
        with pytest.raises(InvalidInput, match=sentence) as refused:
            read(content, zone="UTC", window=HOUR)
        assert refused.value.field == "upload"
        assert str(refused.value).count(". ") <= 1
