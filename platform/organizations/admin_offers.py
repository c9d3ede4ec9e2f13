"""Passing the admin role on: offered by an admin to a member, accepted by that member; the one who offered may step down by it."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor, StaffGroup
from audit.recording import record
from core import jobs
from core.errors import DomainError, NotFound
from organizations import emails, invitations, locking, members, offer_voiding, seating
from organizations.models import AdminOffer, Membership, Organization, Role
from organizations.permissions import Permission, require

LASTS = timedelta(days=7)


class AlreadyOffered(DomainError):
    code, http_status = "ALREADY_OFFERED", 409

    def __init__(self) -> None:
        super().__init__("The admin role is offered to this person already; they answer it on their page of organizations.")


class OfferClosed(DomainError):
    code, http_status = "OFFER_CLOSED", 409

    def __init__(self, why: str = "This offer is not open any more; ask for a new one.") -> None:
        super().__init__(why)


@transaction.atomic
def offer(*, membership_id: UUID, by: Actor, becomes: str = Role.ADMIN) -> AdminOffer:
    """Ask a member to become an admin; nothing has changed until they accept, within seven days.

    becomes: what the one who offers is then. Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput, MembershipEnded,
    RoleUnchanged, AlreadyOffered.
    """
    found = Membership.objects.visible_to(by).filter(pk=membership_id).values_list("organization_id", flat=True).first()
    if found is None or by.user_id is None:
        raise NotFound("membership")
    organization = locking.locked(found, by)
    require(by, Permission.ADMIN_OFFER, organization.pk)
    membership, at = Membership.objects.select_for_update(of=["self"]).get(pk=membership_id), timezone.now()
    members.require_active(membership)
    if membership.role == Role.ADMIN:
        raise members.RoleUnchanged
    if AdminOffer.objects.filter(membership=membership, state=AdminOffer.State.PENDING, expires_at__gt=at).exists():
        raise AlreadyOffered
    for late in AdminOffer.objects.filter(membership=membership, state=AdminOffer.State.PENDING).select_for_update():
        _expire(late)
    made = AdminOffer.objects.create(
        organization=organization,
        membership=membership,
        offered_by_id=by.user_id,
        becomes=invitations.known_role(becomes),
        expires_at=at + LASTS,
    )
    record(made, "admin_offer.made", by=by, after={"membership": membership.public_id, "becomes": made.becomes})
    jobs.enqueue(emails.send_admin_offered, offer_id=made.pk)
    return made


@transaction.atomic
def accept(*, offer_id: UUID, by: Actor) -> AdminOffer:
    """The member is an admin; whoever offered has the role that they chose. Raises NotFound, OfferClosed."""
    found, at = _own(offer_id, by), timezone.now()
    giver = Membership.objects.active().filter(organization=found.organization, user_id=found.offered_by_id, role=Role.ADMIN).first()
    if giver is None and StaffGroup.SUPERUSER not in found.offered_by.groups_of_staff:
        raise OfferClosed("Whoever offered this is no admin any more; ask an admin for a new offer.")
    membership = Membership.objects.select_for_update(of=["self"]).get(pk=found.membership_id)
    if membership.role == Role.ADMIN:
        raise members.RoleUnchanged
    found.accept(at=at)
    found.save(update_fields=["state", "ended_at", "updated_at"])
    record(found, "admin_offer.accepted", by=by, after={"state": found.state})
    _give(membership, Role.ADMIN, by)
    if giver is not None and found.becomes != Role.ADMIN:
        _give(Membership.objects.select_for_update(of=["self"]).get(pk=giver.pk), found.becomes, by)
    jobs.enqueue(emails.send_admin_accepted, offer_id=found.pk)
    return found


def _give(membership: Membership, role: str, by: Actor) -> None:
    before, membership.role = membership.role, role
    membership.save(update_fields=["role", "updated_at"])
    organization_id = membership.organization_id
    seating.release(organization_id=organization_id, role=before, holder_id=membership.pk, by=by)
    seating.reserve(organization_id=organization_id, role=role, holder_id=membership.pk, by=by)
    record(membership, "membership.role_changed", by=by, before={"role": before}, after={"role": role})


@transaction.atomic
def decline(*, offer_id: UUID, by: Actor) -> AdminOffer:
    """Nothing changes. Raises NotFound, OfferClosed."""
    found = _own(offer_id, by)
    found.decline(at=timezone.now())
    found.save(update_fields=["state", "ended_at", "updated_at"])
    record(found, "admin_offer.declined", by=by, after={"state": found.state})
    return found


@transaction.atomic
def withdraw(*, offer_id: UUID, by: Actor) -> AdminOffer:
    """The offer cannot be accepted any more. Raises NotFound, PermissionRefused, StepUpRequired, OfferClosed."""
    found = AdminOffer.objects.visible_to(by).filter(pk=offer_id).values_list("organization_id", flat=True).first()
    if found is None:
        raise NotFound("offer")
    locking.locked(found, by)
    require(by, Permission.ADMIN_OFFER, found)
    offered = AdminOffer.objects.select_for_update(of=["self"]).get(pk=offer_id)
    if not offered.is_open(at=timezone.now()):
        raise OfferClosed
    return offer_voiding.void(offer=offered, by=by)


def _own(offer_id: UUID, by: Actor) -> AdminOffer:
    """An open offer to the actor, its organization's row locked. Raises NotFound, OfferClosed."""
    key = AdminOffer.objects.of(by).filter(pk=offer_id).values_list("organization_id", flat=True).first()
    if key is None or not Organization.objects.select_for_update(of=["self"], no_key=True).filter(pk=key, is_active=True).exists():
        raise NotFound("offer")
    mine = AdminOffer.objects.of(by).select_for_update(of=["self"])  # they may have left meanwhile
    found = mine.select_related("organization", "offered_by").filter(pk=offer_id).first()
    if found is None:
        raise NotFound("offer")
    if not found.is_open(at=timezone.now()):
        raise OfferClosed
    return found


@jobs.task()
@transaction.atomic
def expire_overdue() -> None:
    """Close offers that nobody answered in seven days. Repeatable; one in somebody's hands is left to the next run."""
    late = AdminOffer.objects.filter(state=AdminOffer.State.PENDING, expires_at__lte=timezone.now())
    for offered in late.select_for_update(of=["self"], skip_locked=True).order_by("pk")[:1000]:
        _expire(offered)


def _expire(offered: AdminOffer) -> None:
    offered.expire(at=timezone.now())
    offered.save(update_fields=["state", "ended_at", "updated_at"])
    record(offered, "admin_offer.expired", by=Actor.system("organizations.admin_offers"), after={"state": offered.state})
