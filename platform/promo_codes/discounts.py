"""How much a code takes off. Pure."""

from core.money import percentage, step
from promo_codes.models import PromoCode


def discount(code: PromoCode, *, price: int, currency: str) -> int:
    """Minor units of `currency`, from 0 to `price`, in the currency's step; a percentage is rounded half up and ends at the cap.

    price: minor units, ≥ 0, in the currency's step.
    """
    if code.amount is not None:
        return min(code.amount, price)
    off = percentage(price, code.basis_points or 0, currency)
    most = price if code.cap_amount is None else min(price, code.cap_amount)
    return min(off, most // step(currency) * step(currency))
