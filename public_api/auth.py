"""Who asks: an app's session token, a browser's session cookie with CSRF, or nobody. A guest's key is an endpoint's own matter."""

from typing import Any

from allauth.headless.internal.sessionkit import lookup_session
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from ninja.errors import AuthenticationError
from ninja.security import APIKeyCookie, APIKeyHeader
from ninja.utils import check_csrf

from accounts import second_factor, session_lifetime
from accounts.models import User
from audit.actor import Actor
from organizations.acting import actor_for
from public_api.errors import CsrfFailed

_MAX_KEY = 64


class SessionToken(APIKeyHeader):
    """The token that signing in through /api/v1/auth/app gave out. A wrong or ended one is refused everywhere, never ignored."""

    param_name = "X-Session-Token"

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        if not key:
            return None
        session = lookup_session(key) if len(key) <= _MAX_KEY and key.isalnum() else None
        if session is None or session_lifetime.is_over(session):
            raise AuthenticationError
        request.session = session
        request.user = get_user(request)
        if not isinstance(request.user, User):
            raise AuthenticationError
        session_lifetime.touch(session)
        session.modified = False  # saved already; a cookie for it would turn the token into a browser session
        return _signed_in(request, request.user)


class SessionCookie(APIKeyCookie):
    """A browser's session. Silent where there is none, so that public reads stay public; changes need the CSRF token."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self) -> None:
        super().__init__(csrf=False)

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        if key is None or not isinstance(request.user, User):
            return None
        if check_csrf(request):
            raise CsrfFailed
        return _signed_in(request, request.user)


def anonymous(request: HttpRequest) -> Actor:
    return Actor.anonymous(**origin(request))


SIGNED_IN = [SessionToken(), SessionCookie()]
ANYONE = [*SIGNED_IN, anonymous]


def actor(request: HttpRequest) -> Actor:
    """Who acts in this request, as its authentication found."""
    found: Actor = request.auth  # type: ignore[attr-defined]
    return found


def origin(request: HttpRequest) -> dict[str, Any]:
    """Request id and address; the address is the one that config.client_address took from trusted hops."""
    return {"request_id": request.META.get("REQUEST_ID", ""), "ip": request.META.get("REMOTE_ADDR") or None}


def guest(request: HttpRequest, holder: Actor) -> Actor:
    """The holder of a signed link, with this request's origin."""
    if holder.guest_of is None:
        return holder
    return Actor.guest(holder.guest_of, **origin(request))


def _signed_in(request: HttpRequest, user: User) -> Actor:
    """Staff groups count only where this very sign-in used a second factor."""
    return actor_for(
        user,
        second_factor_at=second_factor.used_at(request),
        as_staff=second_factor.second_factor_satisfied(request),
        **origin(request),
    )
