"""A file of people to invite: its lines become a bulk run, previewed and confirmed like any other."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from admin_ext.console import bulk_runs
from admin_ext.console.bulk_kinds import BulkKind, Plan, register
from admin_ext.models import BulkItem, BulkRun
from audit.actor import Actor
from organizations import invitation_files
from organizations.models import InvitationLine
from organizations.permissions import Permission

KIND = "invitation_line.invite"


@transaction.atomic
def begin(*, organization_id: UUID, content: bytes, by: Actor) -> BulkRun:
    """Keep the lines and have the preview worked out; nobody is invited on return. Raises what invitation_files.read raises."""
    lines = invitation_files.read(organization_id=organization_id, content=content, by=by)
    rows = InvitationLine.objects.filter(batch=lines[0].batch).order_by("line")
    asks = by if by.is_staff else replace(by, organization_id=organization_id)  # the run is of the organization, wherever it was asked for
    return bulk_runs.freeze(kind=KIND, rows=rows, as_staff=by.is_staff, by=asks)


def _with_organization(rows: QuerySet[Any], by: Actor) -> QuerySet[Any]:
    return rows.select_related("organization")


def _plan(line: InvitationLine, values: dict[str, Any], by: Actor) -> Plan:
    role = invitation_files.check(line, by=by)
    return Plan(f"Invite as {role.label}")


def _room_for_all(line: InvitationLine, values: dict[str, Any], planned: QuerySet[BulkItem]) -> None:
    invitation_files.require_room(line, before=planned.count())


def _apply(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    made = invitation_files.invite(line_id=item.object_id, by=by)
    return f"{made.public_id}: invited"


INVITE_LINES = register(
    BulkKind(
        name=KIND,
        label="Invite…",
        model=InvitationLine,
        permission=Permission.MEMBER_MANAGE,
        plan=_plan,
        apply=_apply,
        undo="To take it back, select the invitations in their list and revoke them: a mail that has gone out cannot be called back.",
        rows=_with_organization,
        beside=_room_for_all,
    )
)
