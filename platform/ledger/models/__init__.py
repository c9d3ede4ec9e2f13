"""The ledger's tables."""

from ledger.models.books import CurrentTransactionId, LedgerEntry, LedgerTransaction
from ledger.models.invariant_run import InvariantRun

__all__ = ["CurrentTransactionId", "InvariantRun", "LedgerEntry", "LedgerTransaction"]
