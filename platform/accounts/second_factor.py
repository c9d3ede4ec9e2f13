"""Whether and when this sign-in used a second factor; allauth's record of the session is the only source."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest
from django.urls import reverse

_AFTER_SETUP = "after_second_factor"  # templates/mfa/recovery_codes/index.html leads there


def used_at(request: HttpRequest) -> datetime | None:
    """When a second factor was last entered in this session; None where it was not, or nobody is signed in."""
    if not request.user.is_authenticated:
        return None
    moments = [record["at"] for record in get_authentication_records(request, request.user) if record.get("method") == "mfa"]
    return datetime.fromtimestamp(max(moments), UTC) if moments else None


def second_factor_satisfied(request: HttpRequest) -> bool:
    """Whether this sign-in used a second factor, or none is asked for (the demo)."""
    return not settings.SECOND_FACTOR_REQUIRED or used_at(request) is not None


def page_that_asks(request: HttpRequest, *, back: str) -> str:
    """The page where the factor is entered, or set up where there is none; from there the person comes back to `back`.

    back: an address of this site; the caller has checked that. Setting up ends on the page of recovery codes, so the session keeps it.
    """
    request.session[_AFTER_SETUP] = back
    page = reverse("mfa_reauthenticate" if is_mfa_enabled(request.user) else "mfa_activate_totp")
    return f"{page}?{urlencode({REDIRECT_FIELD_NAME: back})}"
