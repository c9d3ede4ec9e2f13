"""The ledger's tables."""

from ledger.models.books import CurrentTransactionId, LedgerEntry, LedgerTransaction
from ledger.models.closed_period import ClosedPeriod
from ledger.models.invariant_run import InvariantRun

__all__ = ["ClosedPeriod", "CurrentTransactionId", "InvariantRun", "LedgerEntry", "LedgerTransaction"]
