"""What a sale costs: every line that the buyer sees, Checkout charges and the payment stores.

Fees come from the most specific FeeSchedule, tax from TaxRate; a jurisdiction without a row has no tax, and the quote says so.
"""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db.models import Q

from billing.models import FeeSchedule, PaymentLine, TaxRate
from core.errors import DomainError, InvalidInput
from core.money import Money, percentage, round_half_up, step
from organizations.models import Organization

# Stripe, "Minimum and maximum charge amounts", for the currencies that may be settled; minor units.
MINIMUM_CHARGE = {"USD": 50, "EUR": 50, "GBP": 30, "JPY": 50, "KWD": 200, "CAD": 50, "AUD": 50, "CHF": 50}
MAXIMUM_CHARGE = 99_999_999


class TotalBelowMinimum(DomainError):
    code, http_status = "TOTAL_BELOW_MINIMUM", 409

    def __init__(self, *, total: Money, minimum: Money) -> None:
        self.total, self.minimum = total, minimum
        super().__init__(f"{total} cannot be charged: card payments start at {minimum}.")


class TotalAboveMaximum(DomainError):
    code, http_status = "TOTAL_ABOVE_MAXIMUM", 409

    def __init__(self, *, total: Money) -> None:
        self.total = total
        super().__init__(f"{total} cannot be charged: it is more than one card payment can be.")


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """amount: minor units of the quote's currency; payer "organizer" means it is taken from what the organization earns."""

    kind: str
    description: str
    amount: int
    payer: str = PaymentLine.Payer.ATTENDEE
    jurisdiction: str = ""
    inclusive: bool = False
    basis_points: int | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """total: what the buyer pays, the sum of the attendee's lines less tax that the price holds already."""

    lines: tuple[QuoteLine, ...]
    total: Money
    tax_note: str

    @property
    def is_free(self) -> bool:
        return self.total.amount == 0


@dataclass(frozen=True, slots=True)
class Discount:
    """amount: minor units taken off the price, from 1 to all of it, in the currency's step."""

    description: str
    amount: int


def quote(
    *,
    organization: Organization,
    price: int,
    currency: str,
    description: str,
    at: datetime,
    tax_category: str = "standard",
    jurisdiction: str = "",
    discount: Discount | None = None,
) -> Quote:
    """Price the sale. price: minor units, ≥ 0. Fees and tax are of what is left after the discount; where nothing is left it is free.

    Raises InvalidInput, TotalBelowMinimum, TotalAboveMaximum.
    """
    if price < 0 or price % step(currency):
        raise InvalidInput(f"Prices in {currency} go in steps of {step(currency)} minor units.", field="price")
    if price == 0:
        return Quote((), Money(0, currency), "Free of charge.")
    lines = [QuoteLine(PaymentLine.Kind.PRICE, description, price), *_discount_lines(discount, price, currency)]
    net = sum(line.amount for line in lines)
    if net == 0:
        return Quote(tuple(lines), Money(0, currency), "Free of charge.")
    fees, rate = fees_for(organization, currency), tax_rate(jurisdiction, tax_category, at)
    held = _tax_line(rate, lines, currency).amount if rate and rate.inclusive else 0
    lines += _fee_lines(fees, net, currency, most=net - held)
    if rate is None:
        note = f"No tax is charged in {jurisdiction}." if jurisdiction else "No tax is charged."
    else:
        tax = _tax_line(rate, lines, currency)
        lines += [tax] if tax.amount else []
        note = f"{rate.name} {rate.basis_points / 100:g} % {'is included' if rate.inclusive else 'is added'}."
    total = Money(sum(line.amount for line in lines if line.payer == "attendee" and not line.inclusive), currency)
    _within_stripes_limits(total)
    return Quote(tuple(lines), total, note)


def fees_for(organization: Organization, currency: str) -> FeeSchedule | None:
    """The most specific schedule: organization and currency, organization, currency, platform."""
    rows = FeeSchedule.objects.filter(Q(organization=organization) | Q(organization=None), currency__in=[currency, ""])
    return max(rows, key=lambda row: (row.organization_id is not None, row.currency != ""), default=None)


def tax_rate(jurisdiction: str, category: str, at: datetime) -> TaxRate | None:
    """The rate in force on the day of `at` (UTC), None where the table has no row."""
    if not jurisdiction:
        return None
    day = at.date()
    rates = TaxRate.objects.filter(Q(ends_on=None) | Q(ends_on__gte=day), jurisdiction=jurisdiction, category=category, starts_on__lte=day)
    return rates.order_by("-starts_on").first()


def minimum_charge(currency: str) -> Money:
    return Money(MINIMUM_CHARGE.get(currency, 50), currency)


def _within_stripes_limits(total: Money) -> None:
    minimum = minimum_charge(total.currency)
    if total < minimum:
        raise TotalBelowMinimum(total=total, minimum=minimum)
    if total.amount > MAXIMUM_CHARGE:
        raise TotalAboveMaximum(total=total)


def _discount_lines(discount: Discount | None, price: int, currency: str) -> list[QuoteLine]:
    if discount is None:
        return []
    if not 0 < discount.amount <= price or discount.amount % step(currency):
        raise InvalidInput("A discount takes something off, and no more than the price.", field="discount")
    return [QuoteLine(PaymentLine.Kind.DISCOUNT, discount.description, -discount.amount)]


def _fee_lines(fees: FeeSchedule | None, price: int, currency: str, *, most: int) -> list[QuoteLine]:
    """price: after the discount. most: what an organizer's fees may take together: the price less the tax in it, for an organizer does not
    pay to sell."""
    if fees is None:
        return []
    parts = [
        (PaymentLine.Kind.SERVICE_FEE, "Service fee", fees.service_basis_points, fees.service_fixed),
        (PaymentLine.Kind.PROCESSING_FEE, "Processing fee", fees.processing_basis_points, fees.processing_fixed),
    ]
    lines, left = [], most
    for kind, description, basis_points, fixed in parts:
        amount = percentage(price, basis_points, currency) + round_half_up(fixed, step(currency))
        if fees.payer == FeeSchedule.Payer.ORGANIZER:
            amount = min(amount, left)
            left -= amount
        if amount:
            lines.append(QuoteLine(kind, description, amount, payer=fees.payer))
    return lines


def _tax_line(rate: TaxRate, lines: list[QuoteLine], currency: str) -> QuoteLine:
    base = sum(line.amount for line in lines if line.payer == "attendee")
    points = rate.basis_points
    share = Fraction(base * points, 10_000 + points) if rate.inclusive else Fraction(base * points, 10_000)
    amount = round_half_up(share, step(currency))
    return QuoteLine(PaymentLine.Kind.TAX, rate.name, amount, jurisdiction=rate.jurisdiction, inclusive=rate.inclusive, basis_points=points)
