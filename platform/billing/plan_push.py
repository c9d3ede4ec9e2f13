"""Carrying the plan catalogue to Stripe: a product for each plan, a price for each price, as stored commands. Repeatable."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import commands
from billing.gateway.base import GatewayRefused
from billing.gateway.selection import gateway
from billing.models import Plan, PlanPrice
from core import jobs

BY = Actor.system("plans.push")
_EXISTS = "resource_already_exists"


@jobs.task(queue="money", outside=True)
def push(*, plan_id: UUID) -> None:
    """Stripe has the plan's product as it stands here, its prices, and no retired price for sale. Raises what the gateway raises."""
    plan = Plan.objects.get(pk=plan_id)
    if plan.pushed_version < plan.version:
        _push_product(plan)
    for price in plan.prices.filter(stripe_price_id=None).order_by("pk"):
        _push_price(plan, price)
    for price in plan.prices.filter(archived_at=None).exclude(retired_at=None).exclude(stripe_price_id=None).order_by("pk"):
        _archive(price)


@jobs.task(queue="money")
def push_missing() -> None:
    """Queue every plan that Stripe has not heard all of: a lost task, or an answer that was refused at the time."""
    for plan_id in Plan.objects.unpushed().values_list("pk", flat=True):
        jobs.enqueue(push, plan_id=plan_id)


def _push_product(plan: Plan) -> None:
    """The product's id at Stripe is the plan's own: a lost answer cannot make a second product."""
    shown = {"name": plan.name, "active": plan.is_active, "metadata": {"plan_id": str(plan.pk), "code": plan.code}}
    if plan.description:
        shown["description"] = plan.description
    if plan.stripe_product_id is None:
        command = _command("product.create", f"plan-{plan.pk}-{plan.version}-create", {"id": plan.public_id, **shown}, plan)
        try:
            commands.perform(command, lambda given, key: gateway().create_product(given, key=key))
        except GatewayRefused as refusal:
            if refusal.code != _EXISTS:
                raise
            _update_product(plan, shown)
    else:
        _update_product(plan, shown)
    pushed(plan_id=plan.pk, version=plan.version, at=timezone.now())


def _update_product(plan: Plan, shown: dict[str, Any]) -> None:
    command = _command("product.update", f"plan-{plan.pk}-{plan.version}-update", shown, plan)
    commands.perform(command, lambda given, key: gateway().update_product(plan.public_id, given, key=key))


def _push_price(plan: Plan, price: PlanPrice) -> None:
    """Looked for by its lookup key first: Stripe forgets an idempotency key after a day, never a lookup key."""
    found = gateway().price_with(price.public_id)
    if found is None:
        parameters = {
            "product": plan.public_id,
            "currency": price.currency.lower(),
            "unit_amount": price.amount,
            "recurring": {"interval": price.interval},
            "lookup_key": price.public_id,
            "nickname": f"{plan.code} {price.kind} {price.interval}",
            "metadata": {"plan_price_id": str(price.pk)},
        }
        command = _command("price.create", f"price-{price.pk}", parameters, price)
        found = commands.perform(command, lambda given, key: gateway().create_price(given, key=key))
    priced(price_id=price.pk, stripe_price_id=found.id)


def _archive(price: PlanPrice) -> None:
    command = _command("price.archive", f"price-{price.pk}-archive", {"active": False}, price)
    commands.perform(command, lambda given, key: gateway().update_price(price.stripe_price_id or "", given, key=key))
    archived(price_id=price.pk, at=timezone.now())


def _command(operation: str, key: str, parameters: dict[str, Any], subject: Plan | PlanPrice) -> Any:
    return commands.prepare(operation=operation, key=key, parameters=parameters, subject=subject, organization_id=None)


@transaction.atomic
def pushed(*, plan_id: UUID, version: int, at: datetime) -> None:
    """Stripe has the product as it was at `version`; a later change of it is pushed by its own task."""
    plan = Plan.objects.select_for_update().get(pk=plan_id)
    if plan.pushed_version >= version:
        return
    plan.pushed_version, plan.stripe_product_id, plan.pushed_at = version, plan.public_id, at
    plan.save(update_fields=["pushed_version", "stripe_product_id", "pushed_at", "updated_at"])
    record(plan, "plan.pushed", by=BY, after={"version": version, "stripe_product_id": plan.stripe_product_id})


@transaction.atomic
def priced(*, price_id: UUID, stripe_price_id: str) -> None:
    price = PlanPrice.objects.select_for_update().get(pk=price_id)
    if price.stripe_price_id is None:
        price.stripe_price_id = stripe_price_id
        price.save(update_fields=["stripe_price_id", "updated_at"])
        record(price, "plan_price.pushed", by=BY, after={"stripe_price_id": stripe_price_id})


@transaction.atomic
def archived(*, price_id: UUID, at: datetime) -> None:
    price = PlanPrice.objects.select_for_update().get(pk=price_id)
    if price.archived_at is None:
        price.archived_at = at
        price.save(update_fields=["archived_at", "updated_at"])
        record(price, "plan_price.archived", by=BY)
