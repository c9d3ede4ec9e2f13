"""Keeping the plan catalogue: finance writes it here, a task carries it to Stripe. Who has a plan keeps the price they bought it at."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from audit.actor import Actor
from audit.recording import record
from billing import plan_push
from billing.models import Plan, PlanPrice
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from core.money import Money, step
from organizations.permissions import Permission, require

EDITABLE = (
    "name",
    "description",
    "audience",
    "position",
    "is_active",
    "is_contact_sales",
    "trial_days",
    "grace_days",
    "events_per_month",
    "events_unlimited",
    "courses_per_month",
    "courses_unlimited",
    "certificates_per_month",
    "certificates_unlimited",
    "attendees_per_event",
    "attendees_unlimited",
    "seats_included",
    "features",
)
_LONGEST_NAME = 80


class PlanNotForSale(DomainError):
    code, http_status = "PLAN_NOT_FOR_SALE", 409

    def __init__(self, why: str) -> None:
        super().__init__(why)


class PriceUnchanged(DomainError):
    code, http_status = "PRICE_UNCHANGED", 409

    def __init__(self, price: Money) -> None:
        super().__init__(f"It costs {price} already; nothing was changed.")


@transaction.atomic
def create(*, by: Actor, **values: Any) -> Plan:
    """A new plan without prices; its code is made from its name and never changes. Raises PermissionRefused, InvalidInput."""
    require(by, Permission.PLAN_EDIT)
    fields = _checked(Plan(), values)
    code = slugify(fields.get("name", ""))[:40].strip("-")
    if not code:
        raise InvalidInput("Give the plan a name.", field="name")
    if Plan.objects.filter(code=code).exists():
        raise InvalidInput("There is a plan of this name already; choose another name.", field="name")
    plan = Plan.objects.create(code=code, **fields)
    record(plan, "plan.created", by=by, after=fields)
    jobs.enqueue(plan_push.push, plan_id=plan.pk)
    return plan


@transaction.atomic
def edit(*, plan_id: UUID, by: Actor, **changes: Any) -> Plan:
    """Change what is given. Grants of those who have the plan follow when their billing is next looked at, never the price they pay.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput.
    """
    plan = _locked(plan_id, by)
    fields = _checked(plan, changes)
    before = {name: getattr(plan, name) for name in fields if getattr(plan, name) != fields[name]}
    if not before:
        return plan
    for name in before:
        setattr(plan, name, fields[name])
    plan.version += 1
    plan.save(update_fields=[*before, "version", "updated_at"])
    record(plan, "plan.edited", by=by, before=before, after={name: fields[name] for name in before})
    jobs.enqueue(plan_push.push, plan_id=plan.pk)
    return plan


@transaction.atomic
def set_price(*, plan_id: UUID, kind: str, interval: str, amount: int, currency: str, by: Actor) -> PlanPrice:
    """What new subscribers pay from now on; amount in minor units. The price so far is retired, and its subscribers stay at it.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput, PriceUnchanged.
    """
    plan = _locked(plan_id, by)
    _check_price(plan, kind, interval, amount, currency)
    current = plan.prices.filter(kind=kind, interval=interval, currency=currency, retired_at=None).first()
    if current is not None and current.amount == amount:
        raise PriceUnchanged(current.money)
    if current is not None:
        current.retired_at = timezone.now()
        current.save(update_fields=["retired_at", "updated_at"])
    price = PlanPrice.objects.create(plan=plan, kind=kind, interval=interval, amount=amount, currency=currency)
    record(plan, "plan.price_set", by=by, before=current.values() if current else {}, after=price.values())
    jobs.enqueue(plan_push.push, plan_id=plan.pk)
    return price


def for_sale(*, code: str, interval: str, currency: str = "USD") -> tuple[Plan, PlanPrice]:
    """The plan with the price that a new subscriber pays. Raises NotFound, PlanNotForSale."""
    plan = Plan.objects.filter(code=code).first()
    if plan is None:
        raise NotFound("plan")
    if plan.is_contact_sales:
        raise PlanNotForSale(f"{plan.name} is sold by our people; write to them, and they set it up with you.")
    price = plan.prices.filter(kind=PlanPrice.Kind.BASE, interval=interval, currency=currency, retired_at=None).first()
    if not plan.is_active or price is None:
        raise PlanNotForSale(f"{plan.name} cannot be bought {interval}ly now; choose another plan or interval.")
    return plan, price


def _locked(plan_id: UUID, by: Actor) -> Plan:
    plan = Plan.objects.visible_to(by).select_for_update().filter(pk=plan_id).first()
    if plan is None:
        raise NotFound("plan")
    require(by, Permission.PLAN_EDIT)
    return plan


def _checked(plan: Plan, values: dict[str, Any]) -> dict[str, Any]:
    """The values as they would be stored; an empty limit and "unlimited" come together or not at all. Raises InvalidInput."""
    unknown = sorted(set(values) - set(EDITABLE))
    if unknown:
        raise InvalidInput(f"A plan has no {unknown[0].replace('_', ' ')} that could be changed.", field=unknown[0])
    name = values.get("name", plan.name)
    if not name.strip() or len(name) > _LONGEST_NAME:
        raise InvalidInput(f"Give the plan a name of at most {_LONGEST_NAME} characters.", field="name")
    for field in [each for each in EDITABLE if each.endswith(("_per_month", "_per_event"))]:
        limit = values.get(field, getattr(plan, field))
        flag = f"{field.split('_')[0]}_unlimited"
        if (limit is None) != values.get(flag, getattr(plan, flag)):
            raise InvalidInput("Give a number, or leave it empty and tick unlimited.", field=field)
        if limit is not None and not 0 <= limit < 2**31:
            raise InvalidInput("Give a number of 0 or more.", field=field)
    audience, seats = values.get("audience", plan.audience), values.get("seats_included", plan.seats_included)
    if audience not in Plan.Audience.values:
        raise InvalidInput(f"Choose whom it is for: {', '.join(Plan.Audience.values)}.", field="audience")
    if seats and audience != Plan.Audience.TEAM:
        raise InvalidInput("Only plans for teams have seats.", field="seats_included")
    return values


def _check_price(plan: Plan, kind: str, interval: str, amount: int, currency: str) -> None:
    if kind not in PlanPrice.Kind.values:
        raise InvalidInput("Choose the plan itself or a further seat.", field="kind")
    if kind == PlanPrice.Kind.SEAT and plan.audience != Plan.Audience.TEAM:
        raise InvalidInput("Only plans for teams have seats.", field="kind")
    if interval not in PlanPrice.Interval.values:
        raise InvalidInput("Choose monthly or yearly.", field="interval")
    if currency not in settings.SETTLEMENT_CURRENCIES:
        raise InvalidInput(f"Choose one of: {', '.join(sorted(settings.SETTLEMENT_CURRENCIES))}.", field="currency")
    if amount <= 0 or amount % step(currency) or amount > 99_999_999:
        raise InvalidInput(f"Give a price above zero, in steps of {Money(step(currency), currency)}.", field="amount")
