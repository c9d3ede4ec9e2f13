"""Making the refund at Stripe, from a worker, with no transaction open around the call.

A time-out or a reset is unknown, never failed: the same key is sent again, and Stripe replays what it did. A 5xx that Stripe stored
for the key would be replayed for ever, so then Stripe is asked first what exists; only where it has nothing does the attempt rise.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import commands, refund_sync
from billing.gateway.base import GatewayBusy, GatewayRefund, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import Payment, Refund
from core import jobs

_REASONS_OF_STRIPE = ("duplicate", "fraudulent", "requested_by_customer")
BY = Actor.system("refunds.submit")


@jobs.task(queue="money", outside=True)
def submit(*, refund_id: UUID) -> None:
    """Have Stripe make the refund and bring ours in line. Repeatable at any point; raises RetryLater after a lost answer."""
    refund, first_time = begin(refund_id=refund_id, at=timezone.now())
    if refund is None:
        return
    if not first_time:
        found = find_at_stripe(refund)
        if found is not None:
            refund_sync.sync(refund_id=refund_id, answer=found, at=timezone.now(), by=BY)
            return
        if commands.is_spent(key=refund.stripe_key, since=refund.submitted_at):
            refund = next_attempt(refund_id=refund_id, given_up=refund.attempt)
    _send(refund)


@transaction.atomic
def begin(*, refund_id: UUID, at: datetime) -> tuple[Refund | None, bool]:
    """Take the refund to `submitting`; (None, …) where it is not its turn. The flag says whether this is the attempt's first call."""
    payment = Payment.objects.select_for_update(of=["self"]).get(refunds=refund_id)
    refund = payment.refunds.select_related("payment").get(pk=refund_id)
    if refund.state not in (Refund.State.REQUESTED, Refund.State.APPROVED, Refund.State.SUBMITTING, Refund.State.UNKNOWN):
        return None, False
    first_time = refund.submitted_at is None
    refund.begin(at=refund.submitted_at or at)
    refund.save(update_fields=["state", "submitted_at", "updated_at"])
    return refund, first_time


def find_at_stripe(refund: Refund) -> GatewayRefund | None:
    """Stripe's refund of this attempt, if it has one. Raises RetryLater where Stripe cannot be asked."""
    try:
        for found in gateway().refunds_of(refund.payment.stripe_payment_intent_id or ""):
            if found.metadata.get("refund_id") == str(refund.pk) and found.metadata.get("attempt") == str(refund.attempt):
                return found
    except (GatewayBusy, GatewayUnknown) as error:
        raise jobs.RetryLater(str(error)) from error
    return None


@transaction.atomic
def next_attempt(*, refund_id: UUID, given_up: int) -> Refund:
    """A new key, after a look-up found nothing at Stripe. Two workers at once raise it once."""
    payment = Payment.objects.select_for_update(of=["self"]).get(refunds=refund_id)
    refund = payment.refunds.select_related("payment").get(pk=refund_id)
    if refund.attempt == given_up:
        refund.renew_key(at=timezone.now())
        refund.save(update_fields=["attempt", "submitted_at", "updated_at"])
        record(refund, "refund.key_renewed", by=BY, organization_id=payment.organization_id, after={"attempt": refund.attempt})
    return refund


@transaction.atomic
def lose_answer(*, refund_id: UUID, attempt: int) -> None:
    """Say that the outcome is unknown; a webhook that came first is left alone."""
    Payment.objects.select_for_update(of=["self"]).get(refunds=refund_id)
    refund = Refund.objects.get(pk=refund_id)
    if refund.state == Refund.State.SUBMITTING and refund.attempt == attempt:
        refund.lose_answer()
        refund.save(update_fields=["state", "updated_at"])


def _send(refund: Refund) -> None:
    command = commands.prepare(
        operation="refund.create",
        key=refund.stripe_key,
        parameters=_parameters(refund),
        subject=refund,
        organization_id=refund.payment.organization_id,
    )
    try:
        answer = commands.perform(command, lambda parameters, key: gateway().create_refund(parameters, key=key))
    except GatewayRefused as refusal:
        refund_sync.fail(refund_id=refund.pk, attempt=refund.attempt, why=str(refusal), at=timezone.now(), by=BY)
    except GatewayBusy as busy:
        raise jobs.RetryLater(str(busy)) from busy
    except GatewayUnknown as lost:
        lose_answer(refund_id=refund.pk, attempt=refund.attempt)
        raise jobs.RetryLater(str(lost)) from lost
    else:
        refund_sync.sync(refund_id=refund.pk, answer=answer, at=timezone.now(), by=BY)


def _parameters(refund: Refund) -> dict[str, Any]:
    reason = {"reason": refund.reason} if refund.reason in _REASONS_OF_STRIPE else {}
    metadata = {"refund_id": str(refund.pk), "attempt": str(refund.attempt), "payment_id": str(refund.payment_id)}
    return {"payment_intent": refund.payment.stripe_payment_intent_id, "amount": refund.amount, "metadata": metadata, **reason}
