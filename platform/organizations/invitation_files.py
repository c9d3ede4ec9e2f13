"""People to invite, from a CSV file: read and kept line by line; a line that is wrong is kept too, and says why when it is previewed."""

import csv
import io
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from core.public_ids import uuid7
from organizations import invitations, locking
from organizations.models import Invitation, InvitationLine, Role
from organizations.permissions import Permission, for_members_in, require

COLUMNS = ("email", "role")
MOST_LINES = 1_000
LARGEST_FILE = 256 * 1024  # bytes; a thousand lines are a fifth of it
KEPT = timedelta(days=7)
SAMPLE = "email,role\r\nada@example.org,organizer\r\nben@example.org,instructor\r\n"


class RepeatedInFile(DomainError):
    code, http_status = "REPEATED_IN_FILE", 422

    def __init__(self, line: int) -> None:
        super().__init__(f"The same address stands in line {line} already; it is invited once.")


@transaction.atomic
def read(*, organization_id: UUID, content: bytes, by: Actor) -> list[InvitationLine]:
    """Keep the lines of a file; nobody is invited yet. content: CSV in UTF-8 with the columns email and role, comma or semicolon.

    Raises NotFound, PermissionRefused, StepUpRequired, and InvalidInput where it is no such file; a wrong line is no such refusal.
    """
    organization = locking.locked(organization_id, by)
    require(by, Permission.MEMBER_MANAGE, organization.pk)
    if by.user_id is None:
        raise NotFound("account")
    batch = uuid7()
    lines = [
        InvitationLine(organization=organization, added_by_id=by.user_id, batch=batch, line=number, email=email[:300], role=role[:100])
        for number, email, role in _parsed(content)
    ]
    InvitationLine.objects.bulk_create(lines)
    record(organization, "invitation_file.read", by=by, organization_id=organization.pk, after={"lines": len(lines)})
    return lines


def _parsed(content: bytes) -> list[tuple[int, str, str]]:
    """Line number, address and role of every line that is not empty."""
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
    filled = [(number, row) for number, row in rows if any(row)]
    return _columns(filled)


def _columns(rows: list[tuple[int, list[str]]]) -> list[tuple[int, str, str]]:
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    if not set(COLUMNS) <= set(header):
        raise InvalidInput("The first line must name the columns: email and role. See the sample file.", field="upload")
    if len(rows) - 1 > MOST_LINES:
        raise InvalidInput(f"A file holds at most {MOST_LINES:,} people; send it in parts.", field="upload")
    if len(rows) == 1:
        raise InvalidInput("The file names nobody: below the first line stands one person in each line.", field="upload")
    email, role = header.index("email"), header.index("role")
    return [(number, _cell(row, email), _cell(row, role)) for number, row in rows[1:]]


def _cell(row: list[str], index: int) -> str:
    """An export of ours writes an apostrophe before what would begin a formula; it is no part of the value."""
    return row[index].removeprefix("'") if index < len(row) else ""


def check(line: InvitationLine, *, by: Actor) -> Role:
    """The line's role, where inviting its person would work now. Raises what invitations.invite would, and RepeatedInFile."""
    role = invitations.known_role(_role_typed(line))
    require(by, for_members_in(role), line.organization_id)
    email = invitations.checked_address(line.email)
    same = InvitationLine.objects.filter(batch=line.batch, email__iexact=line.email, line__lt=line.line).order_by("line").first()
    if same is not None:
        raise RepeatedInFile(same.line)
    invitations.refuse_uninvitable(line.organization, email, at=timezone.now())
    return role


def require_room(line: InvitationLine, *, before: int) -> None:
    """Raise InvitationLimit where `before` others, invited first, use up what the organization may today."""
    invitations.refuse_above_limit(line.organization, at=timezone.now(), before=before)


def invite(*, line_id: UUID, by: Actor) -> Invitation:
    """Invite the person of a line. Raises NotFound and what invitations.invite raises."""
    line = InvitationLine.objects.visible_to(by).get(pk=line_id)
    return invitations.invite(organization_id=line.organization_id, email=line.email, role=_role_typed(line), by=by)


def _role_typed(line: InvitationLine) -> str:
    return line.role.lower().replace(" ", "_")


@jobs.task()
def purge() -> None:
    """Forget the lines of files some days after they were sent."""
    InvitationLine.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
