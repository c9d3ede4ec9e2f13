"""Who works for one's organization: the list, other roles, the end."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import StringConstraints

from audit.actor import Actor
from core.errors import NotFound
from core.public_ids import encode
from organizations import members
from organizations.models import Membership
from organizations.permissions import Permission, require
from public_api.auth import SIGNED_IN, actor
from public_api.envelope import ERRORS
from public_api.invitations import RoleName, visible_organization
from public_api.pagination import Page, keyset_page
from public_api.shapes import Body, MembershipId, OrganizationId, Text, moment
from public_api.throttling import READ, WRITE

router = Router(auth=SIGNED_IN)
_ONE = "/organizations/{organization_id}/members/{membership_id}"


class MemberOut(Schema):
    """ended_at: null while the person works there."""

    id: str
    name: str
    email: str
    role: RoleName
    since: datetime
    ended_at: datetime | None


class MembersWanted(Page):
    role: RoleName | None = None


class MemberPage(Schema):
    items: list[MemberOut]
    next: str | None


class MemberIn(Body):
    """buy_seat: as for an invitation."""

    role: RoleName
    buy_seat: bool = False


class Removal(Schema):
    """successor: the membership whose person takes over what this one hosts; needed where they host something."""

    successor: MembershipId | None = None
    reason: Annotated[Text, StringConstraints(max_length=2000)] = ""


@router.get("/organizations/{organization_id}/members", response={200: MemberPage, **ERRORS}, operation_id="list_members", throttle=READ)
def list_members(request: HttpRequest, organization_id: OrganizationId, wanted: Query[MembersWanted]) -> dict[str, Any]:
    """Who works for the organization now, the latest first."""
    by = actor(request)
    visible_organization(organization_id, by)
    require(by, Permission.MEMBER_VIEW, organization_id)
    rows = Membership.objects.visible_to(by).filter(organization_id=organization_id, ended_at=None).select_related("user")
    if wanted.role is not None:
        rows = rows.filter(role=wanted.role.value)
    found, following = keyset_page(rows, wanted, listing=f"members:{organization_id}")
    return {"items": [_shown(row) for row in found], "next": following}


@router.patch(_ONE, response={200: MemberOut, **ERRORS}, operation_id="change_member", throttle=WRITE)
def change_member(request: HttpRequest, organization_id: OrganizationId, membership_id: MembershipId, body: MemberIn) -> dict[str, Any]:
    """Give the member another role. The last admin keeps theirs."""
    by = actor(request)
    _of(organization_id, membership_id, by)
    return _shown(members.change_role(membership_id=membership_id, role=body.role.value, by=by, buy_seat=body.buy_seat))


@router.delete(_ONE, response={200: MemberOut, **ERRORS}, operation_id="remove_member", throttle=WRITE)
def remove_member(
    request: HttpRequest, organization_id: OrganizationId, membership_id: MembershipId, given: Query[Removal]
) -> dict[str, Any]:
    """End the membership: nothing is open to the person from the next request on. The last admin stays."""
    by = actor(request)
    _of(organization_id, membership_id, by)
    successor = _of(organization_id, given.successor, by) if given.successor else None
    return _shown(members.remove(membership_id=membership_id, successor_id=successor, reason=given.reason, by=by))


def _of(organization_id: UUID, membership_id: UUID, by: Actor) -> UUID:
    """The member's user id. Raises NotFound for a membership of another organization than the address names."""
    rows = Membership.objects.visible_to(by).filter(pk=membership_id, organization_id=organization_id)
    found = rows.values_list("user_id", flat=True).first()
    if found is None:
        raise NotFound("membership")
    return found


def _shown(membership: Membership) -> dict[str, Any]:
    return {
        "id": encode(Membership.public_prefix, membership.pk),
        "name": membership.user.name,
        "email": membership.user.email,
        "role": str(membership.role),
        "since": moment(membership.created_at),
        "ended_at": moment(membership.ended_at),
    }
