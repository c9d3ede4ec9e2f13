"""Letting somebody sign in again who is locked out: the console's own operation on an account, which knows no permissions itself."""

from uuid import UUID

from django.db import transaction

from accounts import sign_in_locks
from accounts.models import User
from audit.actor import Actor
from audit.recording import record
from core.errors import DomainError, InvalidInput, NotFound
from organizations.permissions import Permission, require


class NotLocked(DomainError):
    code, http_status = "NOT_LOCKED", 409

    def __init__(self) -> None:
        super().__init__("This account is not locked; if the person cannot sign in, let them reset their password.")


@transaction.atomic
def unlock(*, user_id: UUID, reason: str, by: Actor) -> User:
    """The person can try again at once; their failures so far are forgotten. The shared cache is a table: it commits with the audit log.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput, NotLocked.
    """
    require(by, Permission.USER_UNLOCK)
    user: User | None = User.objects.visible_to(by).select_for_update(no_key=True).filter(pk=user_id).first()
    if user is None:
        raise NotFound("account")
    if not reason.strip():
        raise InvalidInput("Write how you know that it is this person who asks; it is kept.", field="reason")
    until = sign_in_locks.locked_until(user)
    if until is None:
        raise NotLocked
    sign_in_locks.lift(user)
    record(user, "user.unlocked", by=by, before={"locked_until": until}, after={"locked_until": None}, reason=reason.strip()[:2000])
    return user
