"""What people may change about their own account by themselves."""

from uuid import UUID
from zoneinfo import available_timezones

from django.db import transaction

from accounts.models import User
from audit.actor import Actor
from audit.recording import record
from core.errors import InvalidInput, NotFound

_LONGEST = 200


@transaction.atomic
def update(*, user_id: UUID, by: Actor, name: str | None = None, time_zone: str | None = None) -> User:
    """Change what is given. time_zone: an IANA name. Raises NotFound, InvalidInput."""
    user: User | None = User.objects.visible_to(by).select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound("account")
    given = {"name": name, "time_zone": time_zone}
    changed = {field: value for field, value in given.items() if value is not None and value != getattr(user, field)}
    _check(changed)
    if changed:
        before = {field: getattr(user, field) for field in changed}
        for field, value in changed.items():
            setattr(user, field, value)
        user.save(update_fields=[*changed, "updated_at"])
        record(user, "user.changed", by=by, before=before, after=changed)
    return user


def _check(changed: dict[str, str]) -> None:
    if not 0 < len(changed.get("name", "-")) <= _LONGEST:
        raise InvalidInput(f"Give a name of 1 to {_LONGEST} characters.", field="name")
    if changed.get("time_zone", "UTC") not in available_timezones():
        raise InvalidInput("Give a time zone by its IANA name, such as Europe/Berlin.", field="time_zone")
