"""A new organization, by whoever wants one: its first admin is the one who makes it."""

from datetime import timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from accounts.models import User
from audit.actor import Actor
from audit.models import AuditEntry
from audit.recording import record
from core.errors import DomainError, InvalidInput, NotFound
from organizations.models import Membership, Organization, Role

_LONGEST = 200


class EmailNotVerified(DomainError):
    code, http_status = "EMAIL_NOT_VERIFIED", 403

    def __init__(self) -> None:
        super().__init__("Verify your email address first, then create the organization.")


class OrganizationLimit(DomainError):
    code, http_status = "ORGANIZATION_LIMIT", 429

    def __init__(self) -> None:
        super().__init__(f"You can create {settings.ORGANIZATIONS_A_DAY} organizations in 24 hours; go on tomorrow.")


@transaction.atomic
def create(*, name: str, kind: str, country: str, by: Actor) -> Organization:
    """An organization with the actor as its admin; it is not public, and what it may do is its plan's matter.

    kind: personal (one person's workspace) or team. Raises NotFound, InvalidInput, EmailNotVerified, OrganizationLimit.
    """
    user_id = _person(by)
    values = {"name": _name(name), "kind": _kind(kind), "country": _country(country)}
    organization = Organization(**values)
    organization.slug = _slug(organization)
    organization.save(force_insert=True)
    membership = Membership.objects.create(organization=organization, user_id=user_id, role=Role.ADMIN)
    record(organization, "organization.created", by=by, organization_id=organization.pk, after={**values, "slug": organization.slug})
    record(membership, "membership.began", by=by, after={"role": membership.role})
    return organization


def _person(by: Actor) -> UUID:
    """The person's row is locked, so that their requests at once are counted one after the other."""
    user: User | None = User.objects.select_for_update(no_key=True).filter(pk=by.user_id).first() if by.user_id else None
    if user is None:
        raise NotFound("account")
    if not EmailAddress.objects.filter(user=user, verified=True).exists():
        raise EmailNotVerified
    made = AuditEntry.objects.filter(user_id=user.pk, action="organization.created", created_at__gt=timezone.now() - timedelta(days=1))
    if made.count() >= settings.ORGANIZATIONS_A_DAY:
        raise OrganizationLimit
    return user.pk


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= _LONGEST or not name.isprintable():
        raise InvalidInput(f"Give the organization a name of 1 to {_LONGEST} characters.", field="name")
    return name


def _kind(kind: str) -> str:
    if kind not in Organization.Kind.values:
        raise InvalidInput("Choose personal or team.", field="kind")
    return kind


def _country(country: str) -> str:
    country = country.strip().upper()
    if len(country) != 2 or not country.isascii() or not country.isalpha():
        raise InvalidInput("Give the country by its two letters, such as DE.", field="country")
    return country


def _slug(organization: Organization) -> str:
    """The name, and the end of the id: organizations of one name differ, two that are made at once too."""
    plain = slugify(organization.name)[:60].strip("-")
    return f"{plain or 'organization'}-{organization.public_id[-6:]}"
