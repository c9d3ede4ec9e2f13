"""An organization's logo: decoded and written anew, so that nothing but the picture is kept of what was sent."""

import io
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import transaction
from PIL import Image, UnidentifiedImageError

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from organizations import locking
from organizations.models import Organization
from organizations.permissions import Permission, require

LARGEST_FILE = 2 * 1024 * 1024  # bytes
MOST_PIXELS = 4_000 * 4_000  # decoded before it is made small: a few kilobytes can unfold to gigabytes
EDGE = 512  # pixels of the longer edge as it is kept
SMALLEST_EDGE = 32
_FORMATS = ("PNG", "JPEG", "WEBP")


class NoLogo(DomainError):
    code, http_status = "NO_LOGO", 409

    def __init__(self) -> None:
        super().__init__("The organization has no logo.")


@transaction.atomic
def set_logo(*, organization_id: UUID, content: bytes, by: Actor) -> Organization:
    """The picture is the organization's logo, as PNG of at most 512 pixels. content: PNG, JPEG or WebP, whatever it is called.

    Raises NotFound, PermissionRefused, InvalidInput.
    """
    organization = locking.locked(organization_id, by)
    require(by, Permission.ORGANIZATION_EDIT, organization.pk)
    picture = redrawn(content)
    before = organization.logo.name
    _forget_later(before)
    organization.logo.save("logo.png", ContentFile(picture), save=False)
    organization.save(update_fields=["logo", "updated_at"])
    after = {"logo": organization.logo.name}
    record(organization, "organization.logo_set", by=by, organization_id=organization.pk, before={"logo": before}, after=after)
    return organization


@transaction.atomic
def remove_logo(*, organization_id: UUID, by: Actor) -> Organization:
    """Raises NotFound, PermissionRefused, NoLogo."""
    organization = locking.locked(organization_id, by)
    require(by, Permission.ORGANIZATION_EDIT, organization.pk)
    if not organization.logo:
        raise NoLogo
    before, organization.logo = organization.logo.name, ""
    _forget_later(before)
    organization.save(update_fields=["logo", "updated_at"])
    record(organization, "organization.logo_removed", by=by, organization_id=organization.pk, before={"logo": before})
    return organization


def _forget_later(name: str | None) -> None:
    if name:
        jobs.enqueue(forget, name=name)


@jobs.task()
def forget(*, name: str) -> None:
    """Delete the file of a logo that was replaced or removed; nothing where an organization has it. Repeatable."""
    if not Organization.objects.filter(logo=name).exists():
        Organization._meta.get_field("logo").storage.delete(name)


def logo(organization: Organization) -> bytes:
    """The picture as it is kept; a few hundred kilobytes at most. Raises NotFound where there is none."""
    if not organization.logo:
        raise NotFound("logo")
    try:
        with organization.logo.open("rb") as kept:
            content: bytes = kept.read()
    except FileNotFoundError:
        raise NotFound("logo") from None
    return content


def redrawn(content: bytes) -> bytes:
    """The picture as PNG: its pixels, without metadata, comments or anything appended. Raises InvalidInput."""
    if len(content) > LARGEST_FILE:
        raise InvalidInput(f"The picture is larger than {LARGEST_FILE // 1024 // 1024} MB; send a smaller one.", field="upload")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as found:
            _require_size(*found.size)
            picture = found.convert("RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        raise InvalidInput("Send a picture as PNG, JPEG or WebP.", field="upload") from None
    picture.thumbnail((EDGE, EDGE))
    plain = Image.new("RGBA", picture.size)
    plain.paste(picture)  # pixels alone: what the file said besides stays behind
    written = io.BytesIO()
    plain.save(written, "PNG", optimize=True)
    return written.getvalue()


def _require_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise InvalidInput("The picture has more than 16 million pixels; send a smaller one.", field="upload")
    if min(width, height) < SMALLEST_EDGE:
        raise InvalidInput(f"The picture is smaller than {SMALLEST_EDGE} pixels; send a larger one.", field="upload")
