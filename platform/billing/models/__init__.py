from billing.models.account import ConnectedAccount, StripeBalance
from billing.models.balance_transaction import BalanceTransaction, ChargeFee, RefundAttempt
from billing.models.dispute import Dispute, DisputeMovement
from billing.models.dispute_response import DisputeFile, DisputeResponse
from billing.models.document import Document, DocumentSeries
from billing.models.payment import CheckoutSession, Payment, PaymentLine
from billing.models.payout import PayoutRequest
from billing.models.plan import Plan, PlanPrice
from billing.models.rates import FeeSchedule, TaxRate
from billing.models.reconciliation import Discrepancy, ReconciliationPart, ReconciliationRun
from billing.models.reconciliation_period import ReconciliationPeriod
from billing.models.refund import Refund
from billing.models.statement import PayoutStatement, StatementLine
from billing.models.stripe import InboundEvent, StripeCommand
from billing.models.transfer import Transfer, TransferReversal

__all__ = [
    "BalanceTransaction",
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
    "Payment",
    "PaymentLine",
    "PayoutRequest",
    "PayoutStatement",
    "Plan",
    "PlanPrice",
    "ReconciliationPart",
    "ReconciliationPeriod",
    "ReconciliationRun",
    "Refund",
    "RefundAttempt",
    "StatementLine",
    "StripeBalance",
    "StripeCommand",
    "TaxRate",
    "Transfer",
    "TransferReversal",
]
