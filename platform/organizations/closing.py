"""The end of an organization: what stands in the way is said first; then it is archived, and after thirty days nothing names it any more.

What people and the books need stays: registrations, payments, receipts and credit notes keep what they say, because they were frozen.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from organizations import belongings, emails, exports, invitations, locking, offer_voiding, seating
from organizations.belongings import Blocker
from organizations.models import (
    ActingGrant,
    AdminOffer,
    Invitation,
    InvitationLine,
    Membership,
    Organization,
    OrganizationClosing,
)
from organizations.permissions import Permission, require

ANONYMISED_AFTER = timedelta(days=30)


class ClosingBlocked(DomainError):
    """blockers: all that stands in the way, at once."""

    code, http_status = "CLOSING_BLOCKED", 409

    def __init__(self, blockers: list[Blocker]) -> None:
        self.blockers = blockers
        super().__init__("The organization cannot be closed yet. " + " ".join(one.sentence for one in blockers))

    @property
    def details(self) -> dict[str, Any]:
        return {"blockers": [{"code": one.code, "message": one.sentence} for one in self.blockers]}


@transaction.atomic
def close(*, organization_id: UUID, confirmation: str, by: Actor, reason: str = "") -> OrganizationClosing:
    """Archived: nothing of it is public, nobody works for it, its open invitations and offers are void; the export is on its way to the
    admins, and thirty days later it is anonymised.

    confirmation: the organization's name, typed. Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput, ClosingBlocked.
    """
    organization, at = locking.locked(organization_id, by), timezone.now()
    require(by, Permission.ORGANIZATION_CLOSE, organization.pk)
    if by.user_id is None:
        raise NotFound("account")
    if " ".join(confirmation.split()) != " ".join(organization.name.split()):
        raise InvalidInput("Type the organization's name exactly as it stands, to confirm.", field="confirmation")
    found = belongings.blockers(organization_id=organization.pk, at=at)
    if found:
        raise ClosingBlocked(found)
    belongings.archive(organization_id=organization.pk, at=at, by=by)
    closing = OrganizationClosing.objects.create(
        organization=organization, closed_by_id=by.user_id, reason=reason[:2000], anonymise_after=at + ANONYMISED_AFTER
    )
    export = exports.begin(organization, recipients=exports.admins(organization), asked_by=by.user_id, by=by)
    _void(organization, by)
    organization.is_active = organization.is_public = False
    organization.save(update_fields=["is_active", "is_public", "updated_at"])
    ended = _end_memberships(organization, by)
    after = {"anonymise_after": closing.anonymise_after, "members": len(ended), "export": export.public_id}
    record(closing, "organization.closed", by=by, after=after, reason=reason[:2000])
    for membership_id in ended:
        jobs.enqueue(emails.send_closed, membership_id=membership_id)
    return closing


def _void(organization: Organization, by: Actor) -> None:
    for invitation in organization.invitations.pending().order_by("pk"):
        invitations.revoke(invitation_id=invitation.pk, by=Actor.system("organizations.closing"))
    for offer in organization.admin_offers.filter(state=AdminOffer.State.PENDING).order_by("pk"):
        offer_voiding.void(offer=offer, by=by)
    at = timezone.now()
    ActingGrant.objects.filter(organization=organization, ended_at=None).update(ended_at=at, updated_at=at)


def _end_memberships(organization: Organization, by: Actor) -> list[UUID]:
    ended = []
    for membership in Membership.objects.select_for_update(of=["self"]).filter(organization=organization, ended_at=None).order_by("pk"):
        membership.ended_at = timezone.now()
        membership.save(update_fields=["ended_at", "updated_at"])
        seating.release(organization_id=organization.pk, role=membership.role, holder_id=membership.pk, by=by)
        record(membership, "membership.closed", by=by, before={"role": membership.role}, after={"ended_at": membership.ended_at})
        ended.append(membership.pk)
    return ended


@jobs.task()
def anonymise_due() -> None:
    """Take away what names organizations that were closed thirty days ago. Repeatable."""
    due = OrganizationClosing.objects.filter(state=OrganizationClosing.State.CLOSED, anonymise_after__lte=timezone.now())
    for closing_id in due.order_by("anonymise_after").values_list("pk", flat=True)[:100]:
        anonymise(closing_id=closing_id)


@transaction.atomic
def anonymise(*, closing_id: UUID) -> None:
    """Name, texts, logo and the addresses of people who were invited are gone; keys stay, so that the books still add up. No-op twice."""
    closing = OrganizationClosing.objects.select_for_update().get(pk=closing_id)
    if closing.state != OrganizationClosing.State.CLOSED:
        return
    organization = Organization.objects.select_for_update(no_key=True).get(pk=closing.organization_id)
    logo = organization.logo.name
    organization.name, organization.slug = "Closed organization", f"closed-{organization.public_id[-12:]}"
    for field in ("description", "website", "brand_color", "legal_name", "address", "tax_id", "logo"):
        setattr(organization, field, "")
    organization.save()
    for invitation in Invitation.objects.filter(organization=organization).order_by("pk").iterator(chunk_size=500):
        invitation.email = f"{invitation.public_id}@anonymised.invalid"
        invitation.save(update_fields=["email", "updated_at"])
    InvitationLine.objects.filter(organization=organization).delete()
    closing.anonymise(at=timezone.now())
    closing.save(update_fields=["state", "anonymised_at", "updated_at"])
    by = Actor.system("organizations.closing.anonymise")
    record(closing, "organization.anonymised", by=by, organization_id=organization.pk, after={"state": closing.state})
    if logo:
        organization.logo.storage.delete(logo)
