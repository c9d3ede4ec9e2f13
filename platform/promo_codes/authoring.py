"""Making and changing codes. What people have used is not changed under them, and nobody gives away what is not theirs."""

from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from audit.actor import Actor
from audit.recording import record
from core.errors import DomainError, InvalidInput, NotFound, PermissionRefused
from core.public_ids import uuid7
from organizations.models import Membership, Organization
from organizations.permissions import Permission, allows, require
from promo_codes import field_checks, lifecycle
from promo_codes.models import PromoCode

# Frozen from the first use on: what was sold names these.
AGREED = ("code", "kind", "basis_points", "amount", "cap_amount", "minimum_amount", "currency", "first_time_only")
_SOMEBODY_ELSE = UUID(int=0)


class CodeTaken(DomainError):
    code, http_status = "PROMO_CODE_TAKEN", 409
    field = "code"

    def __init__(self) -> None:
        super().__init__("The organization has a promo code of this spelling already; choose another one.")


class CodeLocked(DomainError):
    """fields: what may not change any more."""

    code, http_status = "PROMO_CODE_LOCKED", 409

    def __init__(self, fields: list[str], why: str) -> None:
        self.fields = fields
        super().__init__(why)

    @property
    def details(self) -> dict[str, Any]:
        return {"fields": self.fields}


class Terms(TypedDict, total=False):
    """What people write; amounts in minor units of `currency`, moments aware, subjects as typed ids (evt_…)."""

    code: str
    description: str
    kind: str
    basis_points: int | None
    amount: int | None
    cap_amount: int | None
    minimum_amount: int | None
    currency: str
    starts_at: datetime | None
    ends_at: datetime | None
    max_uses: int | None
    max_uses_per_person: int | None
    first_time_only: bool
    subjects: list[str]


@transaction.atomic
def create(*, organization_id: UUID, by: Actor, **terms: Unpack[Terms]) -> PromoCode:
    """An active code of the organization's. Raises NotFound, PermissionRefused, InvalidInput, CodeTaken."""
    organization = Organization.objects.visible_to(by).filter(pk=organization_id).first()
    if organization is None:
        raise NotFound("organization")
    responsible_id = _responsible(organization.pk, by)
    require(by, Permission.PROMO_CODE_MANAGE, organization.pk, responsible_id=responsible_id)
    code = PromoCode(pk=uuid7(), organization=organization, responsible_id=responsible_id)
    values = field_checks.cleaned({"code": "", **terms}, organization_id=organization.pk)
    for name, value in values.items():
        setattr(code, name, value)
    _require_consistent(code, by)
    _require_free(code)
    code.save(force_insert=True)
    record(code, "promo_code.created", by=by, after=_told(values))
    return code


def _responsible(organization_id: UUID, by: Actor) -> UUID:
    """Who acts, where they work there; staff who help out leave it with an admin."""
    members = Membership.objects.active().filter(organization_id=organization_id)
    mine = members.filter(user_id=by.user_id, role__in=["admin", "organizer"]) if by.user_id else members.none()
    found = mine.first() or members.filter(role="admin").order_by("pk").first()
    if found is None:
        raise InvalidInput("The organization has nobody who could answer for the code; invite an admin first.")
    return found.user_id


@transaction.atomic
def edit(*, promo_code_id: UUID, by: Actor, **changes: Unpack[Terms]) -> PromoCode:
    """Change what is given; from the first use on only its description, window, limits and events.

    Raises NotFound, PermissionRefused, InvalidInput, CodeTaken, CodeLocked.
    """
    code = lifecycle.locked(promo_code_id, by)
    values = field_checks.cleaned({**changes}, organization_id=code.organization_id)
    before = {name: getattr(code, name) for name in values if getattr(code, name) != values[name]}
    if not before:
        return code
    _refuse_locked(code, set(before), values)
    for name in before:
        setattr(code, name, values[name])
    _require_consistent(code, by)
    _require_free(code)
    code.save(update_fields=[*before, "updated_at"])
    record(code, "promo_code.edited", by=by, before=_told(before), after=_told({name: values[name] for name in before}))
    return code


def _told(values: dict[str, Any]) -> dict[str, Any]:
    """What the log keeps: the spelling as it was typed, without the one that is compared."""
    return {name: value for name, value in values.items() if name != "key"}


def _refuse_locked(code: PromoCode, changed: set[str], values: dict[str, Any]) -> None:
    if code.state == PromoCode.State.ARCHIVED:
        raise CodeLocked(sorted(changed), "This promo code is archived; make a new one.")
    agreed = sorted(changed & {*AGREED, "key"})
    if agreed and code.redemptions.exists():
        raise CodeLocked(agreed, "The code has been used; its spelling, discount, minimum and whom it is for can no longer be changed.")
    most = values.get("max_uses")
    if "max_uses" in changed and most is not None and most < code.uses:
        raise CodeLocked(["max_uses"], f"The code has been used {code.uses} times already; allow at least as many.")


def _require_consistent(code: PromoCode, by: Actor) -> None:
    field_checks.consistent(code)
    events = field_checks.events_of(code)
    if not events and not allows(by, Permission.PROMO_CODE_MANAGE, code.organization_id, responsible_id=_SOMEBODY_ELSE):
        raise InvalidInput("Name the events that it is for: a code for all events is an admin's to make.", field="subjects")
    for event in events:
        if not allows(by, Permission.PROMO_CODE_MANAGE, code.organization_id, responsible_id=event.host_id):
            raise PermissionRefused(Permission.PROMO_CODE_MANAGE)


def _require_free(code: PromoCode) -> None:
    # two at once: the second waits at the unique index and is told by the database
    if PromoCode.objects.filter(Q(organization_id=code.organization_id, key=code.key) & ~Q(pk=code.pk)).exists():
        raise CodeTaken
