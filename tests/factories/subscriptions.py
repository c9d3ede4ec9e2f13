"""Stripe's answers about subscriptions, as the gateway gives them, and a plan that Stripe knows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from billing.gateway.plans import GatewayInvoice, GatewaySubscription
from billing.models import BillingAccount, Plan, PlanPrice
from organizations.models import Organization
from tests.factories.plans import plan

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sold_plan(name: str = "Team", *, amount: int = 19_900, **values: Any) -> Plan:
    """A plan for teams whose price Stripe knows."""
    made = plan(name, month=amount, **{"audience": "team", **values})
    for price in made.prices.all():
        PlanPrice.objects.filter(pk=price.pk).update(stripe_price_id=f"price_{price.pk.hex}")
    return made


def customer(organization: Organization) -> BillingAccount:
    account, _ = BillingAccount.objects.get_or_create(
        organization=organization, defaults={"stripe_customer_id": f"cus_{organization.pk.hex}"}
    )
    return account


def answer(account: BillingAccount, of: Plan, status: str = "active", **values: Any) -> GatewaySubscription:
    price = of.prices.get(kind="base", interval="month", retired_at=None)
    given: dict[str, Any] = {
        "id": f"sub_{account.pk.hex}",
        "status": status,
        "customer_id": account.stripe_customer_id,
        "price_ids": (price.stripe_price_id,),
        "period_starts_at": BEGAN,
        "period_ends_at": BEGAN + timedelta(days=31),
        "trial_ends_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "ended_at": BEGAN + timedelta(days=5) if status == "canceled" else None,
    }
    return GatewaySubscription(**{**given, **values})


def bill(account: BillingAccount, status: str = "paid", **values: Any) -> GatewayInvoice:
    given: dict[str, Any] = {
        "id": f"in_{account.pk.hex}",
        "number": "A-0001",
        "status": status,
        "customer_id": account.stripe_customer_id,
        "billing_reason": "subscription_create",
        "total": 19_900,
        "amount_due": 19_900,
        "amount_paid": 19_900 if status == "paid" else 0,
        "tax": 0,
        "currency": "USD",
        "issued_at": BEGAN,
        "paid_at": BEGAN if status == "paid" else None,
        "payment_intent_id": f"pi_{account.pk.hex}",
        "pdf_url": "https://invoice.example/1.pdf",
        "page_url": "https://invoice.example/1",
        "period_starts_at": BEGAN,
        "period_ends_at": BEGAN + timedelta(days=31),
    }
    return GatewayInvoice(**{**given, **values})
