"""What kind of difference a pair is. Pure: no queries, no clock of its own."""

from datetime import datetime, timedelta

from billing.models import Discrepancy
from billing.reconciliation.linking import DISPUTES, MADE_BY_SOMEBODY
from billing.reconciliation.matching import Pair

Kind = Discrepancy.Kind
YOUNG = timedelta(minutes=15)  # Stripe books asynchronously and webhooks are late: until then nothing is wrong


def classify(pair: Pair, *, contradicts: bool, at: datetime) -> Kind:
    """The kind of this difference at that moment. contradicts: our row's state says that this money cannot have moved.

    A pair that differs in several ways is called by the gravest: currency, then amount, then fee.
    """
    if _is_young(pair, at):
        return Kind.TIMING
    if pair.theirs is None:
        return Kind.MISSING_AT_STRIPE
    if pair.ours is None:
        return _only_at_stripe(pair, contradicts)
    if pair.theirs.currency != pair.ours.currency:
        return Kind.CURRENCY
    return Kind.AMOUNT if pair.theirs.amount != pair.ours.amount else Kind.FEE


def _is_young(pair: Pair, at: datetime) -> bool:
    """Whether the other side may simply not have heard of it yet. What both know in full does not become equal by waiting."""
    if pair.theirs is None or pair.ours is None:
        known = pair.theirs or pair.ours
        return known is not None and at - known.last_at < YOUNG
    waits_for_fee = pair.theirs.amount == pair.ours.amount and pair.ours.fee == 0 and pair.theirs.currency == pair.ours.currency
    return waits_for_fee and at - pair.theirs.last_at < YOUNG


def _only_at_stripe(pair: Pair, contradicts: bool) -> Kind:
    if contradicts:
        return Kind.STATUS
    is_known_here = ":" in pair.about or pair.category in DISPUTES  # a ledger reference, or what only Stripe begins
    return Kind.EXTERNAL if not is_known_here and pair.type in MADE_BY_SOMEBODY else Kind.MISSING_HERE
