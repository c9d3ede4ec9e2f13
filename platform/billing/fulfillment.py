"""What a payment bought, told upwards: the app that sells something registers one handler for its purpose, in AppConfig.ready.

Handlers run inside billing's transaction, with the payment's row locked; what they raise takes the whole operation back.
"""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from audit.actor import Actor
from billing.models import Document, Payment, Refund


class Fulfillment(Protocol):
    def on_paid(self, payment: Payment, *, at: datetime, by: Actor) -> None:
        """The money is captured: hand over what was bought, or see to its refund."""

    def on_failed(self, payment: Payment, *, at: datetime, by: Actor) -> None:
        """The payment ended unpaid (expired or cancelled): let go of what was held."""

    def on_refunded(self, refund: Refund, *, at: datetime, by: Actor) -> None:
        """A refund succeeded; refund.payment.amount_refunded counts it already."""

    def on_disputed(self, payment: Payment, *, at: datetime, by: Actor) -> None: ...

    def responsible(self, payment: Payment) -> UUID | None:
        """The member who answers for what was sold."""

    def document_url(self, payment: Payment, document: Document) -> str:
        """Where the buyer gets this document of the payment, without an account too; "" where there is no such place."""


_handlers: dict[str, Fulfillment] = {}


def register(purpose: str, handler: Fulfillment) -> None:
    """Raises RuntimeError where the purpose has a handler already."""
    if purpose in _handlers:
        raise RuntimeError(f"two fulfillment handlers for {purpose!r}")
    _handlers[purpose] = handler


def handler_for(purpose: str) -> Fulfillment:
    return _handlers[purpose]


def purposes() -> frozenset[str]:
    return frozenset(_handlers)
