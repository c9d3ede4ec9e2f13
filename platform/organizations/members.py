"""Who works for an organization: changing roles, removing, leaving. An organization always keeps an admin.

Everything here holds the organization's row locked, so that two admins who remove each other meet one after the other; a deferred trigger
looks again at the end of every transaction, whoever wrote.
"""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from organizations import belongings, emails, invitations, locking, offer_voiding, seating
from organizations.belongings import Held
from organizations.models import Membership, Role
from organizations.permissions import for_members_in, require

MAY_HOST = (Role.ADMIN, Role.ORGANIZER)


class LastAdmin(DomainError):
    code, http_status = "LAST_ADMIN", 409

    def __init__(self) -> None:
        super().__init__("An organization needs an admin: give the role to somebody else first.")


class RoleUnchanged(DomainError):
    code, http_status = "ROLE_UNCHANGED", 409

    def __init__(self) -> None:
        super().__init__("This person has that role already; choose another one.")


class MembershipEnded(DomainError):
    code, http_status = "MEMBERSHIP_ENDED", 409

    def __init__(self) -> None:
        super().__init__("This person does not work for the organization any more; invite them anew.")


class SuccessorNeeded(DomainError):
    """held: what the member answers for."""

    code, http_status = "SUCCESSOR_NEEDED", 409

    def __init__(self, held: list[Held]) -> None:
        self.held = held
        what = " and ".join(map(str, held))
        super().__init__(f"This person answers for {what}; name a member who takes over.")

    @property
    def details(self) -> dict[str, Any]:
        return {one.what.replace(" ", "_"): one.count for one in self.held}


@transaction.atomic
def change_role(*, membership_id: UUID, role: str, by: Actor) -> Membership:
    """The member has the other role from their next request on; the person is told. What they host stays with them.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput, MembershipEnded, RoleUnchanged, LastAdmin, and what seating raises.
    """
    membership = _locked(membership_id, by)
    require_changeable(membership, role, by=by)
    before = membership.role
    membership.role = role
    membership.save(update_fields=["role", "updated_at"])
    if membership.role == Role.ADMIN:
        offer_voiding.void_those_to(membership=membership, by=by)
    _move_seat(membership, before, by)
    record(membership, "membership.role_changed", by=by, before={"role": before}, after={"role": membership.role})
    jobs.enqueue(emails.send_role_changed, membership_id=membership.pk, role=membership.role)
    return membership


def require_changeable(membership: Membership, role: str, *, by: Actor) -> None:
    """Raise what change_role would."""
    role = invitations.known_role(role)
    for each in (membership.role, role):
        require(by, for_members_in(each), membership.organization_id)
    require_active(membership)
    if membership.role == role:
        raise RoleUnchanged
    require_another_admin(membership)


def _move_seat(membership: Membership, before: str, by: Actor) -> None:
    organization_id = membership.organization_id
    seating.release(organization_id=organization_id, role=before, holder_id=membership.pk, by=by)
    seating.reserve(organization_id=organization_id, role=membership.role, holder_id=membership.pk, by=by)


@transaction.atomic
def remove(*, membership_id: UUID, by: Actor, successor_id: UUID | None = None, reason: str = "") -> Membership:
    """The person works for the organization no more: nothing is theirs from the next request on, their seat is free, they are told.

    successor_id: the user who takes over what they host; needed where they host something. Raises NotFound, PermissionRefused,
    StepUpRequired, MembershipEnded, LastAdmin, SuccessorNeeded, InvalidInput.
    """
    membership = _locked(membership_id, by)
    require_removable(membership, successor_id=successor_id, by=by)
    ended = _end(membership, successor_id=successor_id, reason=reason, action="membership.removed", by=by)
    jobs.enqueue(emails.send_removed, membership_id=membership.pk)
    return ended


def require_removable(membership: Membership, *, successor_id: UUID | None, by: Actor) -> None:
    """Raise what remove would."""
    require(by, for_members_in(membership.role), membership.organization_id)
    require_active(membership)
    require_another_admin(membership)
    require_successor(membership, successor_id)


@transaction.atomic
def leave(*, organization_id: UUID, by: Actor, successor_id: UUID | None = None) -> Membership:
    """One's own membership ends; nobody else's permission is asked for, the admins are told.

    Raises NotFound, LastAdmin, SuccessorNeeded, InvalidInput.
    """
    organization = locking.locked(organization_id, by)
    mine = Membership.objects.active().filter(organization=organization, user_id=by.user_id) if by.user_id else Membership.objects.none()
    membership = mine.select_for_update(of=["self"]).select_related("organization", "user").first()
    if membership is None:
        raise NotFound("membership")
    require_another_admin(membership)
    require_successor(membership, successor_id)
    ended = _end(membership, successor_id=successor_id, reason="", action="membership.left", by=by)
    jobs.enqueue(emails.send_left, membership_id=membership.pk)
    return ended


def _locked(membership_id: UUID, by: Actor) -> Membership:
    found = Membership.objects.visible_to(by).filter(pk=membership_id).values_list("organization_id", flat=True).first()
    if found is None:
        raise NotFound("membership")
    locking.locked(found, by)
    return Membership.objects.select_for_update(of=["self"]).select_related("organization", "user").get(pk=membership_id)


def require_active(membership: Membership) -> None:
    """Raise MembershipEnded."""
    if not membership.is_active:
        raise MembershipEnded


def require_another_admin(membership: Membership, gone: QuerySet[Membership] | None = None) -> None:
    """Raise LastAdmin where nobody but this member is an admin whose account works. gone: who is not counted either."""
    if membership.role != Role.ADMIN:
        return
    others = Membership.objects.active().filter(organization_id=membership.organization_id, role=Role.ADMIN).exclude(pk=membership.pk)
    if gone is not None:
        others = others.exclude(pk__in=gone.values("pk"))
    if not others.exists():
        raise LastAdmin


def require_successor(membership: Membership, successor_id: UUID | None) -> None:
    """Raise SuccessorNeeded where the member hosts something and nobody is named, InvalidInput for one who cannot host."""
    if successor_id is None:
        held = belongings.held(organization_id=membership.organization_id, user_id=membership.user_id)
        if held:
            raise SuccessorNeeded(held)
    elif not successors(membership).filter(user_id=successor_id).exists():
        raise InvalidInput("Name another admin or organizer of the organization as successor.", field="successor")


def successors(membership: Membership) -> Any:
    """Memberships of those who can take over what this member hosts."""
    others = Membership.objects.active().filter(organization_id=membership.organization_id, role__in=MAY_HOST)
    return others.exclude(pk=membership.pk)


def _end(membership: Membership, *, successor_id: UUID | None, reason: str, action: str, by: Actor) -> Membership:
    organization_id = membership.organization_id
    membership.ended_at = timezone.now()
    membership.save(update_fields=["ended_at", "updated_at"])
    offer_voiding.void_those_to(membership=membership, by=by)
    if successor_id is not None:
        belongings.hand_over(organization_id=organization_id, from_user_id=membership.user_id, to_user_id=successor_id, by=by)
    seating.release(organization_id=organization_id, role=membership.role, holder_id=membership.pk, by=by)
    after = {"ended_at": membership.ended_at, "successor": successor_id}
    record(membership, action, by=by, before={"role": membership.role}, after=after, reason=reason[:2000])
    return membership
