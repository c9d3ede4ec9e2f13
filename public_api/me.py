"""Whoever is signed in: profile, own registrations, own sign-ins."""

from datetime import datetime
from typing import Annotated, Any

from allauth.account.models import EmailAddress
from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema
from ninja.responses import Status
from pydantic import Field

from accounts import profile, second_factor, sessions
from accounts.models import User
from core.public_ids import encode
from organizations.models import Membership, Organization
from public_api import registration_shapes as shapes
from public_api import registrations
from public_api.auth import SIGNED_IN, actor
from public_api.envelope import ERRORS
from public_api.idempotency import Key
from public_api.pagination import Page, keyset_page
from public_api.registration_shapes import EventBriefOut, RegistrationOut
from public_api.registrations import CheckoutOut
from public_api.shapes import Body, Line, RegistrationId, moment
from public_api.throttling import READ, WRITE
from registrations.models import Registration

router = Router(auth=SIGNED_IN)
SessionId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class MembershipOut(Schema):
    organization_id: str
    slug: str
    name: str
    role: str


class MeOut(Schema):
    """second_factor_used_at: in this sign-in."""

    id: str
    email: str
    email_verified: bool
    name: str
    time_zone: str
    second_factor_enabled: bool
    second_factor_used_at: datetime | None
    memberships: list[MembershipOut]


class MeIn(Body):
    """What is left out stays as it is."""

    name: Line | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None


class MyListedRegistrationOut(Schema):
    id: str
    state: str
    event: EventBriefOut
    created_at: datetime


class MyRegistrationPage(Schema):
    items: list[MyListedRegistrationOut]
    next: str | None


class SessionOut(Schema):
    id: int
    ip: str
    device: str
    created_at: datetime
    last_seen_at: datetime
    is_current: bool


class SessionList(Schema):
    items: list[SessionOut]


def _user(request: HttpRequest) -> User:
    found: User = User.objects.get(pk=actor(request).user_id)
    return found


def _shown(request: HttpRequest, user: User) -> dict[str, Any]:
    mine = Membership.objects.active().filter(user=user).select_related("organization").order_by("organization__name", "pk")
    return {
        "id": user.public_id,
        "email": user.email,
        "email_verified": EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists(),
        "name": user.name,
        "time_zone": user.time_zone,
        "second_factor_enabled": is_mfa_enabled(user),
        "second_factor_used_at": moment(second_factor.used_at(request)),
        "memberships": [
            {
                "organization_id": encode(Organization.public_prefix, membership.organization_id),
                "slug": membership.organization.slug,
                "name": membership.organization.name,
                "role": str(membership.role),
            }
            for membership in mine
        ],
    }


@router.get("/me", response={200: MeOut, **ERRORS}, operation_id="get_me", throttle=READ)
def get_me(request: HttpRequest) -> dict[str, Any]:
    """The account that is signed in."""
    return _shown(request, _user(request))


@router.patch("/me", response={200: MeOut, **ERRORS}, operation_id="update_me", throttle=WRITE)
def update_me(request: HttpRequest, body: MeIn) -> dict[str, Any]:
    """Change name or time zone."""
    user = _user(request)
    return _shown(request, profile.update(user_id=user.pk, by=actor(request), name=body.name, time_zone=body.time_zone))


@router.get("/me/registrations", response={200: MyRegistrationPage, **ERRORS}, operation_id="list_my_registrations", throttle=READ)
def list_my_registrations(request: HttpRequest, page: Query[Page]) -> dict[str, Any]:
    """One's own places, the latest first."""
    rows = Registration.objects.of(actor(request)).select_related("event")
    found, following = keyset_page(rows, page, listing="my_registrations")
    return {"items": [_listed(row) for row in found], "next": following}


def _listed(row: Registration) -> dict[str, Any]:
    event = shapes.event_brief(row.event)
    return {"id": row.public_id, "state": str(row.state), "event": event, "created_at": moment(row.created_at)}


@router.get(
    "/me/registrations/{registration_id}", response={200: RegistrationOut, **ERRORS}, operation_id="get_my_registration", throttle=READ
)
def get_my_registration(request: HttpRequest, registration_id: RegistrationId) -> dict[str, Any]:
    by = actor(request)
    return shapes.shown(shapes.visible(registration_id, by, own=True), by)


@router.post(
    "/me/registrations/{registration_id}/cancel",
    response={200: RegistrationOut, **ERRORS},
    operation_id="cancel_my_registration",
    throttle=WRITE,
)
def cancel_my_registration(request: HttpRequest, registration_id: RegistrationId, idempotency_key: Key) -> HttpResponse:
    """Give one's own place up; what the terms give back is refunded."""
    return registrations.cancel(request, registration_id, idempotency_key, by=actor(request), own=True)


@router.post(
    "/me/registrations/{registration_id}/checkout",
    response={200: CheckoutOut, 202: CheckoutOut, **ERRORS},
    operation_id="open_my_checkout",
    throttle=WRITE,
)
def open_my_checkout(request: HttpRequest, registration_id: RegistrationId) -> HttpResponse:
    """The page to pay on. 202: it did not open in time, ask again."""
    return registrations.pay(shapes.visible(registration_id, actor(request), own=True))


@router.get("/me/sessions", response={200: SessionList, **ERRORS}, operation_id="list_my_sessions", throttle=READ)
def list_my_sessions(request: HttpRequest) -> dict[str, Any]:
    """Where this account is signed in."""
    found = sessions.of(_user(request), current_key=request.session.session_key)
    return {
        "items": [
            {
                "id": one.id,
                "ip": one.ip,
                "device": one.device,
                "created_at": moment(one.created_at),
                "last_seen_at": moment(one.last_seen_at),
                "is_current": one.is_current,
            }
            for one in found
        ]
    }


@router.delete("/me/sessions/{session_id}", response={204: None, **ERRORS}, operation_id="end_my_session", throttle=WRITE)
def end_my_session(request: HttpRequest, session_id: SessionId) -> Status[None]:
    """End one sign-in; its next request is refused."""
    sessions.end(session_id=session_id, user=_user(request), by=actor(request))
    return Status(204, None)


@router.delete("/me/sessions", response={204: None, **ERRORS}, operation_id="end_my_other_sessions", throttle=WRITE)
def end_my_other_sessions(request: HttpRequest) -> Status[None]:
    """End every sign-in but this one."""
    sessions.end_others(user=_user(request), current_key=request.session.session_key, by=actor(request))
    return Status(204, None)
