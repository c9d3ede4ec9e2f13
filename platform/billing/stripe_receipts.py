"""Stripe's own receipt of a payment, asked for at the moment that somebody wants to see it."""

from uuid import UUID

from audit.actor import Actor
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.gateway.unreachable import StripeDoesNotAnswer
from billing.models import Payment
from core.errors import DomainError, NotFound
from core.outside_calls import forbid_open_transaction
from organizations.permissions import Permission, require


class NoReceiptAtStripe(DomainError):
    code, http_status = "NO_RECEIPT_AT_STRIPE", 409

    def __init__(self) -> None:
        super().__init__("Stripe has no receipt for this payment: it has one for each charge that succeeded.")


def url(*, payment_id: UUID, by: Actor) -> str:
    """Where Stripe shows the receipt now; good for this one visit, since Stripe may change it. Nothing is kept.

    Called by a surface with no transaction open, since the person waits. Source: Stripe, the Charge object, `receipt_url`.
    Raises NotFound, PermissionRefused, NoReceiptAtStripe, StripeDoesNotAnswer.
    """
    forbid_open_transaction()
    payment = Payment.objects.visible_to(by).filter(pk=payment_id).first()
    if payment is None:
        raise NotFound("payment")
    require(by, Permission.PAYMENT_VIEW, payment.organization_id, responsible_id=payment.responsible_id)
    if payment.stripe_charge_id is None:
        raise NoReceiptAtStripe
    try:
        found = gateway(patient=False).receipt_url(payment.stripe_charge_id)
    except (GatewayBusy, GatewayUnknown) as error:
        raise StripeDoesNotAnswer from error
    except GatewayRefused as refusal:
        raise NoReceiptAtStripe from refusal
    if not found:
        raise NoReceiptAtStripe
    return found
