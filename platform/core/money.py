"""Amounts of money: whole numbers of minor units with their currency, in Stripe's exponents and steps.

Source: Stripe, "Supported currencies": zero-decimal and three-decimal currencies, ISK as a two-decimal currency whose amounts end in 00.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

_ZERO_DECIMAL = frozenset(["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"])
_THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
# fmt: off
_TWO_DECIMAL = frozenset([
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND",
    "BOB", "BRL", "BSD", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CVE", "CZK", "DKK", "DOP",
    "DZD", "EGP", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF",
    "IDR", "ILS", "INR", "ISK", "JMD", "KES", "KGS", "KHR", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD",
    "MDL", "MKD", "MMK", "MNT", "MOP", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR",
    "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SEK", "SGD",
    "SHP", "SLE", "SOS", "SRD", "STD", "SZL", "THB", "TJS", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "UYU",
    "UZS", "WST", "XCD", "YER", "ZAR", "ZMW",
])
# fmt: on
CURRENCIES = _ZERO_DECIMAL | _TWO_DECIMAL | _THREE_DECIMAL


# Commas stand only between thousands: "1,5" is somebody's one and a half, and must never be read as fifteen.
_TYPED = re.compile(r"[+-]?(?:(?:[0-9]{1,20}|[0-9]{1,3}(?:,[0-9]{3}){1,6})(?:\.[0-9]{1,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,2})?")


class UnknownCurrency(ValueError):
    """Not an upper-case ISO code that Stripe can charge."""


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were added or compared."""


def exponent(currency: str) -> int:
    """Decimal digits of the currency at Stripe: 0, 2 or 3. Raises UnknownCurrency."""
    if currency in _TWO_DECIMAL:
        return 2
    if currency in _ZERO_DECIMAL:
        return 0
    if currency in _THREE_DECIMAL:
        return 3
    raise UnknownCurrency(f"{currency!r} is not a currency that can be charged.")


def step(currency: str) -> int:
    """The smallest difference between two chargeable amounts, in minor units: 1, 10 (three decimals) or 100 (ISK)."""
    if currency == "ISK":
        return 100
    return 10 if exponent(currency) == 3 else 1


# Stripe pays these out in whole units only, though it charges them in hundredths.
_WHOLE_PAYOUTS = frozenset(["HUF", "ISK", "TWD"])


def payout_step(currency: str) -> int:
    """The smallest difference between two amounts that can be paid out, in minor units. Source: Stripe, "Special cases"."""
    return 100 if currency in _WHOLE_PAYOUTS else step(currency)


@dataclass(frozen=True, slots=True)
class Money:
    """amount: minor units, may be negative; currency: upper-case ISO code."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.amount, bool) or not isinstance(self.amount, int):
            raise TypeError("An amount is a whole number of minor units.")
        exponent(self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be combined.")
        return other.amount

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    @property
    def major(self) -> Decimal:
        return Decimal(self.amount).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        return f"{self.major:,.{exponent(self.currency)}f} {self.currency}"


def parse_major(text: str, currency: str) -> int:
    """Minor units of what a person typed, as amounts are shown: "12.50" or "1,234.50".

    A decimal comma ("1,5", "12,50") is refused, not guessed at; commas may only part thousands, so "1,234" is 1234 in every currency.
    Raises ValueError where it is no amount of this currency.
    """
    if not _TYPED.fullmatch(text.strip()):  # "1e999999999" would be a number of a gigabyte
        raise ValueError("not a number")
    value = Decimal(text.strip().replace(",", ""))
    minor = value.scaleb(exponent(currency))
    if not minor.is_finite() or minor != minor.to_integral_value() or int(minor) % step(currency):
        raise ValueError(f"{currency} has no such amount")
    return int(minor)


def round_half_up(value: Fraction | Decimal | int, to: int = 1) -> int:
    """The nearest multiple of `to`; halves away from zero, so that −x rounds to −round(x)."""
    units = abs(Fraction(value)) / to
    rounded = (2 * units.numerator + units.denominator) // (2 * units.denominator) * to
    return -rounded if value < 0 else rounded


def percentage(amount: int, basis_points: int, currency: str) -> int:
    """`basis_points` hundredths of a percent of `amount`, rounded half up to the currency's step."""
    return round_half_up(Fraction(amount * basis_points, 10_000), step(currency))


def allocate(amount: int, weights: Sequence[int], *, to: int = 1) -> list[int]:
    """Split `amount` in proportion to `weights` (≥ 0): parts sum to it exactly, by largest remainder, ties by order.

    Parts are multiples of `to` where `amount` is one; otherwise the first part with a weight carries the odd rest.
    Raises ValueError where no weight is positive or one is negative.
    """
    total = sum(weights)
    if total <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("An amount can only be split by weights that are not negative and not all zero.")
    sign, (units, rest) = (-1 if amount < 0 else 1), divmod(abs(amount), to)
    parts = [units * weight // total for weight in weights]
    remainders = [units * weight % total for weight in weights]
    for index in sorted(range(len(weights)), key=lambda i: (-remainders[i], i))[: units - sum(parts)]:
        parts[index] += 1
    parts = [part * to for part in parts]
    parts[next(i for i, weight in enumerate(weights) if weight)] += rest
    return [sign * part for part in parts]
