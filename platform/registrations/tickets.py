"""What a ticket's QR code says: which place it is, signed, so that no other place can be named by guessing.

Signed with a key derived from SECRET_KEY. Who has the picture of a ticket is let in once, and learns nothing.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

from core.errors import DomainError

_PURPOSE = "registrations.tickets"
_PREFIX = "cpd1."
_ID, _SIGNATURE = 16, 14  # bytes; 30 are 40 characters without padding


class TicketUnknown(DomainError):
    code, http_status = "TICKET_UNKNOWN", 422

    def __init__(self) -> None:
        super().__init__("This is no ticket of ours; look the person up by name.")


def code(registration_id: UUID) -> str:
    """The text of the QR code."""
    return _PREFIX + urlsafe_b64encode(registration_id.bytes + _signature(registration_id)).decode()


def read(text: str) -> UUID:
    """The place that the ticket is for. Raises TicketUnknown."""
    text = text.strip()
    if not text.startswith(_PREFIX) or len(text) != len(_PREFIX) + (_ID + _SIGNATURE) * 4 // 3:
        raise TicketUnknown
    try:
        raw = urlsafe_b64decode(text.removeprefix(_PREFIX))
    except (NotBase64, ValueError):
        raise TicketUnknown from None
    key = UUID(bytes=raw[:_ID].ljust(_ID, b"\0"))
    if not constant_time_compare(code(key), text):
        raise TicketUnknown
    return key


def _signature(registration_id: UUID) -> bytes:
    return salted_hmac(_PURPOSE, str(registration_id), algorithm="sha256").digest()[:_SIGNATURE]
