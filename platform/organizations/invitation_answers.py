"""What the invited person does: look, accept, decline; and what the clock does when they do not.

The link proves the mailbox, the account must have proven the same address: a link that was passed on opens nothing for anybody else.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError, NotFound
from organizations import emails, invitation_links, invitations, role_words, seating
from organizations.models import Invitation, Membership, Organization
from organizations.seating import SeatPreview


class InvitedAtAnotherAddress(DomainError):
    code, http_status = "INVITED_AT_ANOTHER_ADDRESS", 403

    def __init__(self) -> None:
        super().__init__(
            "This invitation was sent to another address than those of your account. Sign in with the account of that address, "
            "or ask the organization to invite the address that you use here."
        )


class AddressNotVerified(DomainError):
    code, http_status = "ADDRESS_NOT_VERIFIED", 403

    def __init__(self) -> None:
        super().__init__("Verify your email address first, then open the link again.")


@dataclass(frozen=True, slots=True)
class Offered:
    """What accepting would mean. refusal: why this person cannot accept now, None where they can."""

    invitation: Invitation
    role_means: str
    seat: SeatPreview
    stays: str
    refusal: DomainError | None


def look(*, token: str, by: Actor) -> Offered:
    """What the link offers, to whoever holds it; nothing changes. Raises NotFound."""
    invitation = invitation_links.found(token)
    refusal: DomainError | None = None
    try:
        invitations.require_open(invitation, at=timezone.now())
        if by.user_id is not None:
            _require_theirs(invitation, by.user_id)
    except DomainError as why:
        refusal = why
    seat = seating.preview(organization_id=invitation.organization_id, role=invitation.role)
    return Offered(invitation, role_words.MEANS[invitation.role], seat, role_words.STAYS_PERSONAL, refusal)


@transaction.atomic
def accept(*, token: str, by: Actor) -> Membership:
    """The signed-in person works for the organization from now on; the seat that was reserved is theirs.

    Raises NotFound, InvitationClosed, InvitedAtAnotherAddress, AddressNotVerified, AlreadyMember.
    """
    invitation, at = _locked(token), timezone.now()
    if by.user_id is None:
        raise NotFound("invitation")
    invitations.require_open(invitation, at=at)
    _require_theirs(invitation, by.user_id)
    if Membership.objects.filter(organization=invitation.organization, user_id=by.user_id, ended_at=None).exists():
        raise invitations.AlreadyMember
    invitation.accept(at=at, user_id=by.user_id)
    invitation.save(update_fields=["state", "ended_at", "accepted_by", "updated_at"])
    membership = Membership.objects.create(organization=invitation.organization, user_id=by.user_id, role=invitation.role)
    invitations.release(invitation, by)
    seating.reserve(organization_id=invitation.organization_id, role=invitation.role, holder_id=membership.pk, by=by)
    record(invitation, "invitation.accepted", by=by, after={"state": invitation.state, "membership": membership.public_id})
    record(membership, "membership.began", by=by, after={"role": membership.role, "invitation": invitation.public_id})
    jobs.enqueue(emails.send_accepted, invitation_id=invitation.pk)
    return membership


@transaction.atomic
def decline(*, token: str, by: Actor) -> Invitation:
    """The person does not join; whoever holds the link may say so, signed in or not. Raises NotFound, InvitationClosed."""
    invitation, at = _locked(token), timezone.now()
    invitations.require_open(invitation, at=at)
    invitation.decline(at=at)
    invitation.save(update_fields=["state", "ended_at", "updated_at"])
    invitations.release(invitation, by)
    record(invitation, "invitation.declined", by=by, after={"state": invitation.state})
    jobs.enqueue(emails.send_declined, invitation_id=invitation.pk)
    return invitation


def _locked(token: str) -> Invitation:
    """The organization's row first, as whoever invites and revokes does; then the invitation as it is by now. Raises NotFound."""
    found = invitation_links.found(token)
    organization = Organization.objects.select_for_update(of=["self"], no_key=True).get(pk=found.organization_id)
    invitation = Invitation.objects.select_for_update(of=["self"]).get(pk=found.pk)
    invitation.organization = organization
    if not organization.is_active or invitation.token_hash != found.token_hash:
        raise NotFound("invitation")
    return invitation


def _require_theirs(invitation: Invitation, user_id: UUID) -> None:
    """Raise InvitedAtAnotherAddress, or AddressNotVerified where the account has the address and has not proven it."""
    addresses: Any = EmailAddress.objects.filter(user_id=user_id, email__iexact=invitation.email)
    if addresses.filter(verified=True).exists():
        return
    raise AddressNotVerified if addresses.exists() else InvitedAtAnotherAddress


@jobs.task()
def expire_overdue() -> None:
    """Close invitations that nobody answered in time. Repeatable."""
    for invitation_id in Invitation.objects.overdue(at=timezone.now()).order_by("expires_at").values_list("pk", flat=True)[:1000]:
        expire(invitation_id=invitation_id)


@transaction.atomic
def expire(*, invitation_id: UUID) -> None:
    """No-op where it was answered, or sent again, meanwhile."""
    at, organization = timezone.now(), Organization.objects.filter(invitations=invitation_id)
    organization.select_for_update(of=["self"], no_key=True).get()
    invitation = Invitation.objects.select_for_update(of=["self"]).get(pk=invitation_id)
    if invitation.state == Invitation.State.PENDING and not invitation.is_open(at=at):
        invitations.close_expired(invitation, at=at)
