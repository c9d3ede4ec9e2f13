"""Rows go in as the state machines let them begin, and are then moved along legal moves, many at once."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery, Sum

from billing.models import CheckoutSession, Payment, Refund, StripeCommand
from config.demo.copying import copy_rows
from config.demo.ids import key
from config.demo.refunding import Planned
from config.demo.sales import Sale
from registrations.models import Registration

State = Refund.State
_PATHS: dict[str, tuple[str, ...]] = {
    State.APPROVED: (State.AWAITING_APPROVAL, State.APPROVED),
    State.UNKNOWN: (State.SUBMITTING, State.UNKNOWN),
}
_CHECKOUT_ENDS = {"succeeded": "complete", "failed": "open"}


def move(model: type[Any], states: Iterable[tuple[object, str]], paths: dict[str, tuple[str, ...]] | None = None, **values: Any) -> None:
    """Take each row (its key, its last state) there by the path of that state, one step where none is named. values: set on the way."""
    for last, rows in groupby(sorted(states, key=lambda row: row[1]), key=lambda row: row[1]):
        keys = [row[0] for row in rows]
        for state in (paths or {}).get(last, (last,)):
            model.objects.filter(pk__in=keys).update(state=state, **values)


def write_sales(sales: Sequence[Sale]) -> None:
    payments = [sale.payment for sale in sales if sale.payment]
    copy_rows(payments)
    copy_rows([line for sale in sales for line in sale.lines])
    copy_rows([sale.checkout for sale in sales if sale.checkout])
    move(Payment, ((sale.paid.pk, sale.outcome) for sale in sales if sale.payment))
    ends = ((sale.checkout.pk, _CHECKOUT_ENDS.get(sale.outcome, "expired")) for sale in sales if sale.checkout)
    move(CheckoutSession, ends, {"complete": ("open", "complete"), "expired": ("open", "expired")})
    _write_places(sales)


def _write_places(sales: Sequence[Sale]) -> None:
    """Cancelled places first: all together they would not fit into a full event."""
    for is_cancelled in (True, False):
        chosen = [sale for sale in sales if sale.registration and (sale.place == Registration.State.CANCELLED) is is_cancelled]
        copy_rows([sale.registration for sale in chosen if sale.registration])
        ends = ((sale.registration.pk, sale.place) for sale in chosen if sale.registration and sale.place != Registration.State.PENDING)
        move(Registration, ends, hold_expires_at=None)


def write_refunds(refunds: Sequence[Planned]) -> None:
    """Refunds with the calls that made them; their payments follow, as restate would have derived them."""
    copy_rows([planned.refund for planned in refunds])
    ends = ((planned.refund.pk, planned.state) for planned in refunds if planned.state != State.REQUESTED)
    move(Refund, ends, _PATHS)
    _write_commands([planned for planned in refunds if planned.refund.submitted_at and planned.refund.source != Refund.Source.EXTERNAL])
    total = (
        Refund.objects.filter(payment=OuterRef("pk"), state=State.SUCCEEDED).values("payment").annotate(total=Sum("amount")).values("total")
    )
    back: dict[Any, int] = {}
    due = {planned.refund.payment_id: planned.refund.payment.amount for planned in refunds}
    for planned in refunds:
        if planned.state == State.SUCCEEDED:
            back[planned.refund.payment_id] = back.get(planned.refund.payment_id, 0) + planned.refund.amount
    ends = ((pk, "refunded" if amount == due[pk] else "partially_refunded") for pk, amount in back.items())
    move(Payment, ends, amount_refunded=Subquery(total))


def _write_commands(refunds: Sequence[Planned]) -> None:
    copy_rows([_command(planned) for planned in refunds])
    outcomes: dict[str, str] = {State.UNKNOWN: "unknown", State.SUBMITTING: "sent"}
    paths = {"unknown": ("sent", "unknown"), "sent": ("sent",), "failed": ("sent", "failed"), "succeeded": ("sent", "succeeded")}
    ends = ((_command_key(planned), outcomes.get(planned.state, "succeeded" if planned.at_stripe else "failed")) for planned in refunds)
    move(StripeCommand, ends, paths)


def _command_key(planned: Planned) -> UUID:
    return key(planned.refund.submitted_at or planned.refund.created_at, "command", planned.suffix)


def _command(planned: Planned) -> StripeCommand:
    row, is_lost = planned.refund, planned.state == State.UNKNOWN
    at = row.submitted_at or row.created_at
    answered = None if is_lost or planned.state == State.SUBMITTING else at
    metadata = {"refund_id": str(row.pk), "attempt": "1", "payment_id": str(row.payment_id)}
    return StripeCommand(
        id=_command_key(planned),
        operation="refund.create",
        key=row.stripe_key,
        parameters={"payment_intent": row.payment.stripe_payment_intent_id, "amount": row.amount, "metadata": metadata},
        subject_type="billing.refund",
        subject_id=row.pk,
        organization_id=row.payment.organization_id,
        calls=1,
        stripe_object_id=row.stripe_refund_id or "",
        error="timeout: Stripe did not answer within 15 seconds." if is_lost else "" if planned.at_stripe else row.failure_reason,
        sent_at=at,
        answered_at=answered,
        created_at=at,
        updated_at=at,
    )
