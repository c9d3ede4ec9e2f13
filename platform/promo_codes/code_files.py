"""Codes from a CSV file: kept line by line, each one made or changed by its spelling; a wrong line says why when it is previewed."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from audit.recording import record
from core.errors import DomainError, InvalidInput, NotFound
from core.money import parse_major
from core.public_ids import uuid7
from organizations.models import Organization
from organizations.permissions import Permission, require
from promo_codes import authoring, spelling
from promo_codes.models import PromoCode, PromoCodeLine

COLUMNS = (
    "code", "kind", "value", "currency", "cap", "minimum", "starts_at", "ends_at", "max_uses", "max_uses_per_person", "first_time_only",
    "events", "description",
)  # fmt: skip
NEEDED = ("code", "kind", "value")
MOST_LINES = 1_000
LARGEST_FILE = 512 * 1024  # bytes; a thousand lines are a third of it
SAMPLE = (
    ",".join(COLUMNS) + "\r\n"
    "SPRING-2027,percent,20,USD,50.00,,2027-03-01T00:00Z,2027-06-01T00:00Z,100,1,no,,Spring campaign\r\n"
    "WELCOME,fixed,15.00,EUR,,60.00,,,,,yes,,First visit\r\n"
)


class RepeatedCode(DomainError):
    code, http_status = "REPEATED_IN_FILE", 422

    def __init__(self, line: int) -> None:
        super().__init__(f"The same code stands in line {line} already; write it once.")


@transaction.atomic
def read(*, organization_id: UUID, content: bytes, by: Actor) -> list[PromoCodeLine]:
    """Keep the lines of a file; no code is made yet. content: CSV in UTF-8, comma or semicolon, with at least code, kind and value.

    Whether each line is theirs to write is asked when it is worked. Raises NotFound, PermissionRefused, and InvalidInput where it is no
    such file; a wrong line is no such refusal.
    """
    organization = Organization.objects.visible_to(by).filter(pk=organization_id).first()
    if organization is None or by.user_id is None:
        raise NotFound("organization")
    require(by, Permission.PROMO_CODE_IMPORT, organization.pk)
    batch = uuid7()
    lines = [
        PromoCodeLine(organization=organization, added_by_id=by.user_id, batch=batch, line=number, cells=cells)
        for number, cells in _parsed(content)
    ]
    PromoCodeLine.objects.bulk_create(lines)
    record(organization, "promo_code_file.read", by=by, organization_id=organization.pk, after={"lines": len(lines)})
    return lines


def _parsed(content: bytes) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells of every line that is not empty."""
    if len(content) > LARGEST_FILE:
        raise InvalidInput(f"The file is larger than {LARGEST_FILE // 1024} KB; send it in parts.", field="upload")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("Save the file as CSV in UTF-8, then send it again.", field="upload") from None
    if "\x00" in text:
        raise InvalidInput("This is no CSV file; save the sheet as CSV in UTF-8.", field="upload")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error:
        raise InvalidInput("This is no CSV file; save the sheet as CSV in UTF-8.", field="upload") from None
    return _columns([(number, row) for number, row in rows if any(row)])


def _columns(rows: list[tuple[int, list[str]]]) -> list[tuple[int, dict[str, str]]]:
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    if not set(NEEDED) <= set(header) or len(set(header)) < len(header):
        raise InvalidInput("The first line must name the columns, each once: at least code, kind and value.", field="upload")
    unknown = sorted(set(header) - set(COLUMNS))
    if unknown:
        raise InvalidInput(f"The file has a column “{unknown[0][:40]}” that no promo code has; see the sample file.", field="upload")
    if len(rows) - 1 > MOST_LINES:
        raise InvalidInput(f"A file holds at most {MOST_LINES:,} codes; send it in parts.", field="upload")
    if len(rows) == 1:
        raise InvalidInput("The file names no code: below the first line stands one code in each line.", field="upload")
    return [(number, {name: _cell(row, at) for at, name in enumerate(header)}) for number, row in rows[1:]]


def _cell(row: list[str], index: int) -> str:
    """An export of ours writes an apostrophe before what would begin a formula; it is no part of the value."""
    return row[index].removeprefix("'")[:2000] if index < len(row) else ""


def check(line: PromoCodeLine, *, by: Actor) -> tuple[PromoCode | None, PromoCode]:
    """The code that the line would change, None where it would make one, and what it would be. It is tried for real, and taken back.

    Raises what authoring.create and authoring.edit raise, and RepeatedCode.
    """
    key = spelling.key_of(line.cells.get("code", ""))
    earlier = PromoCodeLine.objects.filter(batch=line.batch, line__lt=line.line).order_by("line")
    repeated = next((other.line for other in earlier if spelling.key_of(other.cells.get("code", "")) == key), None)
    if repeated is not None:
        raise RepeatedCode(repeated)
    found = _existing(line, by)
    with transaction.atomic():
        written = _write(line, found, by)
        transaction.set_rollback(True)
    return found, written


@transaction.atomic
def save(*, line_id: UUID, by: Actor) -> PromoCode:
    """Make the line's code, or change the one of this spelling. Raises NotFound and what authoring raises."""
    line = PromoCodeLine.objects.visible_to(by).filter(pk=line_id).first()
    if line is None:
        raise NotFound("line")
    return _write(line, _existing(line, by), by)


def _existing(line: PromoCodeLine, by: Actor) -> PromoCode | None:
    key = spelling.key_of(line.cells.get("code", ""))
    return PromoCode.objects.visible_to(by).filter(organization_id=line.organization_id, key=key).first()


def _write(line: PromoCodeLine, found: PromoCode | None, by: Actor) -> PromoCode:
    terms: Any = _terms(line.cells)
    if found is None:
        return authoring.create(organization_id=line.organization_id, by=by, **terms)
    return authoring.edit(promo_code_id=found.pk, by=by, **terms)


def _terms(cells: dict[str, str]) -> dict[str, Any]:
    """What is typed, in the names and units of the operation; a column that the file lacks changes nothing. Raises InvalidInput."""
    kind, currency = cells.get("kind", "").lower(), cells.get("currency", "").upper()
    percent = kind == PromoCode.Kind.PERCENT
    found: dict[str, Any] = {
        "code": cells.get("code", ""),
        "kind": kind,
        "currency": currency,
        "basis_points": _points(cells.get("value", "")) if percent else None,
        "amount": None if percent else _money(cells.get("value", ""), currency, "value"),
    }
    for column, name in (("cap", "cap_amount"), ("minimum", "minimum_amount")):
        if column in cells:
            found[name] = _money(cells[column], currency, column)
    for column, read in _READ.items():
        if column in cells:
            found["subjects" if column == "events" else column] = read(cells[column], column)
    return found


def _points(text: str) -> int:
    try:
        value = Decimal(text.removesuffix("%").strip()) * 100
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value != value.to_integral_value() or not 1 <= value <= 10_000:
        raise InvalidInput("Write the percentage as a number above 0 and up to 100, such as 12.5; at most two decimals.", field="value")
    return int(value)


def _money(text: str, currency: str, column: str) -> int | None:
    if not text:
        return None
    try:
        if "," in text:  # in a file of unknown origin even "1,500" could be one and a half
            raise ValueError(text)
        return parse_major(text, currency)
    except ValueError:
        sentence = f"Write “{column}” as a number of its currency, such as 15.50, and name the currency, such as EUR."
        raise InvalidInput(sentence, field=column) from None


def _moment(text: str, column: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"Write “{column}” as 2027-03-01T00:00Z; without an offset it is UTC.", field=column) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _number(text: str, column: str) -> int | None:
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput(f"Write “{column}” as a whole number, or leave it empty for no limit.", field=column)
    return int(text) if text else None


def _yes_or_no(text: str, column: str) -> bool:
    if text.lower() not in ("yes", "no", ""):
        raise InvalidInput(f"Write “{column}” as yes or no.", field=column)
    return text.lower() == "yes"


_READ: dict[str, Callable[[str, str], Any]] = {
    "starts_at": _moment,
    "ends_at": _moment,
    "max_uses": _number,
    "max_uses_per_person": _number,
    "first_time_only": _yes_or_no,
    "events": lambda text, column: text.replace(";", " ").replace(",", " ").split(),
    "description": lambda text, column: text,
}
