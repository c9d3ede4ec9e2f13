from billing.models.payment import CheckoutSession, Payment, PaymentLine
from billing.models.rates import FeeSchedule, TaxRate
from billing.models.refund import Dispute, Refund
from billing.models.stripe import InboundEvent, StripeCommand

__all__ = ["CheckoutSession", "Dispute", "FeeSchedule", "InboundEvent", "Payment", "PaymentLine", "Refund", "StripeCommand", "TaxRate"]
