"""Shorthands for what most tests begin with: a payment that succeeded."""

from typing import Any

import stripe

from sandbox.stripe.server import Sandbox


def paid_intent(client: stripe.StripeClient, amount: int = 5000, currency: str = "usd", *, card: str = "pm_card_visa", **more: Any) -> Any:
    """A payment intent that was confirmed with a test card."""
    given: Any = {"amount": amount, "currency": currency, "payment_method": card, "confirm": True, **more}
    return client.v1.payment_intents.create(given)


def booked_intent(sandbox: Sandbox, client: stripe.StripeClient, amount: int = 5000, currency: str = "usd", **more: Any) -> Any:
    """A payment intent whose charge has its balance transaction."""
    intent = paid_intent(client, amount, currency, **more)
    sandbox.control.advance(2)
    return intent


def balance(client: stripe.StripeClient, currency: str = "usd") -> int:
    """Available plus pending."""
    found = client.v1.balance.retrieve().to_dict()
    return sum(part["amount"] for part in [*found["available"], *found["pending"]] if part["currency"] == currency)
