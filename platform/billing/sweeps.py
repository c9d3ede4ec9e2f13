"""What got stuck, found by the clock: refunds in flight, payments whose webhook is late, fees not booked yet, sessions left open."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from audit.actor import Actor
from billing import checkout, payments, refund_submission, refund_sync
from billing.gateway.base import GatewayBusy, GatewayError, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import CheckoutSession, Payment, Refund
from core import jobs
from core.models import Job

BY = Actor.system("billing.sweep")
_IN_FLIGHT_FOR = timedelta(minutes=10)
_BATCH = 200


@jobs.task(queue="money", outside=True)
def refunds_in_flight() -> None:
    """Look up at Stripe what has been on its way for too long; what was never sent, or has no answer, is queued again."""
    late = timezone.now() - _IN_FLIGHT_FOR
    unsent = [Refund.State.REQUESTED, Refund.State.APPROVED, Refund.State.SUBMITTING, Refund.State.UNKNOWN]
    for refund in Refund.objects.filter(state__in=unsent, updated_at__lt=late).order_by("updated_at")[:_BATCH]:
        if not _has_open_job(refund):
            jobs.enqueue(refund_submission.submit, refund_id=refund.pk)
    at_stripe = [Refund.State.PENDING, Refund.State.REQUIRES_ACTION]
    unbooked = Q(state=Refund.State.SUCCEEDED, stripe_balance_transaction_id=None)
    waiting = Refund.objects.filter(Q(state__in=at_stripe) | unbooked, updated_at__lt=late).exclude(stripe_refund_id=None)
    for refund in waiting.order_by("updated_at")[:_BATCH]:
        answer = _ask(partial(gateway().retrieve_refund, refund.stripe_refund_id or ""))
        refund_sync.sync(refund_id=refund.pk, answer=answer, at=timezone.now(), by=BY)


def _has_open_job(refund: Refund) -> bool:
    name = jobs.name_of(refund_submission.submit)
    return Job.objects.filter(name=name, ids__refund_id=str(refund.pk), state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists()


@jobs.task(queue="money", outside=True)
def missing_fees() -> None:
    """Fetch the balance transactions that did not come by `charge.updated`."""
    before = timezone.now() - timedelta(minutes=15)
    for payment in Payment.objects.fee_missing(before=before).filter(state__in=Payment.CAPTURED)[:_BATCH]:
        intent = _ask(partial(gateway().retrieve_intent, payment.stripe_payment_intent_id or ""))
        payments.sync(payment_id=payment.pk, intent=intent, at=timezone.now(), by=BY)


@jobs.task(queue="money", outside=True)
def open_checkouts() -> None:
    """Read the sessions whose end has passed, or that were never answered, so that no payment waits for a lost webhook."""
    now = timezone.now()
    late = Q(state=CheckoutSession.State.OPEN, expires_at__lt=now) | Q(
        state=CheckoutSession.State.OPENING, created_at__lt=now - timedelta(minutes=2)
    )
    for row in CheckoutSession.objects.filter(late).order_by("expires_at")[:_BATCH]:
        if row.state == CheckoutSession.State.OPENING:
            _reopen(row)
        else:
            _ask(partial(checkout.refresh, session_id=row.pk))
    unpaid = Payment.objects.filter(
        state__in=[Payment.State.PROCESSING, Payment.State.REQUIRES_ACTION], updated_at__lt=now - _IN_FLIGHT_FOR
    )
    completed = CheckoutSession.objects.filter(payment=OuterRef("pk"), state=CheckoutSession.State.COMPLETE)
    unpaid = unpaid | Payment.objects.filter(Exists(completed), state__in=Payment.OPEN, updated_at__lt=now - _IN_FLIGHT_FOR)
    for payment in unpaid.exclude(stripe_payment_intent_id=None).order_by("updated_at")[:_BATCH]:
        intent = _ask(partial(gateway().retrieve_intent, payment.stripe_payment_intent_id or ""))
        payments.sync(payment_id=payment.pk, intent=intent, at=timezone.now(), by=BY)


def _reopen(row: CheckoutSession) -> None:
    try:
        checkout.open(payment_id=row.payment_id)
    except (checkout.NotPayable, GatewayError):
        return  # nobody waits for this page any more


def _ask[T](call: Callable[[], T]) -> T:
    try:
        return call()
    except (GatewayBusy, GatewayUnknown) as error:
        raise jobs.RetryLater(str(error)) from error
