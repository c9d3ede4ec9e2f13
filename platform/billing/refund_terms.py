"""What the refund terms that were frozen at purchase give at a moment."""

from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from billing.models import Payment
from core.money import round_half_up, step

DEFAULT_TERMS: list[dict[str, int]] = [{"hours_before": 168, "percent": 100}, {"hours_before": 48, "percent": 50}]


def percent_at(payment: Payment, at: datetime) -> int:
    """Whole percent of the payment that the terms give back at `at`: the best tier whose time has not passed; 0 after the last."""
    if payment.service_starts_at is None:
        return 100
    left = payment.service_starts_at - at
    return max((tier["percent"] for tier in payment.refund_terms if left >= timedelta(hours=tier["hours_before"])), default=0)


def amount_at(payment: Payment, at: datetime) -> int:
    """Minor units that the terms give back in all at `at`, earlier refunds included; where the attendee bears Stripe's fee it is kept."""
    share = round_half_up(Fraction(payment.amount * percent_at(payment, at), 100), step(payment.currency))
    kept = payment.stripe_fee or 0 if payment.refund_fee_policy == "attendee" else 0
    return max(0, min(share, payment.amount - kept))


def valid(terms: Any) -> bool:
    """Whether this is a list of tiers, each with hours before the start and a percentage, later tiers giving less."""
    if not isinstance(terms, list) or not all(isinstance(tier, dict) and tier.keys() == {"hours_before", "percent"} for tier in terms):
        return False
    pairs = [(tier["hours_before"], tier["percent"]) for tier in terms]
    if not all(type(hours) is int and type(percent) is int and hours >= 0 and 0 < percent <= 100 for hours, percent in pairs):
        return False
    return all(a[0] > b[0] and a[1] > b[1] for a, b in pairwise(pairs))


def sentence(terms: list[dict[str, int]]) -> str:
    """The terms in words, for quotes, event pages and dialogs."""
    if not terms:
        return "No refunds."
    parts = [f"{tier['percent']} % until {_before(tier['hours_before'])} before the start" for tier in terms]
    return f"Refund of {', '.join(parts)}; none after that."


def _before(hours: int) -> str:
    days, rest = divmod(hours, 24)
    if rest or not days:
        return f"{hours} hour{'s' if hours != 1 else ''}"
    return f"{days} day{'s' if days != 1 else ''}"
