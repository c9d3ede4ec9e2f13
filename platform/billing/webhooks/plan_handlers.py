"""What Stripe's events about subscriptions and invoices lead to: each object is read anew, as in handlers."""

from typing import Any

from billing import invoices, subscription_sync
from billing.webhooks.words import BY, NotOurs


def subscription(found: dict[str, Any]) -> None:
    _refresh(found["id"])


def checkout_session(found: dict[str, Any]) -> None:
    """A Checkout page where a plan was subscribed to; one that was left has no subscription."""
    if not found.get("subscription"):
        raise NotOurs(found["id"])
    _refresh(found["subscription"])


def _refresh(stripe_subscription_id: str) -> None:
    if subscription_sync.refresh(stripe_subscription_id=stripe_subscription_id, by=BY) is None:
        raise NotOurs(stripe_subscription_id)


def invoice(found: dict[str, Any]) -> None:
    if invoices.refresh(stripe_invoice_id=found["id"], by=BY) is None:
        raise NotOurs(found["id"])


_SUBSCRIPTION_EVENTS = ("created", "updated", "deleted", "trial_will_end", "paused", "resumed")
_INVOICE_EVENTS = ("created", "finalized", "paid", "payment_failed", "payment_action_required", "voided", "marked_uncollectible")
HANDLERS = {
    **{f"customer.subscription.{name}": subscription for name in _SUBSCRIPTION_EVENTS},
    **{f"invoice.{name}": invoice for name in _INVOICE_EVENTS},
}
