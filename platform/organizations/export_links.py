"""The links of exports: derived from the row, so that only their hash has to be stored."""

from base64 import urlsafe_b64encode
from hashlib import sha256

from django.conf import settings
from django.utils.crypto import salted_hmac

from organizations.models import OrganizationExport

_SALT = "organizations.export_links"


def key(export: OrganizationExport) -> str:
    """43 characters that only the mail holds."""
    digest = salted_hmac(_SALT, str(export.pk), algorithm="sha256").digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def stored_hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def url(export: OrganizationExport) -> str:
    return f"{settings.BASE_URL}/exports/{key(export)}"
