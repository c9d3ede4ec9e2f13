"""What Stripe's events about subscriptions and invoices lead to: each object is read anew, as in handlers."""

from typing import Any

from billing import cards, invoices, subscription_sync
from billing.models import BillingAccount
from billing.webhooks.words import BY, NotOurs, told_by


def subscription(found: dict[str, Any]) -> None:
    _refresh(found["id"])


def checkout_session(found: dict[str, Any]) -> None:
    """A Checkout page where a plan was subscribed to; one that was left has no subscription."""
    if not found.get("subscription"):
        raise NotOurs(found["id"])
    _refresh(found["subscription"])


def _refresh(stripe_subscription_id: str) -> None:
    found = subscription_sync.refresh(stripe_subscription_id=stripe_subscription_id, by=BY, event=told_by.get())
    if found is None:
        raise NotOurs(stripe_subscription_id)
    cards.refresh(stripe_customer_id=found.account.stripe_customer_id or "", by=BY)  # it may have a card of its own


def invoice(found: dict[str, Any]) -> None:
    if invoices.refresh(stripe_invoice_id=found["id"], by=BY) is None:
        raise NotOurs(found["id"])


def customer(found: dict[str, Any]) -> None:
    """Another card for all that the customer pays; or the customer is gone, and with it the card."""
    if cards.refresh(stripe_customer_id=found["id"], by=BY) is None:
        raise NotOurs(found["id"])


def payment_method(found: dict[str, Any]) -> None:
    """A card that came, went or was renewed by its bank; one that went says no more whose it was, so we look where it stood."""
    known = BillingAccount.objects.filter(stripe_payment_method_id=found["id"]).first()
    customer_id = found.get("customer") or (known.stripe_customer_id if known else None)
    if not customer_id or cards.refresh(stripe_customer_id=customer_id, by=BY) is None:
        raise NotOurs(found["id"])


_SUBSCRIPTION_EVENTS = ("created", "updated", "deleted", "trial_will_end", "paused", "resumed")
_INVOICE_EVENTS = ("created", "finalized", "paid", "payment_failed", "payment_action_required", "voided", "marked_uncollectible")
HANDLERS = {
    **{f"customer.subscription.{name}": subscription for name in _SUBSCRIPTION_EVENTS},
    **{f"customer.{name}": customer for name in ("updated", "deleted")},
    **{f"payment_method.{name}": payment_method for name in ("attached", "automatically_updated", "updated", "detached")},
    **{f"invoice.{name}": invoice for name in _INVOICE_EVENTS},
}
