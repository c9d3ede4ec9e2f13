"""Files of participants: Zoom's participant report and plain lists of people, read into rows; a wrong line stays in, with its problem.

Zoom's report begins with lines about the meeting; its times are clock times of whoever downloaded it, without a zone.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.errors import InvalidInput
from registrations.intervals import Interval

LARGEST_FILE = 4 * 1024 * 1024  # bytes; twenty thousand lines of a report are about half of it
MOST_LINES = 20_000
MOST_COLUMNS = 40
LONGEST_CELL = 300
SAMPLE = "email,name,joined,left\r\nada@example.org,Ada Lovelace,2027-03-01 09:00,2027-03-01 10:00\r\nben@example.org,Ben Bell,,\r\n"
_SKIPPED = 10  # lines about the meeting before the header of a report
_NAMES = {
    "email": ("email", "user email", "email address", "e-mail"),
    "name": ("name", "name (original name)", "full name", "participant", "user name"),
    "joined": ("joined", "join time", "joined at", "start", "start time"),
    "left": ("left", "leave time", "left at", "end", "end time"),
}
_FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M",
    "%b %d, %Y %H:%M:%S", "%b %d, %Y %I:%M:%S %p",
)  # fmt: skip
_NOT_CSV = "This is no CSV file; save the sheet as CSV in UTF-8."


@dataclass(frozen=True, slots=True)
class Row:
    """line: its number in the file. started_at None: the file says only that the person was there; problem: why the line cannot be used."""

    line: int
    email: str
    name: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """is_zoom: whether it is Zoom's report rather than a plain list."""

    rows: list[Row]
    is_zoom: bool


def read(content: bytes, *, zone: str, window: Interval) -> File:
    """The rows of a file. zone: whose clock its times show, where they have no offset; window: the session that it is about.

    Raises InvalidInput, with one sentence, where it is no file that can be read at all.
    """
    lines = _lines(_text(content))
    index, columns = _header(lines)
    is_zoom = lines[index][1][columns.get("joined", 0)].strip().lower() == "join time"
    body = lines[index + 1 :]
    if not body:
        raise InvalidInput("The file names nobody: below the line of columns stands one person in each line.", field="upload")
    if len(body) > MOST_LINES:
        raise InvalidInput(f"A file holds at most {MOST_LINES:,} lines; send it in parts.", field="upload")
    return File(list(_rows(body, columns, ZoneInfo(zone), window)), is_zoom)


def _text(content: bytes) -> str:
    if len(content) > LARGEST_FILE:
        raise InvalidInput(f"The file is larger than {LARGEST_FILE // 1024 // 1024} MB; send it in parts.", field="upload")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("Save the file as CSV in UTF-8, then send it again.", field="upload") from None
    if "\x00" in text:
        raise InvalidInput(_NOT_CSV, field="upload")
    return text


def _lines(text: str) -> list[tuple[int, list[str]]]:
    """Number and cells of every line that is not empty."""
    head = text[:2000]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [_cell(cell) for cell in row]) for row in reader]
    except csv.Error:
        raise InvalidInput(_NOT_CSV, field="upload") from None
    if any(len(row) > MOST_COLUMNS for _, row in rows):
        raise InvalidInput(f"The file has more than {MOST_COLUMNS} columns; keep email, name, joined and left.", field="upload")
    return [(number, row) for number, row in rows if any(row)]


def _cell(cell: str) -> str:
    """Our own files write an apostrophe before what would begin a formula; it is no part of the value, and no formula is ever worked."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", cell).strip().removeprefix("'")[:LONGEST_CELL]


def _header(lines: list[tuple[int, list[str]]]) -> tuple[int, dict[str, int]]:
    """Where the columns are named, and which is where."""
    for index, (_, row) in enumerate(lines[:_SKIPPED]):
        lowered = [cell.lower() for cell in row]
        found = {column: lowered.index(name) for column, names in _NAMES.items() for name in reversed(names) if name in lowered}
        about_the_meeting = "topic" in lowered or "meeting id" in lowered
        if not about_the_meeting and ("email" in found or "name" in found):
            return index, found
    raise InvalidInput("No line names the columns: email or name, and joined and left. See the sample file.", field="upload")


def _rows(lines: list[tuple[int, list[str]]], columns: dict[str, int], zone: ZoneInfo, window: Interval) -> Iterator[Row]:
    for number, row in lines:
        email, name, joined, left = (_at(row, columns.get(column)) for column in ("email", "name", "joined", "left"))
        if not email and not name:
            yield Row(number, "", "", problem="The line names nobody.")
            continue
        email = email.lower()
        try:
            started, ended = _times(joined, left, zone, window)
        except ValueError as error:
            yield Row(number, email, name, problem=str(error))
        else:
            yield Row(number, email, name, started, ended)


def _at(row: list[str], index: int | None) -> str:
    return row[index] if index is not None and index < len(row) else ""


def _times(joined: str, left: str, zone: ZoneInfo, window: Interval) -> tuple[datetime | None, datetime | None]:
    """Raises ValueError with a sentence."""
    if not joined:
        if left:
            raise ValueError("It says when the person left, but not when they joined.")
        return None, None
    starts = _readings(joined, zone)
    ends = _readings(left, zone) if left else []
    started = min(starts, key=lambda moment: _distance(moment, window))
    if not left:
        return started, None
    later = [end for end in ends if end > started]
    if not later:
        raise ValueError("The person left before they joined; correct the times, or look at whose clock they are.")
    return started, min(later)


def _readings(text: str, zone: ZoneInfo) -> list[datetime]:
    """The moment that is meant; both where the clocks of the zone show it twice. Raises ValueError."""
    clock = _clock(text)
    if clock.tzinfo is not None:
        return [clock.astimezone(UTC)]
    both = {clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    real = [moment for moment in both if moment.astimezone(zone).replace(tzinfo=None) == clock]
    if not real:
        raise ValueError(f"The clocks in {zone.key} never show {clock:%H:%M} on that day; look at whose clock the times are.")
    return sorted(real)


def _clock(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = next((moment for form in _FORMATS if (moment := _parsed(text, form)) is not None), None)  # type: ignore[assignment]
    if found is None or not 1990 <= found.year <= 2200:
        raise ValueError("Its time cannot be read; write it like 2027-03-01 09:00.")
    return found


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007  a clock time; whose clock is known above
    except ValueError:
        return None


def _distance(moment: datetime, window: Interval) -> timedelta:
    """How far outside the session."""
    ends = window.ended_at or window.started_at
    return max(window.started_at - moment, moment - ends, timedelta())
