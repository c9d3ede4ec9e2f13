"""What a place costs this buyer: shown before the payment, charged by Checkout, stored with the payment."""

from datetime import datetime

from billing import quoting
from billing.quoting import Discount, Quote
from events import field_checks
from events.models import Event
from promo_codes import discounts
from promo_codes.models import PromoCode


def quote(*, event: Event, country: str, at: datetime, code: PromoCode | None = None) -> Quote:
    """country: the buyer's, two letters or nothing; it decides the tax of an online event, the venue's country that of any other.

    code: what `discounting.usable` found for this buyer.

    Raises InvalidInput, quoting.TotalBelowMinimum, quoting.TotalAboveMaximum.
    """
    buyers = field_checks.country(country, "country")
    off = discounts.discount(code, price=event.price_amount, currency=event.currency) if code else 0
    return quoting.quote(
        organization=event.organization,
        price=event.price_amount,
        currency=event.currency,
        description=event.title,
        at=at,
        tax_category=event.tax_category,
        jurisdiction=buyers if event.is_online else event.country,
        discount=Discount(f"Promo code {code.code}", off) if code else None,
    )


def basis(event: Event) -> tuple[object, ...]:
    """All of the event that a quote depends on: where it is unchanged, so is the quote."""
    return event.price_amount, event.currency, event.tax_category, event.format, event.country, event.organization_id
