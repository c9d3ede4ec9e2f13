"""Mails about what became of a subscription: begun, changed, going to end, ended, going on, paid after all."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from billing.admin_mail import plans_page, to_admins
from billing.models import Subscription, SubscriptionChange
from core import jobs

Status = Subscription.Status
_UNBEGUN = ("", Status.INCOMPLETE)
_BEHIND = (Status.PAST_DUE, Status.UNPAID)


def kind_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The mail that a change is worth, by the facts before and after; empty for none. old: empty for a new subscription."""
    was, now = old.get("status", ""), new["status"]
    if was in _UNBEGUN:
        return "subscription_started" if now in (Status.TRIALING, Status.ACTIVE) else ""
    if now == Status.CANCELED:
        return "subscription_ended"
    if was in _BEHIND and now == Status.ACTIVE:
        return "subscription_recovered"
    if old["price"] != new["price"]:
        return "subscription_changed"
    if old["cancel_at_period_end"] != new["cancel_at_period_end"]:
        return "subscription_cancelled" if new["cancel_at_period_end"] else "subscription_resumed"
    return ""


@jobs.task()
def send(*, change_id: UUID) -> None:
    """Tell the admins of one change, once."""
    change = SubscriptionChange.objects.select_related("subscription__organization", "subscription__price__plan").get(pk=change_id)
    subscription = change.subscription
    context = {
        "plan": subscription.price.plan.name,
        "price": str(subscription.price),
        "ends_at": subscription.period_ends_at,
        "trial_ends_at": subscription.trial_ends_at if change.new["status"] == Status.TRIALING else None,
        "link": plans_page(),
    }
    to_admins(kind_of(change.old, change.new), subscription.organization, context, related=change, notice="told")
