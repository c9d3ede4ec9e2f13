"""Which ledger reference books which balance transaction: set-based, by the ids that our rows hold of Stripe's objects."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

CHARGES = ("charge", "payment")
REFUNDS = ("refund", "payment_refund")
REFUND_FAILURES = ("refund_failure", "payment_failure_refund")
DISPUTES = ("dispute", "dispute_reversal")  # by reporting category: their type is "adjustment"
# What Stripe itself does only where somebody asked for it: without a row here it was asked for at Stripe, not by us.
MADE_BY_SOMEBODY = frozenset(
    [*CHARGES, *REFUNDS, *REFUND_FAILURES, "transfer", "transfer_refund", "payout", "payout_failure", "payout_cancel", "topup"]
)
_RETRY = "CASE WHEN {0} > 0 THEN ':retry-' || {0} ELSE '' END"
# Money that was posted under a balance transaction's own name stays there: linked elsewhere it would count twice.
_FREE = """m.id = ANY(%(rows)s) AND m.about = '' AND NOT EXISTS (
    SELECT 1 FROM billing_discrepancy d WHERE d.account = m.account AND d.about = m.stripe_id AND d.is_posted)"""


def _link(about: str, table: str, condition: str) -> str:
    return f"UPDATE billing_balancetransaction m SET about = {about} FROM {table} WHERE {_FREE} AND {condition}"


def _named(kind: str) -> str:
    """What the claim says behind this word."""
    return f"CASE WHEN m.claim LIKE '{kind}:%%' THEN substr(m.claim, {len(kind) + 2}) END"


def _of(kind: str) -> str:
    """Our row that the source's metadata claims."""
    return f"({_named(kind)})::uuid"


_PLATFORM = (
    _link("'payment:' || p.id", "billing_payment p", "m.type = ANY(%(charges)s) AND p.stripe_charge_id = m.source"),
    _link(
        "'payment:' || p.id",
        "billing_payment p",
        f"m.type = ANY(%(charges)s) AND p.id = {_of('payment')} AND p.stripe_charge_id IS NULL",
    ),
    _link("'invoice:' || i.id", "billing_invoice i", "m.type = ANY(%(charges)s) AND i.stripe_charge_id = m.source"),
    _link(
        "d.reference",
        "billing_disputemovement d",
        "m.reporting_category = ANY(%(disputes)s) AND d.stripe_balance_transaction_id = m.stripe_id",
    ),
    *(
        link
        for types, fact in (("refunds", ""), ("failures", ":reversal"))
        for link in (
            _link(
                f"'refund:' || r.id || '{fact}' || {_RETRY.format('r.retries')}",
                "billing_refund r",
                f"m.type = ANY(%({types})s) AND r.stripe_refund_id = m.source",
            ),
            _link(
                f"'refund:' || a.refund_id || '{fact}' || {_RETRY.format('a.retry')}",
                "billing_refundattempt a",
                f"m.type = ANY(%({types})s) AND a.stripe_refund_id = m.source",
            ),
            _link(
                f"'refund:' || r.id || '{fact}' || {_RETRY.format('r.retries')}",
                "billing_refund r",
                f"m.type = ANY(%({types})s) AND r.id = {_of('refund')} AND r.stripe_refund_id IS NULL",
            ),
        )
    ),
)
_REVERSAL = "'transfer:' || r.transfer_id || ':reversal:' || r.id"
_PAYOUT = "'payout:' || p.id || ':{0}' || " + _RETRY.format("p.retries")
_TRANSFERS = (
    _link("'transfer:' || t.id", "billing_transfer t", "m.type = 'transfer' AND t.stripe_transfer_id = m.source"),
    _link(_REVERSAL, "billing_transferreversal r", "m.type = 'transfer_refund' AND r.stripe_balance_transaction_id = m.stripe_id"),
    _link(_REVERSAL, "billing_transferreversal r", "m.type = 'transfer_refund' AND r.stripe_reversal_id = m.source"),
)
_CONNECTED = (
    _link("'transfer:' || t.id", "billing_transfer t", f"t.stripe_transfer_id = {_named('transfer')}"),
    _link(_REVERSAL, "billing_transferreversal r", f"r.stripe_reversal_id = {_named('reversal')}"),
    _link(_PAYOUT.format("created"), "billing_payoutrequest p", "m.type = 'payout' AND p.stripe_payout_id = m.source"),
    _link(_PAYOUT.format("failed"), "billing_payoutrequest p", "m.type = ANY(%(returned)s) AND p.stripe_payout_id = m.source"),
)


def link(rows: Sequence[int], *, is_platform: bool) -> None:
    """Set `about` of these balance transactions wherever a row of ours is known to have made them. Repeatable."""
    given: dict[str, Any] = {
        "rows": list(rows),
        "charges": list(CHARGES),
        "refunds": list(REFUNDS),
        "failures": list(REFUND_FAILURES),
        "disputes": list(DISPUTES),
        "returned": ["payout_failure", "payout_cancel"],
    }
    with connection.cursor() as cursor:
        for statement in (*_PLATFORM, *_TRANSFERS) if is_platform else _CONNECTED:
            cursor.execute(statement, given)
