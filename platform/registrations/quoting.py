"""What a place costs this buyer: shown before the payment, charged by Checkout, stored with the payment."""

from datetime import datetime

from billing import quoting
from billing.quoting import Quote
from events import field_checks
from events.models import Event


def quote(*, event: Event, country: str, at: datetime) -> Quote:
    """country: the buyer's, two letters or nothing; it decides the tax of an online event, the venue's country that of any other.

    Raises InvalidInput, quoting.TotalBelowMinimum, quoting.TotalAboveMaximum.
    """
    buyers = field_checks.country(country, "country")
    return quoting.quote(
        organization=event.organization,
        price=event.price_amount,
        currency=event.currency,
        description=event.title,
        at=at,
        tax_category=event.tax_category,
        jurisdiction=buyers if event.is_online else event.country,
    )


def basis(event: Event) -> tuple[object, ...]:
    """All of the event that a quote depends on: where it is unchanged, so is the quote."""
    return event.price_amount, event.currency, event.tax_category, event.format, event.country, event.organization_id
