"""Promo codes, made and used through the real operations."""

from itertools import count
from typing import Any

from audit.actor import Actor
from events.models import Event
from organizations.models import Organization
from promo_codes import authoring
from promo_codes.models import PromoCode, Redemption
from registrations.models import Registration
from tests.factories.organizations import MembershipFactory

_numbers = count(1)
SYSTEM = Actor.system("tests")


def promo_code(of: Organization, **terms: Any) -> PromoCode:
    """20 % off everything of the organization's, without limits; with `amount` a fixed one."""
    if not of.memberships.filter(role="admin").exists():
        MembershipFactory(organization=of)
    kind = {"kind": "fixed", "currency": "USD"} if "amount" in terms else {"kind": "percent", "basis_points": 2000}
    given: dict[str, Any] = {"code": f"SPRING-{next(_numbers)}", **kind, **terms}
    return authoring.create(organization_id=of.pk, by=SYSTEM, **given)


def for_event(event: Event, **terms: Any) -> PromoCode:
    """Of the event's organization, for this event alone."""
    return promo_code(event.organization, subjects=[event.public_id], **terms)


def now(code: PromoCode) -> PromoCode:
    """As the database has it."""
    return PromoCode.objects.get(pk=code.pk)


def use_of(place: Registration) -> Redemption:
    """The use that the place was had with, as the database has it."""
    return Redemption.objects.get(registration=place)


def state_of(place: Registration) -> str:
    return str(use_of(place).state)
