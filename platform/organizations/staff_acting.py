"""Staff in an organization's place: for a while, for a reason, in sight of the organization, and never where money is decided."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.actor import Actor, StaffGroup
from audit.recording import record
from core.errors import DomainError, InvalidInput, NotFound
from organizations import locking
from organizations.models import ActingGrant
from organizations.permissions import RULES, Permission, require

_MAY = RULES[Permission.ORGANIZATION_ACT].staff | {StaffGroup.SUPERUSER}
LONGEST = timedelta(hours=1)


class ActingEnded(DomainError):
    code, http_status = "ACTING_ENDED", 409

    def __init__(self) -> None:
        super().__init__("This has ended already.")


@transaction.atomic
def begin(*, organization_id: UUID, reason: str, by: Actor, minutes: int = 30) -> ActingGrant:
    """The actor may use the organization's console in its place until the time is over; one organization at a time.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput.
    """
    organization = locking.locked(organization_id, by)
    require(by, Permission.ORGANIZATION_ACT, organization.pk)
    if by.user_id is None:
        raise NotFound("account")
    if not reason.strip():
        raise InvalidInput("Write why you act in the organization's place; it is kept, and its admins see it.", field="reason")
    if not timedelta() < timedelta(minutes=minutes) <= LONGEST:
        raise InvalidInput("Choose a time of at most 60 minutes.", field="minutes")
    User.objects.select_for_update(no_key=True).get(pk=by.user_id)  # two that begin at once would both be the only one
    at = timezone.now()
    ActingGrant.objects.filter(user_id=by.user_id, ended_at=None).update(ended_at=at, updated_at=at)
    grant = ActingGrant.objects.create(
        organization=organization, user_id=by.user_id, reason=reason.strip()[:2000], expires_at=at + timedelta(minutes=minutes)
    )
    record(grant, "acting.begun", by=by, after={"expires_at": grant.expires_at}, reason=grant.reason)
    return grant


@transaction.atomic
def end(*, grant_id: UUID, by: Actor) -> ActingGrant:
    """It is over at once. One's own, or anybody's for those who may begin it. Raises NotFound, PermissionRefused, ActingEnded."""
    rows = ActingGrant.objects.visible_to(by) | ActingGrant.objects.of(by)
    grant = rows.select_for_update(of=["self"]).filter(pk=grant_id).first()
    if grant is None:
        raise NotFound("grant")
    if grant.user_id != by.user_id:
        require(by, Permission.ORGANIZATION_ACT, grant.organization_id)
    if grant.ended_at is not None:
        raise ActingEnded
    grant.ended_at = timezone.now()
    grant.save(update_fields=["ended_at", "updated_at"])
    record(grant, "acting.ended", by=by, after={"ended_at": grant.ended_at})
    return grant


def of(user: User) -> ActingGrant | None:
    """The open grant of a person who is support still."""
    if not user.groups_of_staff & _MAY:
        return None
    grants = ActingGrant.objects.open(at=timezone.now()).filter(user=user).select_related("organization")
    return grants.first()


@transaction.atomic
def note(*, grant: ActingGrant, method: str, path: str, by: Actor) -> None:
    """Keep one request that was made in the organization's place, whatever comes of it."""
    record(grant, "acting.request", by=by, after={"method": method, "path": path[:500]})
