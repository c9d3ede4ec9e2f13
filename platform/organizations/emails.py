"""Mails about who works for an organization. Enqueued as the last line of an operation."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Model

from accounts.models import User
from audit.models import AuditEntry
from core import jobs
from notifications import delivery
from organizations import export_links, invitation_links, role_words
from organizations.models import AdminOffer, Invitation, Membership, Organization, OrganizationExport, Role


@jobs.task()
def send_invitation(*, invitation_id: UUID, number: int) -> None:
    """The link, once for each time it was sent; nothing where a newer link has replaced it, or it was answered meanwhile."""
    invitation = _found(invitation_id)
    if invitation.state == Invitation.State.PENDING and invitation.number == number:
        link = invitation_links.url(invitation)
        more = {
            "link": link,
            "means": role_words.MEANS[invitation.role],
            "until": f"{invitation.expires_at:%d %B %Y, %H:%M} UTC",
        }
        _to_invited("invitation", invitation, more, once=f"{invitation.pk}:{number}", opens=link)


@jobs.task()
def send_revoked(*, invitation_id: UUID) -> None:
    invitation = _found(invitation_id)
    _to_invited("invitation_revoked", invitation, {}, once=str(invitation.pk))


@jobs.task()
def send_accepted(*, invitation_id: UUID) -> None:
    _to_inviter("invitation_accepted", _found(invitation_id))


@jobs.task()
def send_declined(*, invitation_id: UUID) -> None:
    _to_inviter("invitation_declined", _found(invitation_id))


def _found(invitation_id: UUID) -> Invitation:
    return Invitation.objects.select_related("organization", "invited_by", "accepted_by").get(pk=invitation_id)


def _about(invitation: Invitation) -> dict[str, Any]:
    return {
        "organization": invitation.organization.name,
        "role": invitation.get_role_display(),
        "inviter": str(invitation.invited_by),
        "person": str(invitation.accepted_by or invitation.email),
    }


def _to_invited(kind: str, invitation: Invitation, more: dict[str, Any], *, once: str, opens: str = "") -> None:
    delivery.queue(
        kind=kind,
        opens=opens,
        to=invitation.email,
        context={**_about(invitation), **more},
        organization_id=invitation.organization_id,
        related=invitation,
        dedupe_key=f"{kind}:{once}",
    )


def _to_inviter(kind: str, invitation: Invitation) -> None:
    """To whoever invited; they may have left, which a mail about their own invitation does not mind."""
    delivery.queue(
        kind=kind,
        to=invitation.invited_by.email,
        context={**_about(invitation), "name": invitation.invited_by.name, "link": f"{settings.BASE_URL}/console/"},
        user_id=invitation.invited_by_id,
        organization_id=invitation.organization_id,
        related=invitation,
        dedupe_key=f"{kind}:{invitation.pk}",
    )


@jobs.task()
def send_role_changed(*, membership_id: UUID, role: str) -> None:
    """Nothing where it has changed once more, or ended, meanwhile."""
    membership = _member(membership_id)
    if membership.is_active and membership.role == role:
        _to_member(
            "role_changed", membership, {"means": role_words.MEANS[role]}, once=f"{membership.pk}:{membership.updated_at.timestamp()}"
        )


@jobs.task()
def send_removed(*, membership_id: UUID) -> None:
    membership = _member(membership_id)
    _to_member("membership_ended", membership, {}, once=str(membership.pk))


@jobs.task()
def send_left(*, membership_id: UUID) -> None:
    membership = _member(membership_id)
    context = {"organization": membership.organization.name, "person": str(membership.user), "role": membership.get_role_display()}
    to_admins("member_left", membership.organization, context, related=membership, once=str(membership.pk))


def _member(membership_id: UUID) -> Membership:
    return Membership.objects.select_related("organization", "user").get(pk=membership_id)


def _to_member(kind: str, membership: Membership, more: dict[str, Any], *, once: str) -> None:
    context = {"organization": membership.organization.name, "role": membership.get_role_display(), "name": membership.user.name}
    delivery.queue(
        kind=kind,
        to=membership.user.email,
        context={**context, **more},
        user_id=membership.user_id,
        organization_id=membership.organization_id,
        related=membership,
        dedupe_key=f"{kind}:{once}",
    )


def to_admins(kind: str, organization: Organization, context: dict[str, Any], *, related: Model, once: str) -> None:
    """One mail to each of the organization's admins; once: what a second one would be the same as."""
    for member in organization.memberships.active().filter(role=Role.ADMIN).select_related("user"):
        delivery.queue(
            kind=kind,
            to=member.user.email,
            context={**context, "name": member.user.name},
            user_id=member.user_id,
            organization_id=organization.pk,
            related=related,
            dedupe_key=f"{kind}:{once}:{member.user_id}",
        )


@jobs.task()
def send_admin_offered(*, offer_id: UUID) -> None:
    """Nothing where it was answered or withdrawn meanwhile."""
    offered = AdminOffer.objects.select_related("membership__user", "membership__organization", "offered_by").get(pk=offer_id)
    if offered.state == AdminOffer.State.PENDING:
        more = {"giver": str(offered.offered_by), "link": f"{settings.BASE_URL}/organizations", "means": role_words.MEANS[Role.ADMIN]}
        _to_member("admin_offered", offered.membership, more, once=str(offered.pk))


@jobs.task()
def send_admin_accepted(*, offer_id: UUID) -> None:
    offered = AdminOffer.objects.select_related("membership__user", "organization").get(pk=offer_id)
    context = {"organization": offered.organization.name, "person": str(offered.membership.user)}
    to_admins("admin_accepted", offered.organization, context, related=offered, once=str(offered.pk))


@jobs.task()
def send_admin_granted(*, membership_id: UUID, audit_id: UUID) -> None:
    """To all who work there: what the platform did is told to everybody, not to its admins alone."""
    membership, entry = _member(membership_id), AuditEntry.objects.get(pk=audit_id)
    context = {"organization": membership.organization.name, "person": str(membership.user), "reason": entry.reason}
    for member in membership.organization.memberships.active().select_related("user"):
        delivery.queue(
            kind="admin_granted",
            to=member.user.email,
            context={**context, "name": member.user.name},
            user_id=member.user_id,
            organization_id=membership.organization_id,
            related=membership,
            dedupe_key=f"admin_granted:{audit_id}:{member.user_id}",
        )


@jobs.task()
def send_export_ready(*, export_id: UUID) -> None:
    """The link, to those who shall have it; it opens the file without an account, because theirs may open nothing any more."""
    export = OrganizationExport.objects.select_related("organization").get(pk=export_id)
    context = {
        "organization": export.organization.name,
        "link": export_links.url(export),
        "until": f"{export.expires_at:%d %B %Y}",
    }
    for user in User.objects.filter(pk__in=export.recipients, is_active=True):
        delivery.queue(
            kind="export_ready",
            opens=str(context["link"]),
            to=user.email,
            context={**context, "name": user.name},
            user_id=user.pk,
            organization_id=export.organization_id,
            related=export,
            dedupe_key=f"export_ready:{export.pk}:{user.pk}",
        )


@jobs.task()
def send_export_failed(*, export_id: UUID) -> None:
    """To those who wait for the link; nothing where it was made all the same meanwhile."""
    export = OrganizationExport.objects.select_related("organization").get(pk=export_id)
    if export.state != OrganizationExport.State.FAILED:
        return
    for user in User.objects.filter(pk__in=export.recipients, is_active=True):
        delivery.queue(
            kind="export_failed",
            to=user.email,
            context={"organization": export.organization.name, "is_closed": not export.organization.is_active, "name": user.name},
            user_id=user.pk,
            organization_id=export.organization_id,
            related=export,
            dedupe_key=f"export_failed:{export.pk}:{user.pk}",
        )


@jobs.task()
def send_closed(*, membership_id: UUID) -> None:
    membership = _member(membership_id)
    _to_member("organization_closed", membership, {}, once=str(membership.pk))
