"""The tables of promo codes."""

from promo_codes.models.code import PromoCode
from promo_codes.models.line import PromoCodeLine, TryWindow
from promo_codes.models.redemption import Redemption

__all__ = ["PromoCode", "PromoCodeLine", "Redemption", "TryWindow"]
