from billing.models.access import AccessChange, PlanAccess, TrialUse
from billing.models.account import ConnectedAccount, StripeBalance
from billing.models.balance_transaction import BalanceTransaction, ChargeFee, RefundAttempt
from billing.models.dispute import Dispute, DisputeMovement
from billing.models.dispute_response import DisputeFile, DisputeResponse
from billing.models.document import Document, DocumentSeries
from billing.models.payment import CheckoutSession, Payment, PaymentLine
from billing.models.payout import PayoutRequest
from billing.models.plan import Plan, PlanPrice
from billing.models.plan_change import PlanChange
from billing.models.rates import FeeSchedule, TaxRate
from billing.models.reconciliation import Discrepancy, ReconciliationPart, ReconciliationRun
from billing.models.reconciliation_period import ReconciliationPeriod
from billing.models.refund import Refund
from billing.models.seats import SeatAccount, SeatDrift
from billing.models.statement import PayoutStatement, StatementLine
from billing.models.stripe import InboundEvent, StripeCommand
from billing.models.subscription import BillingAccount, Invoice, Subscription, SubscriptionChange
from billing.models.transfer import Transfer, TransferReversal

__all__ = [
    "AccessChange",
    "BalanceTransaction",
    "BillingAccount",
    "ChargeFee",
    "CheckoutSession",
    "ConnectedAccount",
    "Discrepancy",
    "Dispute",
    "DisputeFile",
    "DisputeMovement",
    "DisputeResponse",
    "Document",
    "DocumentSeries",
    "FeeSchedule",
    "InboundEvent",
    "Invoice",
    "Payment",
    "PaymentLine",
    "PayoutRequest",
    "PayoutStatement",
    "Plan",
    "PlanAccess",
    "PlanChange",
    "PlanPrice",
    "ReconciliationPart",
    "ReconciliationPeriod",
    "ReconciliationRun",
    "Refund",
    "RefundAttempt",
    "SeatAccount",
    "SeatDrift",
    "StatementLine",
    "StripeBalance",
    "StripeCommand",
    "Subscription",
    "SubscriptionChange",
    "TaxRate",
    "Transfer",
    "TransferReversal",
    "TrialUse",
]
