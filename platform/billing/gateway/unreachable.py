"""What people are told where Stripe gave no answer in time."""

from core.errors import DomainError


class StripeDoesNotAnswer(DomainError):
    code, http_status = "STRIPE_UNREACHABLE", 503

    def __init__(self) -> None:
        super().__init__("Stripe does not answer just now, so nothing was shown and nothing was done; try again in a moment.")
