"""Whether and when this sign-in used a second factor; allauth's record of the session is the only source."""

from datetime import UTC, datetime

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest


def used_at(request: HttpRequest) -> datetime | None:
    """When a second factor was last entered in this session; None where it was not, or nobody is signed in."""
    if not request.user.is_authenticated:
        return None
    moments = [record["at"] for record in get_authentication_records(request, request.user) if record.get("method") == "mfa"]
    return datetime.fromtimestamp(max(moments), UTC) if moments else None


def second_factor_satisfied(request: HttpRequest) -> bool:
    """Whether this sign-in used a second factor, or none is asked for (the demo)."""
    return not settings.SECOND_FACTOR_REQUIRED or used_at(request) is not None
