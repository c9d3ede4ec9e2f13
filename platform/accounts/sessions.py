"""The sign-ins of one account: rows on the server, which can be listed and ended one by one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.db import transaction

from accounts.models import User
from audit.actor import Actor
from audit.recording import record
from core.errors import NotFound


@dataclass(frozen=True, slots=True)
class SignIn:
    """id: names it within the account. device: what the browser or app calls itself. is_current: the one that asks."""

    id: int
    ip: str
    device: str
    created_at: datetime
    last_seen_at: datetime
    is_current: bool


def of(user: User, *, current_key: str | None) -> list[SignIn]:
    """The sign-ins that still hold, the latest first; those that have ended are forgotten here."""
    rows = UserSession.objects.purge_and_list(user)
    found = [SignIn(row.pk, row.ip, row.user_agent, row.created_at, row.last_seen_at, row.session_key == current_key) for row in rows]
    return sorted(found, key=lambda one: one.created_at, reverse=True)


@transaction.atomic
def end(*, session_id: int, user: User, by: Actor) -> None:
    """That sign-in is over: its next request is refused. Raises NotFound for one that is not of this account."""
    row = UserSession.objects.filter(pk=session_id, user=user).first()
    if row is None:
        raise NotFound("session")
    _end([row], user, by)


@transaction.atomic
def end_others(*, user: User, current_key: str | None, by: Actor) -> int:
    """Every other sign-in is over; how many there were."""
    return _end(UserSession.objects.filter(user=user).exclude(session_key=current_key or ""), user, by)


def _end(rows: Iterable[UserSession], user: User, by: Actor) -> int:
    ended = 0
    for row in rows:
        row.end()
        ended += 1
    if ended:
        record(user, "user.sessions_ended", by=by, after={"sessions": ended})
    return ended
