from billing.models.dispute import Dispute, DisputeMovement
from billing.models.payment import CheckoutSession, Payment, PaymentLine
from billing.models.rates import FeeSchedule, TaxRate
from billing.models.refund import Refund
from billing.models.stripe import InboundEvent, StripeCommand

__all__ = [
    "CheckoutSession",
    "Dispute",
    "DisputeMovement",
    "FeeSchedule",
    "InboundEvent",
    "Payment",
    "PaymentLine",
    "Refund",
    "StripeCommand",
    "TaxRate",
]
