from billing.models.account import ConnectedAccount, StripeBalance
from billing.models.dispute import Dispute, DisputeMovement
from billing.models.payment import CheckoutSession, Payment, PaymentLine
from billing.models.payout import PayoutRequest
from billing.models.rates import FeeSchedule, TaxRate
from billing.models.refund import Refund
from billing.models.stripe import InboundEvent, StripeCommand
from billing.models.transfer import Transfer, TransferReversal

__all__ = [
    "CheckoutSession",
    "ConnectedAccount",
    "Dispute",
    "DisputeMovement",
    "FeeSchedule",
    "InboundEvent",
    "Payment",
    "PaymentLine",
    "PayoutRequest",
    "Refund",
    "StripeBalance",
    "StripeCommand",
    "TaxRate",
    "Transfer",
    "TransferReversal",
]
