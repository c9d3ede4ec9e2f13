"""How long a sign-in lasts: 8 hours without use in a console, 7 days elsewhere, 30 days in all.

The console keeps its own mark: pages of the public site do not keep a console open.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from core import jobs

IDLE = timedelta(days=7).total_seconds()
IDLE_IN_CONSOLE = timedelta(hours=8).total_seconds()
ABSOLUTE = timedelta(days=30).total_seconds()
CONSOLES = ("/staff/", "/console/")
_STEP = 300.0  # a session is written at most this often for being used

_SIGNED_IN_AT, _SEEN_AT, _CONSOLE_SEEN_AT = "signed_in_at", "seen_at", "console_seen_at"


def begin(session: SessionBase) -> None:
    """Start the clocks; called at every sign-in."""
    now = time.time()
    session[_SIGNED_IN_AT] = session[_SEEN_AT] = session[_CONSOLE_SEEN_AT] = now


def is_over(session: SessionBase, *, in_console: bool = False) -> bool:
    """Whether the sign-in in this session has ended by time alone."""
    now = time.time()
    began = session.get(_SIGNED_IN_AT, now)
    if now - began > ABSOLUTE or now - session.get(_SEEN_AT, began) > IDLE:
        return True
    return in_console and now - session.get(_CONSOLE_SEEN_AT, began) > IDLE_IN_CONSOLE


def touch(session: SessionBase, *, in_console: bool = False) -> None:
    """Note that the session was used, and save that where the last note is old."""
    if _SIGNED_IN_AT not in session:
        begin(session)
        session.save()
    now = time.time()
    for mark in (_SEEN_AT, _CONSOLE_SEEN_AT) if in_console else (_SEEN_AT,):
        if now - session.get(mark, 0) > _STEP:
            session[mark] = now
            session.save()
            UserSession.objects.filter(session_key=session.session_key).update(last_seen_at=timezone.now())


class SessionLifetimeMiddleware:
    """Signs out whoever's time is over, before any view runs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.session_key and request.user.is_authenticated:
            in_console = request.path.startswith(CONSOLES)
            if is_over(request.session, in_console=in_console):
                logout(request)
            else:
                touch(request.session, in_console=in_console)
        return self.get_response(request)


@jobs.task()
def purge() -> None:
    """Delete sessions that have expired; every request refuses them already."""
    call_command("clearsessions")
