"""Inviting people: asked by email, in one role, for seven days. The answers stand in organizations.invitation_answers."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from organizations import emails, invitation_links, locking, seating
from organizations.models import Invitation, Membership, Organization, Role
from organizations.permissions import for_members_in, require

LASTS = timedelta(days=7)
RESENDS_A_DAY = 3


class AlreadyMember(DomainError):
    code, http_status = "ALREADY_MEMBER", 409

    def __init__(self) -> None:
        super().__init__("This person works for the organization already; change their role instead.")


class AlreadyInvited(DomainError):
    """invitation: public id of the one that is open."""

    code, http_status = "ALREADY_INVITED", 409

    def __init__(self, invitation: str) -> None:
        self.invitation = invitation
        super().__init__("This address is invited already; send that invitation again, or revoke it first.")

    @property
    def details(self) -> dict[str, Any]:
        return {"invitation": self.invitation}


class InvitationLimit(DomainError):
    code, http_status = "INVITATION_LIMIT", 429

    def __init__(self) -> None:
        super().__init__(f"An organization can invite {settings.INVITATIONS_A_DAY} people in 24 hours; go on tomorrow.")


class ResendLimit(DomainError):
    code, http_status = "RESEND_LIMIT", 429

    def __init__(self) -> None:
        super().__init__(f"An invitation can be sent again {RESENDS_A_DAY} times in 24 hours; ask the person to look for the mail.")


class InvitationClosed(DomainError):
    """state: what became of it."""

    code, http_status = "INVITATION_CLOSED", 409
    SENTENCES = {
        Invitation.State.ACCEPTED: "This invitation was accepted already.",
        Invitation.State.DECLINED: "This invitation was declined; ask the organization for a new one if that was a mistake.",
        Invitation.State.EXPIRED: "This invitation has expired; ask the organization for a new one.",
        Invitation.State.REVOKED: "This invitation was withdrawn by the organization.",
    }

    def __init__(self, state: str) -> None:
        self.state = str(state)
        super().__init__(self.SENTENCES[Invitation.State(state)])

    @property
    def details(self) -> dict[str, Any]:
        return {"state": self.state}


@transaction.atomic
def invite(*, organization_id: UUID, email: str, role: str, by: Actor) -> Invitation:
    """Ask a person to join; the mail is queued on return, and the seat that the role takes is reserved.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput, AlreadyMember, AlreadyInvited, InvitationLimit, and what
    seating raises where there is no seat.
    """
    organization = locking.locked(organization_id, by)
    role = known_role(role)
    require(by, for_members_in(role), organization.pk)
    email, at = checked_address(email), timezone.now()
    refuse_uninvitable(organization, email, at=at)
    for late in organization.invitations.pending().filter(email=email):
        close_expired(late, at=at)  # its time is over, or it would have been refused above
    invitation = Invitation(organization=organization, email=email, role=role, invited_by_id=_person(by), sent_at=at, expires_at=at + LASTS)
    invitation.token_hash = invitation_links.stored_hash(invitation_links.token(invitation))
    invitation.save(force_insert=True)
    seating.reserve(organization_id=organization.pk, role=role, holder_id=invitation.pk, by=by)
    record(invitation, "invitation.sent", by=by, after={"email": email, "role": role, "expires_at": invitation.expires_at})
    jobs.enqueue(emails.send_invitation, invitation_id=invitation.pk, number=invitation.number)
    return invitation


def known_role(role: str) -> Role:
    """Raises InvalidInput, naming the roles there are."""
    if role not in Role.values:
        raise InvalidInput(f"Choose a role: {', '.join(Role.values)}.", field="role")
    return Role(role)


def checked_address(email: str) -> str:
    """In lower case, one spelling for each mailbox. Raises InvalidInput."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidInput("Give an email address, such as name@example.org.", field="email") from None
    if len(email) > 254:
        raise InvalidInput("This email address is too long; 254 characters at most.", field="email")
    return email


def refuse_uninvitable(organization: Organization, email: str, *, at: datetime) -> None:
    """Raise AlreadyMember, AlreadyInvited, InvitationLimit. An invitation whose time is over does not stand in the way."""
    if _members(organization, email).exists():
        raise AlreadyMember
    pending = organization.invitations.pending().filter(email=email, expires_at__gt=at).first()
    if pending is not None:
        raise AlreadyInvited(pending.public_id)
    refuse_above_limit(organization, at=at)


def refuse_above_limit(organization: Organization, *, at: datetime, before: int = 0) -> None:
    """Raise InvitationLimit. before: how many others will be invited first."""
    if organization.invitations.filter(created_at__gt=at - timedelta(days=1)).count() + before >= settings.INVITATIONS_A_DAY:
        raise InvitationLimit


def _members(organization: Organization, email: str) -> Any:
    theirs = Q(user__email=email) | Q(user__emailaddress__email__iexact=email, user__emailaddress__verified=True)
    return Membership.objects.filter(theirs, organization=organization, ended_at=None)


def _person(by: Actor) -> UUID:
    if by.user_id is None or not User.objects.filter(pk=by.user_id).exists():
        raise NotFound("account")
    return by.user_id


@transaction.atomic
def resend(*, invitation_id: UUID, by: Actor) -> Invitation:
    """Send a new link for seven more days; the earlier links open nothing any more. An expired invitation is not revived.

    Raises NotFound, PermissionRefused, StepUpRequired, InvitationClosed, ResendLimit.
    """
    invitation, at = locked(invitation_id, by), timezone.now()
    require(by, for_members_in(invitation.role), invitation.organization_id)
    require_open(invitation, at=at)
    require_resendable(invitation, at=at)
    invitation.send_again(at=at, lasts=LASTS)
    invitation.token_hash = invitation_links.stored_hash(invitation_links.token(invitation))
    invitation.save(update_fields=["number", "sent_at", "expires_at", "resent_at", "token_hash", "updated_at"])
    record(invitation, "invitation.resent", by=by, after={"number": invitation.number, "expires_at": invitation.expires_at})
    jobs.enqueue(emails.send_invitation, invitation_id=invitation.pk, number=invitation.number)
    return invitation


def require_resendable(invitation: Invitation, *, at: datetime) -> None:
    """Raise ResendLimit."""
    if sum(moment > at - timedelta(days=1) for moment in invitation.resent_at) >= RESENDS_A_DAY:
        raise ResendLimit


@transaction.atomic
def revoke(*, invitation_id: UUID, by: Actor) -> Invitation:
    """The link opens nothing any more, the seat is free, and the person is told. Raises NotFound, PermissionRefused, StepUpRequired,
    InvitationClosed."""
    invitation, at = locked(invitation_id, by), timezone.now()
    require(by, for_members_in(invitation.role), invitation.organization_id)
    require_open(invitation, at=at)
    invitation.revoke(at=at)
    invitation.save(update_fields=["state", "ended_at", "updated_at"])
    release(invitation, by)
    record(invitation, "invitation.revoked", by=by, after={"state": invitation.state})
    jobs.enqueue(emails.send_revoked, invitation_id=invitation.pk)
    return invitation


def locked(invitation_id: UUID, by: Actor) -> Invitation:
    """The invitation, its organization's row locked first: an answer and a revocation queue there. Raises NotFound."""
    found = Invitation.objects.visible_to(by).filter(pk=invitation_id).values_list("organization_id", flat=True).first()
    if found is None:
        raise NotFound("invitation")
    locking.locked(found, by)
    return Invitation.objects.select_for_update(of=["self"]).select_related("organization").get(pk=invitation_id)


def require_open(invitation: Invitation, *, at: datetime) -> None:
    """Raise InvitationClosed where it was answered or withdrawn, or its time is over."""
    if invitation.state != Invitation.State.PENDING:
        raise InvitationClosed(invitation.state)
    if not invitation.is_open(at=at):
        raise InvitationClosed(Invitation.State.EXPIRED)


def close_expired(invitation: Invitation, *, at: datetime) -> None:
    """Nobody answered in time; its seat is free. The caller holds the organization's lock."""
    by = Actor.system("organizations.invitations")
    invitation.expire(at=at)
    invitation.save(update_fields=["state", "ended_at", "updated_at"])
    release(invitation, by)
    record(invitation, "invitation.expired", by=by, after={"state": invitation.state})


def release(invitation: Invitation, by: Actor) -> None:
    seating.release(organization_id=invitation.organization_id, role=invitation.role, holder_id=invitation.pk, by=by)
