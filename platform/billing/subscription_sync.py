"""The one door for Stripe's word about subscriptions: webhooks, the sweep and people's actions all enter here, in any order."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import access, seat_items, subscription_emails
from billing.gateway.base import GatewayError
from billing.gateway.plans import GatewaySubscription
from billing.gateway.selection import gateway
from billing.models import BillingAccount, PlanAccess, PlanPrice, Subscription, SubscriptionChange
from core import jobs

BY = Actor.system("subscriptions.sync")
Status = Subscription.Status
STALE_AFTER = timedelta(hours=24)
_AT_ONCE = 200
_MIRRORED = ("period_starts_at", "period_ends_at", "trial_ends_at", "cancel_at_period_end", "canceled_at", "ended_at")
_MOVES = {status: f"to_{status}" for status in Status.values if status != Status.INCOMPLETE}
_MAY_USE = (Status.TRIALING, Status.ACTIVE)
_BEHIND = (Status.PAST_DUE, Status.UNPAID, Status.PAUSED, Status.CANCELED)


# Tasks that look at the organization when its plan or its standing at Stripe has changed; they need this module themselves.
_followers: list[Callable[..., None]] = []


def followed_by(task: Callable[..., None]) -> None:
    """Have the task run with organization_id after each such change. Called from AppConfig.ready."""
    _followers.append(task)


class UnknownPrice(LookupError):
    """The subscription is to something that the catalogue does not sell."""


def refresh(*, stripe_subscription_id: str, by: Actor, event: str = "") -> Subscription | None:
    """Read the subscription at Stripe and mirror it; None where it is not one of ours. Raises what the gateway raises."""
    asked_at = timezone.now()
    answer = gateway().retrieve_subscription(stripe_subscription_id)
    ask_about_others(answer=answer, by=by, event=event)
    return sync(answer=answer, asked_at=asked_at, by=by, event=event)


def ask_about_others(*, answer: GatewaySubscription, by: Actor, event: str = "") -> None:
    """Mirror what else of the customer's still counts as live here: one alone is, so the end of the others was not heard of yet."""
    if answer.status not in Subscription.LIVE:
        return
    others = Subscription.objects.live().filter(account__stripe_customer_id=answer.customer_id).exclude(stripe_subscription_id=answer.id)
    for other in others:
        asked_at = timezone.now()
        sync(answer=gateway().retrieve_subscription(other.stripe_subscription_id), asked_at=asked_at, by=by, event=event)


@transaction.atomic
def sync(*, answer: GatewaySubscription, asked_at: datetime, by: Actor, event: str = "") -> Subscription | None:
    """Bring the mirror and what the organization may do in line with Stripe's answer; None where the customer is not one of ours.

    asked_at: when Stripe was asked; an answer to an earlier question than the last changes nothing. Raises UnknownPrice.
    """
    account = BillingAccount.objects.select_for_update(of=["self"]).filter(stripe_customer_id=answer.customer_id).first()
    if account is None:
        return None
    known = Subscription.objects.select_related("price__plan").filter(stripe_subscription_id=answer.id).first()
    if known is not None and (known.asked_at > asked_at or known.ended_at is not None):
        return known
    price = _price(answer)
    old = _facts(known) if known is not None else {}
    subscription = known or Subscription(
        account=account, organization_id=account.organization_id, stripe_subscription_id=answer.id, status=answer.status
    )
    subscription.price, subscription.asked_at = price, asked_at
    for name in _MIRRORED:
        setattr(subscription, name, getattr(answer, name))
    billed = seat_items.billed(answer)
    subscription.seat_price, subscription.seat_quantity = billed.price, billed.quantity
    if subscription.status != answer.status:
        getattr(subscription, _MOVES[answer.status])()
    subscription.save()
    new = _facts(subscription)
    if new != old:
        change = SubscriptionChange.objects.create(subscription=subscription, old=old, new=new, source=by.label, event=event)
        record(subscription, "subscription.synced", by=by, before=old, after=new)
        if subscription_emails.kind_of(old, new):
            jobs.enqueue(subscription_emails.send, change_id=change.pk)
    _derive(subscription, by=by, event=event)
    if any(old.get(name) != new[name] for name in ("status", "price")):
        for task in _followers:
            jobs.enqueue(task, organization_id=subscription.organization_id)
    return subscription


def _price(answer: GatewaySubscription) -> PlanPrice:
    found = PlanPrice.objects.select_related("plan").filter(stripe_price_id__in=answer.price_ids, kind=PlanPrice.Kind.BASE).first()
    if found is None:
        raise UnknownPrice(f"{answer.id} is to {', '.join(answer.price_ids)}, which the catalogue does not sell.")
    return found


def _facts(subscription: Subscription) -> dict[str, Any]:
    price = subscription.price
    values = {"status": subscription.status, "plan": price.plan.code, "price": price.public_id, "seats": subscription.seat_quantity}
    moments = {name: getattr(subscription, name) for name in _MIRRORED}
    return {**values, **{name: value.isoformat() if isinstance(value, datetime) else value for name, value in moments.items()}}


def _derive(subscription: Subscription, *, by: Actor, event: str) -> None:
    """What the organization may do follows from its subscription: paid or on trial it may, behind it may read and run on."""
    row = access.locked(subscription.organization_id)
    others = Subscription.objects.live().filter(organization_id=subscription.organization_id).exclude(pk=subscription.pk)
    if not subscription.is_live and others.exists():
        return  # an old one ended late; the one that is paid for counts
    if subscription.status in _MAY_USE:
        _allow(row, subscription, by=by, event=event)
    elif subscription.status in _BEHIND and row.state in (PlanAccess.State.TRIAL, PlanAccess.State.ACTIVE):
        access.lapse(row, since=subscription.ended_at or timezone.now(), by=by, event=event)


def _allow(row: PlanAccess, subscription: Subscription, *, by: Actor, event: str) -> None:
    old_state, old_plan = row.state, row.plan
    before = (row.state, row.plan_id, row.period_starts_at, row.period_ends_at, row.trial_ends_at)
    row.plan = subscription.price.plan
    row.period_starts_at, row.period_ends_at = subscription.period_starts_at, subscription.period_ends_at
    if subscription.status == Status.TRIALING and row.state == PlanAccess.State.TRIAL:
        row.trial_ends_at = subscription.trial_ends_at
    elif row.state != PlanAccess.State.ACTIVE:
        row.activate()
    if before != (row.state, row.plan_id, row.period_starts_at, row.period_ends_at, row.trial_ends_at):
        access.follow(row, old_state=old_state, old_plan=old_plan, by=by, event=event)


@jobs.task(queue="money", outside=True)
def refresh_stale() -> None:
    """Ask Stripe about every live subscription that was not heard of for a day: it may have lost a webhook. Stripe alone ends one."""
    stale = Subscription.objects.stale(timezone.now() - STALE_AFTER).values_list("stripe_subscription_id", flat=True)[:_AT_ONCE]
    failed: list[str] = []
    for stripe_subscription_id in stale:
        try:
            refresh(stripe_subscription_id=stripe_subscription_id, by=BY)
        except (GatewayError, UnknownPrice) as error:
            failed.append(f"{stripe_subscription_id}: {error}")
    if failed:
        raise jobs.RetryLater("; ".join(failed))
