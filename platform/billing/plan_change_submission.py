"""Carrying a change of a subscription to Stripe: one call under a stored key, and Stripe's answer through the one door."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import commands, seat_items, seat_standing, subscription_sync
from billing.gateway.base import GatewayRefused
from billing.gateway.plans import GatewaySubscription
from billing.gateway.selection import gateway
from billing.models import PlanChange, PlanPrice, SeatAccount, Subscription
from core import jobs

BY = Actor.system("plan_changes.submit")
Kind, State = PlanChange.Kind, PlanChange.State


@jobs.task(queue="money", outside=True)
def submit(*, change_id: UUID) -> None:
    """Repeatable. Setting a subscription to what it is already changes nothing at Stripe, so a lost answer is asked for again.

    Under another key where Stripe keeps an error for the first one, or has forgotten it.
    """
    change = PlanChange.objects.select_related("subscription__price", "price__plan").get(pk=change_id)
    if change.state != State.REQUESTED:
        return
    subscription = change.subscription
    command = commands.prepare(
        operation="subscription.update",
        key=change.stripe_key,
        parameters=_parameters(change, gateway().retrieve_subscription(subscription.stripe_subscription_id)),
        subject=change,
        organization_id=subscription.organization_id,
    )
    if commands.is_spent(key=command.key, since=command.sent_at):
        renew(change_id=change_id, given_up=change.number)
        raise jobs.RetryLater(f"The key {command.key} is of no use any more; the next try has another.")
    asked_at = timezone.now()
    try:
        answer = commands.perform(
            command, lambda given, key: gateway().update_subscription(subscription.stripe_subscription_id, given, key=key)
        )
    except GatewayRefused as refusal:
        refuse(change_id=change_id, why=str(refusal))
        return
    subscription_sync.sync(answer=answer, asked_at=asked_at, by=BY)
    finish(change_id=change_id)


def _parameters(change: PlanChange, now: GatewaySubscription) -> dict[str, Any]:
    if change.price is None:
        return {"cancel_at_period_end": change.kind == Kind.CANCEL}
    known = (change.subscription.price.stripe_price_id, change.price.stripe_price_id)  # the new one after an answer that was lost
    item = next(item for item, price in zip(now.item_ids, now.price_ids, strict=True) if price in known)
    return {
        "items": [{"id": item, "price": change.price.stripe_price_id}, *_seats(change, change.price, now)],
        "proration_behavior": "create_prorations" if change.kind == Kind.UPGRADE else "none",
    }


def _seats(change: PlanChange, price: PlanPrice, now: GatewaySubscription) -> list[dict[str, Any]]:
    """Seats are billed at the new plan's price; a plan that sells none takes them along into its own."""
    seat_price, organization_id = seat_items.current_price(price), change.subscription.organization_id
    bought = SeatAccount.objects.filter(organization_id=organization_id).values_list("bought", flat=True).first() or 0
    number = max(bought, seat_standing.needed(organization_id, price.plan)) if seat_price is not None else 0
    return seat_items.changed(seat_items.billed(now), price=seat_price, number=number)


def _locked(change_id: UUID) -> PlanChange:
    Subscription.objects.select_for_update().get(plan_changes=change_id)
    return PlanChange.objects.select_related("subscription").get(pk=change_id)


@transaction.atomic
def renew(*, change_id: UUID, given_up: int) -> None:
    """The next try has another key. Repeatable: of two who give up the same key, one counts."""
    change = _locked(change_id)
    if change.number == given_up:
        change.number += 1
        change.save(update_fields=["number", "updated_at"])


@transaction.atomic
def finish(*, change_id: UUID) -> None:
    change = _locked(change_id)
    if change.state == State.REQUESTED:
        change.finish(at=timezone.now())
        change.save(update_fields=["state", "ended_at", "updated_at"])
        record(change, "plan_change.done", by=BY, organization_id=change.subscription.organization_id)


@transaction.atomic
def refuse(*, change_id: UUID, why: str) -> None:
    """Stripe said no: the subscription stays as it is, and the reason stands with the change."""
    change = _locked(change_id)
    if change.state == State.REQUESTED:
        change.fail(at=timezone.now(), why=why)
        change.save(update_fields=["state", "ended_at", "failure_reason", "updated_at"])
        record(change, "plan_change.failed", by=BY, organization_id=change.subscription.organization_id, reason=why)
