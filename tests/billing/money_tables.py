"""All that the database says about money, in a form that is the same whatever order it was learned in.

Every column counts unless it is named here with the reason why it may differ. Rows that Stripe's word made are named by Stripe's ids,
because ours are made when we hear of them.

One thing we do, and not Stripe, while we know only a part: what lies in a connected account and is not earned any more is fetched back.
Whoever hears of the refund before the sale fetches back more, and the next payout transfers more. Those reversals are left out, in their
table, their commands, the readings of Stripe's balances and the ledger; that nothing is left to be fetched back is the test's to say.
"""

import hashlib
import json
from collections import Counter
from typing import Any
from uuid import UUID

from django.db.models import Model, Sum

from billing.models import (
    CheckoutSession,
    ConnectedAccount,
    Dispute,
    DisputeMovement,
    Document,
    InboundEvent,
    Payment,
    PayoutRequest,
    Refund,
    StripeCommand,
    Transfer,
    TransferReversal,
)
from ledger.models import LedgerEntry

# Moments at which we heard or wrote something; what happened at Stripe keeps Stripe's time (paid_at, opened_at, happened_at, due_by).
_OUR_CLOCK = {"created_at", "updated_at"}
_LEFT_OUT: dict[type[Model], set[str]] = {
    Payment: {"checked_at"},  # when a sweep last asked: a lost webhook is what makes it ask
    CheckoutSession: set(),
    Refund: {"succeeded_at", "failed_at", "submitted_at"},  # when we heard; a retry under the same key asks again
    Dispute: {"closed_at"},  # when we heard
    DisputeMovement: {"id", "reference"},  # a counter; our dispute's key is in the reference
    PayoutRequest: {"paid_at", "ended_at", "submitted_at", "transfer_began_at"},  # when we heard, and when a worker began
    Transfer: {"submitted_at", "amount_reversed"},  # see _reversals
    ConnectedAccount: {"synced_at"},  # when we last asked
    # numbers and moments of issue follow the order in which we heard, as numbers without gaps must; what is printed holds both
    Document: {"id", "year", "number", "issued_at", "content", "about"},
    # an answer that was lost is asked for again, or found by a webhook first: how often, and what went wrong before, depends on which
    StripeCommand: {"id", "calls", "sent_at", "answered_at", "error", "state", "stripe_object_id"},
    # how often it came, was tried, and when; its body is Stripe's
    InboundEvent: {"id", "received_at", "repeats", "attempts", "run_after", "processed_at", "error", "body"},
}
# Their keys are made when we hear of them.
_NAMED_BY_STRIPE: dict[type[Model], str] = {Refund: "stripe_refund_id", Dispute: "stripe_dispute_id"}


def money_tables() -> dict[str, list[str]]:
    """Rows by table, sorted."""
    names = {row.pk: getattr(row, field) for model, field in _NAMED_BY_STRIPE.items() for row in model._default_manager.all()}
    found = {model._meta.db_table: sorted(_row(each, names) for each in _rows(model)) for model in _LEFT_OUT}
    return {**found, "reversals": _reversals(), "ledger": _ledger()}


def fingerprint(tables: dict[str, list[str]]) -> str:
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def _rows(model: type[Model]) -> Any:
    rows = model._default_manager.all()
    if model is StripeCommand:
        return rows.exclude(operation="transfer.reverse")
    return rows.exclude(body__contains='"idempotency_key": "reversal-') if model is InboundEvent else rows


def _row(row: Model, names: dict[UUID, str]) -> str:
    left_out = _LEFT_OUT[type(row)] | _OUR_CLOCK
    values = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields if field.name not in left_out}
    named = {name: names.get(value, value) if isinstance(value, UUID) else value for name, value in values.items()}
    return json.dumps(named, default=str, sort_keys=True)


def _reversals() -> list[str]:
    """What people at Stripe fetched back of each transfer."""
    rows = TransferReversal.objects.filter(source=TransferReversal.Source.EXTERNAL)
    return sorted(map(str, rows.values_list("transfer", "state", "stripe_reversal_id", "stripe_balance_transaction_id", "amount_reversed")))


def _ledger() -> list[str]:
    """What the books hold of each payment, payout and transfer in each account. In which of a payment's refunds a rounded unit went
    depends on which of them came first; a payment as a whole does not."""
    payments = {
        str(pk): str(payment) for model in (Refund, Dispute) for pk, payment in model._default_manager.values_list("pk", "payment_id")
    }
    rows = LedgerEntry.objects.values_list("transaction__reference", "account", "owner", "currency").annotate(total=Sum("amount"))
    sums: Counter[tuple[str, ...]] = Counter()
    fetched_back = {str(pk) for pk in TransferReversal.objects.filter(source="recovery").values_list("pk", flat=True)}
    for reference, *account, total in rows.order_by():
        kind, key, *facts = reference.split(":")
        if fetched_back.isdisjoint(facts):
            sums[payments.get(key, f"{kind} {key}").removeprefix("payment "), *account] += total
    return sorted(json.dumps([*key, total]) for key, total in sums.items() if total)
