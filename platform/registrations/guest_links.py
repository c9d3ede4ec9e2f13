"""Signed links for people without an account: whoever holds the key may see, pay and cancel one place, and nothing else.

A key is an HMAC of the registration's id under a key derived from SECRET_KEY, one for each purpose. Of the key that manages a place only
the SHA-256 is stored and compared, so that a changed SECRET_KEY leaves links in old mails working and a read database opens nothing.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from audit.actor import Actor
from core.errors import NotFound
from registrations.models import Registration

_MANAGE = "registrations.guest_links.manage"
_CONFIRM = "registrations.guest_links.confirm"
_LONGEST = 100


def manage_key(registration_id: UUID) -> str:
    """Sees, pays and cancels the place; shown once in the answer, and in the mails to the address."""
    return _key(_MANAGE, registration_id)


def confirm_key(registration_id: UUID) -> str:
    """Confirms the address; only ever mailed, so that whoever has it reads the mailbox."""
    return _key(_CONFIRM, registration_id)


def stored_hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def confirms(registration_id: UUID, key: str) -> bool:
    return len(key) <= _LONGEST and constant_time_compare(confirm_key(registration_id), key)


def actor_for_key(*, registration_id: UUID, key: str, request_id: str = "", ip: str | None = None) -> Actor:
    """The guest who holds the link. Raises NotFound for a wrong key as for an unknown registration."""
    stored = Registration.objects.filter(pk=registration_id).values_list("guest_key_hash", flat=True).first() or ""
    given = stored_hash(key) if 0 < len(key) <= _LONGEST else "refused"
    if not constant_time_compare(stored, given):
        raise NotFound("registration")
    return Actor.guest(registration_id, request_id=request_id, ip=ip)


def manage_url(registration: Registration) -> str:
    """The page of one place; with the key where there is no account to sign in to."""
    return _with_key(registration, "")


def document_url(registration: Registration, document_id: str) -> str:
    """One of its receipts and credit notes, by public id; opened as the page of the place is."""
    return _with_key(registration, f"/documents/{document_id}")


def _with_key(registration: Registration, below: str) -> str:
    page = f"{settings.BASE_URL}/registrations/{registration.public_id}{below}"
    return f"{page}?key={manage_key(registration.pk)}" if registration.guest_key_hash else page


def confirm_url(registration: Registration) -> str:
    return f"{settings.BASE_URL}/registrations/{registration.public_id}/confirm?key={confirm_key(registration.pk)}"


def _key(purpose: str, registration_id: UUID) -> str:
    digest = salted_hmac(purpose, str(registration_id), algorithm="sha256").digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
