"""What Stripe answers about plans, customers, subscriptions and invoices, in billing's own words."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class GatewayProduct:
    id: str


@dataclass(frozen=True, slots=True)
class GatewayPrice:
    """amount: minor units of `currency` (upper case); interval: month or year."""

    id: str
    product_id: str
    amount: int
    currency: str
    interval: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class GatewayCustomer:
    id: str


@dataclass(frozen=True, slots=True)
class GatewayCard:
    """Valid until the end of the month."""

    id: str
    brand: str
    last4: str
    exp_year: int
    exp_month: int


@dataclass(frozen=True, slots=True)
class GatewaySubscription:
    """A subscription as Stripe has it now; the period is that of its items, which Stripe keeps alike; price_ids,
    item_ids and quantities are in their order."""

    id: str
    status: str
    customer_id: str
    price_ids: tuple[str, ...]
    period_starts_at: datetime
    period_ends_at: datetime
    trial_ends_at: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    ended_at: datetime | None
    item_ids: tuple[str, ...] = ()
    quantities: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayInvoice:
    """Amounts in minor units of `currency` (upper case); tax is part of what was paid. pdf_url and page_url run out.

    attempts: how often Stripe tried to take it; open_intent_id: of the last attempt that has not ended.
    """

    id: str
    number: str
    status: str
    customer_id: str
    billing_reason: str
    total: int
    amount_due: int
    amount_paid: int
    tax: int
    currency: str
    issued_at: datetime
    paid_at: datetime | None
    payment_intent_id: str | None
    pdf_url: str
    page_url: str
    period_starts_at: datetime
    period_ends_at: datetime
    attempts: int = 0
    next_attempt_at: datetime | None = None
    open_intent_id: str | None = None
