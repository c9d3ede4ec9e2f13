"""Stripe's test cards and tokens; https://docs.stripe.com/testing."""

import hashlib
from dataclasses import dataclass

_GENERIC = "Your card was declined."


@dataclass(frozen=True)
class Decline:
    code: str
    decline_code: str
    message: str


@dataclass(frozen=True)
class Card:
    number: str
    tokens: tuple[str, ...] = ()
    brand: str = "visa"
    country: str = "US"
    decline: Decline | None = None
    authenticate: bool = False  # asks for 3-D Secure
    asks_once: bool = False  # only until it is set up for later payments
    fails_later: bool = False  # it can be kept, and every payment is declined
    settles_at_once: bool = False  # its money is available, not pending
    dispute: str | None = None  # the reason of a dispute that follows the payment
    inquiry: bool = False
    refund: str = "succeeded"  # what its refunds do

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]


def _declined(number: str, token: str, code: str, decline_code: str, message: str) -> Card:
    return Card(number, (token,), decline=Decline(code, decline_code, message))


ALL = (
    Card("4242424242424242", ("pm_card_visa", "pm_card_us", "tok_visa")),
    Card("4000056655665556", ("pm_card_visa_debit",)),
    Card("5555555555554444", ("pm_card_mastercard",), brand="mastercard"),
    Card("378282246310005", ("pm_card_amex",), brand="amex"),
    Card("4000000000000077", ("pm_card_bypassPending",), settles_at_once=True),
    Card("4000002760003184", ("pm_card_authenticationRequired",), authenticate=True),
    Card("4000002500003155", ("pm_card_authenticationRequiredOnSetup",), authenticate=True, asks_once=True),
    Card("4000000000003220", ("pm_card_threeDSecure2Required",), authenticate=True),
    Card("4000000000000259", ("pm_card_createDispute",), dispute="fraudulent"),
    Card("4000000000002685", ("pm_card_createDisputeProductNotReceived",), dispute="product_not_received"),
    Card("4000000000001976", ("pm_card_createDisputeInquiry",), dispute="fraudulent", inquiry=True),
    Card("4000000000007726", ("pm_card_pendingRefund",), refund="pending"),
    Card("4000000000005126", ("pm_card_refundFail",), refund="succeeded_then_failed"),
    Card(
        "4000000000000341", ("pm_card_chargeCustomerFail",), decline=Decline("card_declined", "generic_decline", _GENERIC), fails_later=True
    ),
    _declined("4000000000000002", "pm_card_chargeDeclined", "card_declined", "generic_decline", _GENERIC),
    _declined(
        "4000000000009995",
        "pm_card_chargeDeclinedInsufficientFunds",
        "card_declined",
        "insufficient_funds",
        "Your card has insufficient funds.",
    ),
    _declined("4000000000009987", "pm_card_chargeDeclinedLostCard", "card_declined", "lost_card", _GENERIC),
    _declined("4000000000009979", "pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card", _GENERIC),
    _declined("4000000000000069", "pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card", "Your card has expired."),
    _declined(
        "4000000000000127",
        "pm_card_chargeDeclinedIncorrectCvc",
        "incorrect_cvc",
        "incorrect_cvc",
        "Your card's security code is incorrect.",
    ),
    _declined(
        "4000000000000119",
        "pm_card_chargeDeclinedProcessingError",
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
)
_BY_NUMBER = {card.number: card for card in ALL}
_BY_TOKEN = {token: card for card in ALL for token in card.tokens}
_BY_FINGERPRINT = {card.fingerprint: card for card in ALL}


def by_number(number: str) -> Card | None:
    """The test card with this number, spaces ignored."""
    return _BY_NUMBER.get("".join(number.split()).replace("-", ""))


def by_token(token: str) -> Card | None:
    return _BY_TOKEN.get(token)


def by_fingerprint(fingerprint: str) -> Card:
    return _BY_FINGERPRINT[fingerprint]
