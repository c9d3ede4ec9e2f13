"""Addresses that Stripe's pages lead back to. They name what one comes back from and for whom, signed; they decide nothing."""

from datetime import timedelta
from uuid import UUID

from django.core.signing import BadSignature, TimestampSigner
from django.utils.http import urlencode

from core.errors import DomainError

PARAMETER = "back"
CHECKOUT, PORTAL = "checkout", "portal"
LASTS = timedelta(hours=24)  # a Checkout page of Stripe's is open for as long
_SIGNER = TimestampSigner(salt="billing.return")


class StaleReturn(DomainError):
    code, http_status = "STALE_RETURN", 410

    def __init__(self) -> None:
        super().__init__("This link back from Stripe has run out, or was altered. What stands below is how the organization stands now.")


class ForeignReturn(DomainError):
    code, http_status = "FOREIGN_RETURN", 409

    def __init__(self) -> None:
        super().__init__("You come back from Stripe for another organization; what stands below is the one that you look at now.")


def address(url: str, *, organization_id: UUID, what: str) -> str:
    """`url` with what one comes back from."""
    return f"{url}?{urlencode({PARAMETER: _SIGNER.sign_object([what, organization_id.hex], compress=False)})}"


def opened(text: str, *, organization_id: UUID) -> str:
    """CHECKOUT or PORTAL. organization_id: the one that is looked at. Raises StaleReturn, ForeignReturn."""
    try:
        what, key = _SIGNER.unsign_object(text, max_age=LASTS)
    except (BadSignature, ValueError) as error:
        raise StaleReturn from error
    if key != organization_id.hex:
        raise ForeignReturn
    return str(what)
