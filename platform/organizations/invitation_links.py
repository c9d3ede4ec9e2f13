"""The links of invitations: derived from the row and its number, so that only their hash has to be stored.

Sending again makes the next number, and with it another link; the earlier ones lead nowhere from then on.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256

from django.conf import settings
from django.utils.crypto import salted_hmac

from core.errors import NotFound
from organizations.models import Invitation

_SALT = "organizations.invitation_links"
_LONGEST = 100


def token(invitation: Invitation) -> str:
    """43 characters that only the mail to the address holds."""
    digest = salted_hmac(_SALT, f"{invitation.pk}:{invitation.number}", algorithm="sha256").digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def stored_hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def url(invitation: Invitation) -> str:
    return f"{settings.BASE_URL}/invitations/{token(invitation)}"


def found(text: str) -> Invitation:
    """The invitation that this token opens, whatever its state. Raises NotFound for a token that is wrong or was replaced."""
    rows = Invitation.objects.select_related("organization", "invited_by")
    invitation = rows.filter(token_hash=stored_hash(text)).first() if 0 < len(text) <= _LONGEST and text.isascii() else None
    if invitation is None:
        raise NotFound("invitation")
    return invitation
