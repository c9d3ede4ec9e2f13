"""Many promo codes at once: archived, or made and changed from a file. Each row is the same operation as its button or form."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from admin_ext.console import bulk_runs
from admin_ext.console.bulk_kinds import BulkKind, Plan, register
from admin_ext.console.buttons import operation_button
from admin_ext.models import BulkItem, BulkRun
from admin_ext.promo_codes.code_forms import CodeFileDialog
from audit.actor import Actor
from core.state_machine import allows as state_allows
from organizations.permissions import Permission, require
from promo_codes import authoring, code_files, lifecycle
from promo_codes.models import PromoCode, PromoCodeLine

LINES = "promo_code_line.save"


def _plan_archive(code: PromoCode, values: dict[str, Any], by: Actor) -> Plan:
    require(by, Permission.PROMO_CODE_MANAGE, code.organization_id, responsible_id=code.responsible_id)
    if not state_allows(code, "archive"):
        raise authoring.CodeLocked([], "This promo code is archived already.")
    return Plan(f"Archive; used {code.uses} times")


def _archive(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    lifecycle.archive(promo_code_id=item.object_id, by=by)
    return "Archived"


@transaction.atomic
def begin_file(*, organization_id: UUID, content: bytes, by: Actor) -> BulkRun:
    """Keep the lines and have the preview worked out; no code is made or changed on return. Raises what code_files.read raises."""
    lines = code_files.read(organization_id=organization_id, content=content, by=by)
    rows = PromoCodeLine.objects.filter(batch=lines[0].batch).order_by("line")
    asks = by if by.is_staff else replace(by, organization_id=organization_id)  # the run is of the organization, wherever it was asked for
    return bulk_runs.freeze(kind=LINES, rows=rows, as_staff=by.is_staff, by=asks)


def _with_organization(rows: QuerySet[Any], by: Actor) -> QuerySet[Any]:
    return rows.select_related("organization")


def _plan_line(line: PromoCodeLine, values: dict[str, Any], by: Actor) -> Plan:
    found, written = code_files.check(line, by=by)
    return Plan(f"{'Make' if found is None else 'Change'} {written.code}: {written.worth}")


def _save_line(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    return f"{code_files.save(line_id=item.object_id, by=by).public_id}: saved"


ARCHIVE = register(
    BulkKind(
        name="promo_code.archive",
        label="Archive…",
        model=PromoCode,
        permission=Permission.PROMO_CODE_MANAGE,
        plan=_plan_archive,
        apply=_archive,
        undo="There is no undo: an archived code cannot be used again. Pause a code to stop it for some time.",
    )
)
SAVE_LINES = register(
    BulkKind(
        name=LINES,
        label="Import…",
        model=PromoCodeLine,
        permission=Permission.PROMO_CODE_MANAGE,
        plan=_plan_line,
        apply=_save_line,
        undo="To take it back, select the codes in their list and archive them; what was changed stands in their timelines.",
        rows=_with_organization,
    )
)
IMPORT = operation_button(
    begin_file,
    name="import_codes",
    id_argument="organization_id",
    label="Promo codes by file…",
    done="The file was read; look at the preview, then confirm it. Nothing has been made or changed yet.",
    permission=Permission.PROMO_CODE_IMPORT,
    shows=lambda organization: organization.is_active,
    form_class=CodeFileDialog,
    gone="This organization is closed; nothing of it can be sold any more.",
    submit="Read the file",
    opens=lambda run: run,
)
