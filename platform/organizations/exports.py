"""Taking everything along: a zip of CSV files, made by a worker, fetched for thirty days by a link that is mailed to the admins."""

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, BinaryIO
from uuid import UUID

from django.core.files import File
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.csv_cells import safe
from core.errors import DomainError, NotFound
from organizations import belongings, emails, export_links
from organizations.belongings import Table
from organizations.models import Membership, Organization, OrganizationExport, Role
from organizations.permissions import Permission, require

KEPT = timedelta(days=30)
_UNMADE = (OrganizationExport.State.QUEUED, OrganizationExport.State.FAILED)
_LONGEST = 100
_ORGANIZATION = ("name", "slug", "kind", "country", "description", "website", "legal_name", "address", "tax_id", "created_at")


class ExportUnderWay(DomainError):
    code, http_status = "EXPORT_UNDER_WAY", 409

    def __init__(self) -> None:
        super().__init__("An export is being made already; its link comes by mail.")


@transaction.atomic
def request(*, organization_id: UUID, by: Actor) -> OrganizationExport:
    """Have everything written into one file; the actor gets the link by mail when it is ready.

    Of a closed organization whose export failed it is made again, for the admins that it had. Raises NotFound, PermissionRefused,
    StepUpRequired, ExportUnderWay.
    """
    organization = Organization.objects.visible_to(by).filter(pk=organization_id).select_for_update(of=["self"], no_key=True).first()
    if organization is None:
        raise NotFound("organization")
    require(by, Permission.ORGANIZATION_CLOSE, organization.pk)
    if by.user_id is None:
        raise NotFound("account")
    for open_one in organization.exports.filter(state=OrganizationExport.State.QUEUED).select_for_update().order_by("pk"):
        if not _is_given_up(open_one):
            raise ExportUnderWay
        fail(open_one)
    if organization.is_active:
        return begin(organization, recipients=[by.user_id], asked_by=by.user_id, by=by)
    lost = last_that_failed(organization)
    if lost is None:
        raise NotFound("organization")
    return begin(organization, recipients=[UUID(key) for key in lost.recipients], asked_by=by.user_id, by=by)


def last_that_failed(organization: Organization) -> OrganizationExport | None:
    """The organization's newest export where it failed; None where the newest one is being made, or was made."""
    newest: OrganizationExport | None = organization.exports.order_by("-pk").first()
    return newest if newest is not None and newest.state == OrganizationExport.State.FAILED else None


def begin(organization: Organization, *, recipients: Sequence[UUID], asked_by: UUID, by: Actor) -> OrganizationExport:
    """The caller holds the organization's lock and has asked for the permission."""
    export = OrganizationExport(organization=organization, requested_by_id=asked_by, expires_at=timezone.now() + KEPT)
    export.recipients = [str(key) for key in recipients]
    export.key_hash = export_links.stored_hash(export_links.key(export))
    export.save(force_insert=True)
    record(export, "organization.export_requested", by=by, after={"expires_at": export.expires_at})
    jobs.enqueue(build, export_id=export.pk)
    return export


@transaction.atomic
def fetch(*, key: str, by: Actor) -> OrganizationExport:
    """The export that the link opens; who fetched it is kept. Raises NotFound for a wrong key, one whose time is over, or not ready."""
    rows = OrganizationExport.objects.filter(state=OrganizationExport.State.READY, expires_at__gt=timezone.now())
    found = rows.filter(key_hash=export_links.stored_hash(key)).select_related("organization").first() if 0 < len(key) <= _LONGEST else None
    if found is None:
        raise NotFound("export")
    record(found, "organization.export_fetched", by=by, after={"size": found.size})
    return found


@jobs.task(queue="bulk", outside=True)
def build(*, export_id: UUID) -> None:
    """Write the file and mail its link. Repeatable: a file that was written by a worker that died is written anew, and one that had
    failed is made where somebody has its job tried again."""
    export = OrganizationExport.objects.select_related("organization").get(pk=export_id)
    if export.state not in _UNMADE:
        return
    with written(_tables(export.organization)) as file:
        name = f"{export.organization.slug}-{timezone.now():%Y-%m-%d}.zip"
        stored = export.bundle.storage.save(f"exports/{export.pk}/{name}", File(file))
        size = file.tell()
    with transaction.atomic():
        locked = OrganizationExport.objects.select_for_update().get(pk=export_id)
        if locked.state not in _UNMADE:
            return
        locked.make_ready(at=timezone.now(), size=size)
        locked.bundle = stored
        locked.save(update_fields=["state", "ready_at", "size", "bundle", "updated_at"])
        record(locked, "organization.export_ready", by=Actor.system("organizations.exports.build"), after={"size": size})
        jobs.enqueue(emails.send_export_ready, export_id=locked.pk)


@jobs.task()
@transaction.atomic
def sweep() -> None:
    """Exports whose job was given up have failed, and whoever waits for them is told. Repeatable."""
    queued = OrganizationExport.objects.filter(state=OrganizationExport.State.QUEUED)
    for export in queued.select_for_update(of=["self"], skip_locked=True).order_by("pk")[:100]:
        if _is_given_up(export):
            fail(export)


def fail(export: OrganizationExport) -> None:
    """Nobody makes it any more; it can be asked for again. The caller holds its row."""
    export.fail()
    export.save(update_fields=["state", "updated_at"])
    record(export, "organization.export_failed", by=Actor.system("organizations.exports"), after={"state": export.state})
    jobs.enqueue(emails.send_export_failed, export_id=export.pk)


def _is_given_up(export: OrganizationExport) -> bool:
    return not jobs.has_open(build, export_id=export.pk)


def _tables(organization: Organization) -> list[Table]:
    own = [
        Table("organization", _ORGANIZATION, [[getattr(organization, name) for name in _ORGANIZATION]]),
        Table("members", ("name", "email", "role", "since", "ended_at"), _members(organization)),
    ]
    return [*own, *belongings.export(organization_id=organization.pk)]


def _members(organization: Organization) -> Iterator[Sequence[Any]]:
    rows = Membership.objects.filter(organization=organization).order_by("pk")
    yield from rows.values_list("user__name", "user__email", "role", "created_at", "ended_at").iterator(chunk_size=2_000)


@contextmanager
def written(tables: Iterable[Table]) -> Iterator[BinaryIO]:
    """A zip of one CSV file for each table, row by row on disk; no cell begins a formula. The position is at its end."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for table in tables:
                with bundle.open(f"{table.name}.csv", "w") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
                    writer = csv.writer(text)
                    writer.writerow(table.header)
                    writer.writerows([safe(_shown(cell)) for cell in row] for row in table.rows)
        file.seek(0, io.SEEK_END)
        yield file


def _shown(cell: Any) -> Any:
    return cell.isoformat() if isinstance(cell, datetime) else cell


@jobs.task()
def expire_overdue() -> None:
    """Delete files whose thirty days are over. Repeatable."""
    late = OrganizationExport.objects.exclude(state=OrganizationExport.State.EXPIRED).filter(expires_at__lte=timezone.now())
    for export in late.select_for_update(skip_locked=True).order_by("pk")[:100]:
        stored = export.bundle.name
        export.expire()
        export.bundle = ""
        export.save(update_fields=["state", "bundle", "updated_at"])
        record(export, "organization.export_expired", by=Actor.system("organizations.exports"), after={"state": export.state})
        if stored:
            export.bundle.storage.delete(stored)


def admins(organization: Organization) -> list[UUID]:
    rows = Membership.objects.active().filter(organization=organization, role=Role.ADMIN)
    return list(rows.values_list("user_id", flat=True))
