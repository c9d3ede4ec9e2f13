"""How rows about money name themselves to people."""

from datetime import UTC, datetime

from billing.documents import printing
from billing.models import (
    BalanceTransaction,
    Dispute,
    PayoutRequest,
    PayoutStatement,
    RefundAttempt,
    StripeBalance,
    Transfer,
    TransferReversal,
)
from billing.models.document import DocumentSeries
from ledger.models import ClosedPeriod

ENDS = datetime(2026, 11, 1, tzinfo=UTC)


class TestNames:
    def test_say_what_a_row_is(self) -> None:
        movement = BalanceTransaction(stripe_id="txn_1", type="charge", amount=5000, fee=175, currency="USD")
        assert (str(movement), movement.net, str(movement.money)) == ("charge txn_1", 4825, "50.00 USD")
        assert str(StripeBalance(available=7, currency="USD")) == "7 USD"
        assert str(RefundAttempt(stripe_refund_id="re_1")) == "re_1"
        assert str(Transfer(amount=700, currency="USD")) == "Transfer of 7.00 USD"
        assert str(TransferReversal(amount=700, currency="USD")) == "Reversal of 7.00 USD"
        assert str(DocumentSeries(kind="receipt", year=2026)) == "Receipt 2026"
        assert str(ClosedPeriod(account="stripe_balance", currency="USD", ends_at=ENDS)) == "stripe_balance USD up to 2026-11-01"
        assert str(PayoutStatement(payout_request=PayoutRequest(amount=700, currency="USD"))).startswith("Statement of Payout of 7.00 USD")
        assert Dispute(status="warning_needs_response").is_inquiry
        assert printing._day("") == ""
