"""Why a code cannot be used: one error each, one sentence for the buyer.

A code of another organization, a paused and an archived one answer as one that does not exist.
"""

from datetime import datetime
from typing import Any

from core.errors import DomainError
from core.money import Money

FIELD = "promo_code"


class PromoCodeRefused(DomainError):
    """What they have in common: the buyer can take the code away and go on."""

    code, http_status = "PROMO_CODE_REFUSED", 409

    @property
    def details(self) -> dict[str, Any]:
        return {"field": FIELD}


class UnknownCode(PromoCodeRefused):
    code, http_status = "PROMO_CODE_UNKNOWN", 422

    def __init__(self) -> None:
        super().__init__("There is no such promo code; check its spelling, or go on without it.")


class CodeExpired(PromoCodeRefused):
    code = "PROMO_CODE_EXPIRED"

    def __init__(self) -> None:
        super().__init__("This promo code has expired; go on without it.")


class CodeNotYetValid(PromoCodeRefused):
    code = "PROMO_CODE_NOT_YET_VALID"

    def __init__(self, starts_at: datetime) -> None:
        self.starts_at = starts_at
        super().__init__(f"This promo code is valid from {starts_at:%Y-%m-%d %H:%M} UTC on; come back then, or go on without it.")


class CodeUsedUp(PromoCodeRefused):
    code = "PROMO_CODE_USED_UP"

    def __init__(self) -> None:
        super().__init__("This promo code has been used as often as it may be; go on without it.")


class CodeUsedByPerson(PromoCodeRefused):
    code = "PROMO_CODE_ALREADY_USED"

    def __init__(self) -> None:
        super().__init__("You have used this promo code as often as one person may; go on without it.")


class CodeNotForThis(PromoCodeRefused):
    code = "PROMO_CODE_NOT_FOR_EVENT"

    def __init__(self) -> None:
        super().__init__("This promo code is for other events; go on without it.")


class CodeBelowMinimum(PromoCodeRefused):
    code = "PROMO_CODE_MINIMUM"

    def __init__(self, minimum: Money) -> None:
        self.minimum = minimum
        super().__init__(f"This promo code is for prices from {minimum} on; go on without it.")


class CodeTakesNothing(PromoCodeRefused):
    """A small percentage of a small price, rounded to nothing."""

    code = "PROMO_CODE_TAKES_NOTHING"

    def __init__(self) -> None:
        super().__init__("This promo code takes nothing off so small a price; go on without it.")


class CodeInAnotherCurrency(PromoCodeRefused):
    code = "PROMO_CODE_CURRENCY"

    def __init__(self, currency: str) -> None:
        self.currency = currency
        super().__init__(f"This promo code is for prices in {currency}; go on without it.")


class CodeForFirstTime(PromoCodeRefused):
    code = "PROMO_CODE_FIRST_TIME_ONLY"

    def __init__(self) -> None:
        super().__init__("This promo code is for people who have not been with this organizer before; go on without it.")


class CodeNeedsAccount(PromoCodeRefused):
    """An address that anybody can type proves nobody, and an answer about it would tell strangers who has been here."""

    code = "PROMO_CODE_NEEDS_ACCOUNT"

    def __init__(self) -> None:
        super().__init__("This promo code is limited for each person: sign in with a confirmed address to use it, or go on without it.")


class CodeNotNeeded(PromoCodeRefused):
    code = "PROMO_CODE_NOT_NEEDED"

    def __init__(self) -> None:
        super().__init__("This is free of charge and needs no promo code; take the code away.")


class TooManyTries(DomainError):
    code, http_status = "PROMO_CODE_TRIES", 429

    def __init__(self) -> None:
        super().__init__("Too many promo codes were tried from here; wait a minute, or go on without one.")
