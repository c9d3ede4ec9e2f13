"""Creating and editing events. What people have paid for, or hold, is not changed under them."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NotRequired, TypedDict, Unpack
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from accounts.models import User
from audit.actor import Actor
from audit.recording import record
from core.errors import DomainError, InvalidInput
from core.public_ids import uuid7
from entitlements import usage
from entitlements.models import Resource
from events import commitments, field_checks, locking, publishing
from events.models import Event
from organizations import locking as organization_locking
from organizations.models import Membership
from organizations.permissions import Permission, require

# Frozen from the first place that is paid or held: people decided on these.
_AGREED = ("price_amount", "currency", "tax_category", "country", "format", "starts_at", "ends_at", "time_zone")
_AFTER_THE_END = frozenset({"title", "description", "is_listed"})


class EventLocked(DomainError):
    """fields: what may not change any more, because places are paid or held, or because the event is over."""

    code, http_status = "EVENT_LOCKED", 409

    def __init__(self, fields: list[str], why: str) -> None:
        self.fields = fields
        super().__init__(why)

    @property
    def details(self) -> dict[str, Any]:
        return {"fields": self.fields}


class Changes(TypedDict, total=False):
    """The fields of an event that people write; price_amount in minor units of `currency`, moments aware.

    refund_terms: None for the platform's, an empty list for no refunds.
    """

    title: str
    description: str
    format: str
    venue: str
    country: str
    online_url: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    capacity: int
    price_amount: int
    currency: str
    tax_category: str
    registration_opens_at: datetime | None
    registration_closes_at: datetime | None
    is_listed: bool
    guests_allowed: bool
    credit_type: str
    credits: Decimal
    refund_terms: list[dict[str, int]] | None


class NewEvent(Changes):
    host_id: NotRequired[UUID]


@transaction.atomic
def create(*, organization_id: UUID, by: Actor, **values: Unpack[NewEvent]) -> Event:
    """A draft of the organization's. host_id: the member who answers for it, the one who acts where it is left out.

    Title, starts_at, ends_at and capacity are needed. It counts against the plan's events of this period.
    Raises NotFound, PermissionRefused, InvalidInput, usage.LimitReached, usage.PlanInactive.
    """
    organization = organization_locking.locked(organization_id, by)  # nobody closes it, or ends the host's membership, meanwhile
    fields: dict[str, Any] = {**values}
    host_id = fields.pop("host_id", by.user_id)
    require(by, Permission.EVENT_MANAGE, organization.pk, responsible_id=host_id)
    missing = [name for name in ("title", "starts_at", "ends_at", "capacity") if name not in fields]
    if missing:
        raise InvalidInput(f"Give the event's {missing[0].replace('_', ' ')}.", field=missing[0])
    key = uuid7()
    event = Event(pk=key, organization=organization, host=_member(organization.pk, host_id), **field_checks.cleaned(fields))
    event.slug = f"{slugify(event.title)[:100].strip('-') or 'event'}-{event.public_id[-8:]}"
    field_checks.consistent(event)
    usage.require_size(organization_id=organization.pk, resource=Resource.ATTENDEES, size=event.capacity)
    usage.reserve(organization_id=organization.pk, resource=Resource.EVENTS)
    event.save(force_insert=True)
    record(event, "event.created", by=by, after=fields)
    return event


def _member(organization_id: UUID, user_id: UUID | None) -> User:
    members = Membership.objects.active().filter(organization_id=organization_id).select_related("user")
    membership = members.filter(user_id=user_id).first() if user_id else None
    if membership is None:
        raise InvalidInput("Name a host who is a member of the organization.", field="host_id")
    return membership.user


@transaction.atomic
def edit(*, event_id: UUID, by: Actor, **changes: Unpack[Changes]) -> Event:
    """Change what is given; a published event still passes its checklist afterwards.

    Raises NotFound, PermissionRefused, InvalidInput, EventLocked, publishing.ChecklistFailed; for more places than the plan allows
    usage.LimitReached, usage.PlanInactive.
    """
    event = locking.locked(event_id, by)
    require(by, Permission.EVENT_MANAGE, event.organization_id, responsible_id=event.host_id)
    cleaned = field_checks.cleaned({**changes})
    before = {name: getattr(event, name) for name in cleaned if getattr(event, name) != cleaned[name]}
    if not before:
        return event
    _refuse_locked(event, set(before), cleaned)
    if cleaned.get("capacity", 0) > event.capacity:
        usage.require_size(organization_id=event.organization_id, resource=Resource.ATTENDEES, size=cleaned["capacity"])
    for name in before:
        setattr(event, name, cleaned[name])
    field_checks.consistent(event)
    if event.state != Event.State.DRAFT and not set(before) <= _AFTER_THE_END:
        publishing.require_checklist(event, at=timezone.now(), starts_later="starts_at" in before)
    event.save(update_fields=[*before, "updated_at"])
    record(event, "event.edited", by=by, before=before, after={name: cleaned[name] for name in before})
    return event


def _refuse_locked(event: Event, changed: set[str], values: dict[str, Any]) -> None:
    if event.state == Event.State.COMPLETED and changed - _AFTER_THE_END:
        raise EventLocked(sorted(changed - _AFTER_THE_END), "The event is over; only its title, description and listing can be changed.")
    sold = commitments.sold(event.pk)
    agreed = sorted(changed & set(_AGREED))
    if agreed and sold.seats:
        raise EventLocked(agreed, "Places are taken already; price, currency, place and times of this event can no longer be changed.")
    if "capacity" in changed and values["capacity"] < sold.seats:
        raise EventLocked(["capacity"], f"{sold.seats} places are taken already; the capacity cannot be less.")
