"""Who looks at a page: the signed-in person, the holder of a guest's link, or nobody in particular."""

from uuid import UUID

from django.http import Http404, HttpRequest

from accounts import second_factor
from accounts.models import User
from audit.actor import Actor
from core.errors import NotFound
from core.public_ids import decode
from organizations.acting import actor_for
from registrations import guest_links


def actor(request: HttpRequest) -> Actor:
    """On these pages one is an attendee: staff groups do not count, whoever has them uses a console."""
    request_id, ip = str(request.META.get("REQUEST_ID", "")), request.META.get("REMOTE_ADDR") or None
    if isinstance(request.user, User):
        at = second_factor.used_at(request)
        return actor_for(request.user, second_factor_at=at, as_staff=False, request_id=request_id, ip=ip)
    return Actor.anonymous(request_id=request_id, ip=ip)


def holder(request: HttpRequest, registration_id: UUID) -> Actor:
    """The guest whose link this is, else the signed-in person. Raises Http404 for a wrong key."""
    key = request.POST.get("key") or request.GET.get("key") or ""
    if not key:
        return actor(request)
    plain = actor(request)
    try:
        return guest_links.actor_for_key(registration_id=registration_id, key=key, request_id=plain.request_id, ip=plain.ip)
    except NotFound as error:
        raise Http404 from error


def key_of(prefix: str, public_id: str) -> UUID:
    """The key behind a typed id in an address. Raises Http404."""
    try:
        return decode(prefix, public_id)
    except ValueError as error:
        raise Http404 from error
