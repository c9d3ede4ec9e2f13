"""Break glass: the platform makes somebody an admin of an organization that can no longer do so itself. Everybody concerned is told."""

from uuid import UUID

from django.db import transaction

from accounts.models import User
from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import InvalidInput
from organizations import emails, invitations, locking, members, offer_voiding, seating
from organizations.models import Membership, Role
from organizations.permissions import Permission, require


@transaction.atomic
def grant(*, organization_id: UUID, email: str, reason: str, by: Actor) -> Membership:
    """The person of that account is an admin of the organization, member before or not; all its people are told, with the reason.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput, RoleUnchanged.
    """
    organization = locking.locked(organization_id, by)
    require(by, Permission.ADMIN_GRANT, organization.pk)
    if not reason.strip():
        raise InvalidInput("Write why the platform does this; the organization's people read it.", field="reason")
    address = invitations.checked_address(email)
    user = User.objects.filter(is_active=True, emailaddress__email__iexact=address, emailaddress__verified=True).first()
    if user is None:
        raise InvalidInput("No account has verified this address; ask the person to sign up first.", field="email")
    membership = Membership.objects.select_for_update(of=["self"]).filter(organization=organization, user=user, ended_at=None).first()
    before = membership.role if membership else ""
    if membership is None:
        membership = Membership.objects.create(organization=organization, user=user, role=Role.ADMIN)
    elif before == Role.ADMIN:
        raise members.RoleUnchanged
    else:
        membership.role = Role.ADMIN
        membership.save(update_fields=["role", "updated_at"])
        offer_voiding.void_those_to(membership=membership, by=by)
        seating.release(organization_id=organization.pk, role=before, holder_id=membership.pk, by=by)
    seating.reserve(organization_id=organization.pk, role=Role.ADMIN, holder_id=membership.pk, by=by)
    entry = record(membership, "admin.granted", by=by, before={"role": before}, after={"role": Role.ADMIN}, reason=reason[:2000])
    jobs.enqueue(emails.send_admin_granted, membership_id=membership.pk, audit_id=entry.pk)
    return membership
