"""Invitations: those of one's organization, and the one whose link one holds."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import StringConstraints

from audit.actor import Actor
from core.errors import NotFound
from core.public_ids import encode
from organizations import invitation_answers, invitations, seating
from organizations.invitation_answers import Offered
from organizations.models import Invitation, Organization, Role
from organizations.permissions import Permission, require
from organizations.seating import SeatPreview
from public_api import idempotency
from public_api.auth import ANYONE, SIGNED_IN, actor
from public_api.envelope import ERRORS
from public_api.idempotency import Key
from public_api.pagination import Page, keyset_page
from public_api.shapes import Body, Email, InvitationId, MoneyOut, OrganizationId, moment, money
from public_api.throttling import INVITE, READ, WRITE

router = Router(auth=SIGNED_IN)
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class RoleName(StrEnum):
    ADMIN = Role.ADMIN.value
    ORGANIZER = Role.ORGANIZER.value
    COURSE_MANAGER = Role.COURSE_MANAGER.value
    INSTRUCTOR = Role.INSTRUCTOR.value


class InvitationState(StrEnum):
    PENDING = Invitation.State.PENDING.value
    ACCEPTED = Invitation.State.ACCEPTED.value
    DECLINED = Invitation.State.DECLINED.value
    EXPIRED = Invitation.State.EXPIRED.value
    REVOKED = Invitation.State.REVOKED.value


class InvitationIn(Body):
    """buy_seat: one more may be bought where the role takes a seat and none is free; GET …/seats says what it costs."""

    email: Email
    role: RoleName
    buy_seat: bool = False


class InvitationOut(Schema):
    """ended_at: when it was answered, withdrawn, or its time was over."""

    id: str
    email: str
    role: RoleName
    state: InvitationState
    sent_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class InvitationsWanted(Page):
    state: InvitationState | None = None


class InvitationPage(Schema):
    items: list[InvitationOut]
    next: str | None


class SeatOut(Schema):
    """price: of one more seat for a whole period; due_now: its share of this one. Null where nothing has to be bought.

    sentence: the same in words, and why none can be bought where that is so.
    """

    is_counted: bool
    used: int
    included: int
    bought: int
    price: MoneyOut | None
    due_now: MoneyOut | None
    sentence: str


class OfferedOut(Schema):
    """What accepting would mean. refusal: why the one who asks cannot accept now, null where they can."""

    organization: str
    role: RoleName
    role_means: str
    seat: SeatOut
    stays_personal: str
    state: InvitationState
    expires_at: datetime
    refusal: str | None


class AnswerIn(Body):
    answer: Literal["accept", "decline"]


class AnswerOut(Schema):
    """membership: the new one, where it was accepted."""

    state: InvitationState
    membership: str | None


def visible_organization(organization_id: UUID, by: Actor) -> None:
    """Raises NotFound."""
    if not Organization.objects.visible_to(by).filter(pk=organization_id).exists():
        raise NotFound("organization")


@router.get(
    "/organizations/{organization_id}/invitations",
    response={200: InvitationPage, **ERRORS},
    operation_id="list_invitations",
    throttle=READ,
)
def list_invitations(request: HttpRequest, organization_id: OrganizationId, wanted: Query[InvitationsWanted]) -> dict[str, Any]:
    """Who was invited, the latest first."""
    by = actor(request)
    visible_organization(organization_id, by)
    require(by, Permission.INVITATION_VIEW, organization_id)
    rows = Invitation.objects.visible_to(by).filter(organization_id=organization_id)
    if wanted.state is not None:
        rows = rows.filter(state=wanted.state.value)
    found, following = keyset_page(rows, wanted, listing=f"invitations:{organization_id}")
    return {"items": [_shown(row) for row in found], "next": following}


@router.post(
    "/organizations/{organization_id}/invitations",
    response={201: InvitationOut, **ERRORS},
    operation_id="invite_member",
    throttle=INVITE,
)
def invite_member(request: HttpRequest, organization_id: OrganizationId, body: InvitationIn, idempotency_key: Key) -> HttpResponse:
    """Ask a person to join by email. Where none of the seats is free that its role takes, the answer is 402 with the price of
    one more, and nothing is bought; with buy_seat it is."""
    by = actor(request)

    def perform() -> tuple[int, dict[str, Any]]:
        made = invitations.invite(organization_id=organization_id, email=body.email, role=body.role.value, by=by, buy_seat=body.buy_seat)
        return 201, _shown(made)

    return idempotency.once(request, by=by, route="invite_member", key=idempotency_key, perform=perform).respond()


@router.get("/organizations/{organization_id}/seats", response={200: SeatOut, **ERRORS}, operation_id="get_seats", throttle=READ)
def get_seats(request: HttpRequest, organization_id: OrganizationId) -> dict[str, Any]:
    """How many seats are used, included and bought, and what one more would cost, as Stripe calculates it where it answers in time."""
    by = actor(request)
    visible_organization(organization_id, by)
    require(by, Permission.SUBSCRIPTION_VIEW, organization_id)
    return _seat(seating.preview(organization_id=organization_id, role=Role.ORGANIZER, outside=True))


def _seat(seat: SeatPreview) -> dict[str, Any]:
    return {
        **{name: getattr(seat, name) for name in ("is_counted", "used", "included", "bought", "sentence")},
        "price": money(seat.price) if seat.price else None,
        "due_now": money(seat.due_now) if seat.due_now else None,
    }


_ONE = "/organizations/{organization_id}/invitations/{invitation_id}"


@router.post(f"{_ONE}/resend", response={200: InvitationOut, **ERRORS}, operation_id="resend_invitation", throttle=INVITE)
def resend_invitation(request: HttpRequest, organization_id: OrganizationId, invitation_id: InvitationId) -> dict[str, Any]:
    """A new link for seven more days; the earlier ones open nothing any more. At most three times in 24 hours."""
    by = actor(request)
    _of(organization_id, invitation_id, by)
    return _shown(invitations.resend(invitation_id=invitation_id, by=by))


@router.delete(_ONE, response={200: InvitationOut, **ERRORS}, operation_id="revoke_invitation", throttle=WRITE)
def revoke_invitation(request: HttpRequest, organization_id: OrganizationId, invitation_id: InvitationId) -> dict[str, Any]:
    """Withdraw it; the person is told."""
    by = actor(request)
    _of(organization_id, invitation_id, by)
    return _shown(invitations.revoke(invitation_id=invitation_id, by=by))


def _of(organization_id: UUID, invitation_id: UUID, by: Actor) -> None:
    """Raises NotFound for an invitation of another organization than the address names."""
    if not Invitation.objects.visible_to(by).filter(pk=invitation_id, organization_id=organization_id).exists():
        raise NotFound("invitation")


@router.get("/invitations/{token}", response={200: OfferedOut, **ERRORS}, operation_id="get_invitation", auth=ANYONE, throttle=READ)
def get_invitation(request: HttpRequest, token: Path[Token]) -> dict[str, Any]:
    """What the link of an invitation offers, to whoever holds it. Nothing changes."""
    return _offered(invitation_answers.look(token=token, by=actor(request)))


@router.post("/invitations/{token}", response={200: AnswerOut, **ERRORS}, operation_id="answer_invitation", throttle=WRITE)
def answer_invitation(request: HttpRequest, token: Path[Token], body: AnswerIn) -> dict[str, Any]:
    """Accept or decline. Accepting needs an account that has verified the address that was invited."""
    by = actor(request)
    if body.answer == "decline":
        return {"state": str(invitation_answers.decline(token=token, by=by).state), "membership": None}
    membership = invitation_answers.accept(token=token, by=by)
    return {"state": str(Invitation.State.ACCEPTED), "membership": membership.public_id}


def _shown(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": encode(Invitation.public_prefix, invitation.pk),
        "email": invitation.email,
        "role": str(invitation.role),
        "state": str(invitation.state),
        "sent_at": moment(invitation.sent_at),
        "expires_at": moment(invitation.expires_at),
        "ended_at": moment(invitation.ended_at),
    }


def _offered(offered: Offered) -> dict[str, Any]:
    invitation, seat = offered.invitation, offered.seat
    return {
        "organization": invitation.organization.name,
        "role": str(invitation.role),
        "role_means": offered.role_means,
        "seat": {**_seat(seat), "sentence": seat.for_the_invited},
        "stays_personal": offered.stays,
        "state": str(invitation.state),
        "expires_at": moment(invitation.expires_at),
        "refusal": str(offered.refusal) if offered.refusal else None,
    }
