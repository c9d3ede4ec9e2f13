"""What seats cost for the rest of the period: as Stripe says where it can be asked, else by its rule.

The rule: what is given back for the old quantity and what is charged for the new one are two lines, each for the seconds that are
left, each rounded down. Source: Stripe, "Prorations", and its recorded answers.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from billing import seat_items
from billing.gateway.base import GatewayError
from billing.gateway.selection import gateway
from billing.models import PlanPrice, Subscription
from core.money import Money
from core.outside_calls import forbid_open_transaction


@dataclass(frozen=True, slots=True)
class Share:
    """due: what the change adds to the next invoice; by_stripe: Stripe said so itself."""

    due: Money
    by_stripe: bool


def by_rule(subscription: Subscription, price: PlanPrice, *, before: int, after: int, at: datetime) -> Money:
    """In the database alone; nothing while Stripe's own trial runs."""
    if subscription.status == Subscription.Status.TRIALING or before == after:
        return Money(0, price.currency)
    starts, ends = int(subscription.period_starts_at.timestamp()), int(subscription.period_ends_at.timestamp())
    left = min(max(0, ends - int(at.timestamp())), ends - starts)
    lines = [-price.amount * before, price.amount * after]
    return Money(sum(line * left // (ends - starts) for line in lines if line) if ends > starts else 0, price.currency)


def ask(subscription: Subscription, price: PlanPrice, *, after: int) -> Share:
    """Ask Stripe, with no transaction open; by the rule where Stripe does not answer in time."""
    forbid_open_transaction()
    at = timezone.now()
    expected = by_rule(subscription, price, before=subscription.seat_quantity, after=after, at=at)
    try:
        stripe = gateway(patient=False)
        now = seat_items.billed(stripe.retrieve_subscription(subscription.stripe_subscription_id))
        items = seat_items.changed(now, price=price, number=after)
        if not items:
            return Share(Money(0, price.currency), by_stripe=True)
        details = {"items": items, "proration_behavior": "create_prorations", "proration_date": int(at.timestamp())}
        found = stripe.preview_proration({"subscription": subscription.stripe_subscription_id, "subscription_details": details})
    except GatewayError:
        return Share(expected, by_stripe=False)
    return Share(Money(found, price.currency), by_stripe=True)
