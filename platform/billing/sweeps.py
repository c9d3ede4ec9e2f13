"""What got stuck, found by the clock: refunds in flight, payments whose webhook is late, fees not booked yet, sessions left open."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import structlog
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from audit.actor import Actor
from billing import checkout, payments, refund_submission, refund_sync
from billing.documents import issuing
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import CheckoutSession, Payment, Refund
from core import jobs
from core.errors import DomainError
from core.models import BaseModel, Job

BY = Actor.system("billing.sweep")
_IN_FLIGHT_FOR = timedelta(minutes=10)
_BATCH = 200
_DOCUMENTS = 1_500  # nothing is asked of Stripe; with the queue's time limit in mind


@jobs.task(queue="money", outside=True)
def refunds_in_flight() -> None:
    """Look up at Stripe what has been on its way for too long; what was never sent, or has no answer, is queued again."""
    late = timezone.now() - _IN_FLIGHT_FOR
    unsent = [Refund.State.REQUESTED, Refund.State.APPROVED, Refund.State.SUBMITTING, Refund.State.UNKNOWN]
    for refund in Refund.objects.filter(state__in=unsent, updated_at__lt=late).order_by("updated_at")[:_BATCH]:
        if not has_open_job(refund_submission.submit, refund_id=refund.pk):
            jobs.enqueue(refund_submission.submit, refund_id=refund.pk)
    at_stripe = [Refund.State.PENDING, Refund.State.REQUIRES_ACTION]
    unbooked = Q(state=Refund.State.SUCCEEDED, stripe_balance_transaction_id=None)
    waiting = Refund.objects.filter(Q(state__in=at_stripe) | unbooked, updated_at__lt=late).exclude(stripe_refund_id=None)
    each(waiting.order_by("updated_at")[:_BATCH], _read_refund)


def has_open_job(task: Callable[..., None], **ids: object) -> bool:
    """Whether this work about these ids is queued or being done."""
    wanted = {key: str(value) for key, value in ids.items()}
    return Job.objects.filter(name=jobs.name_of(task), ids=wanted, state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists()


def _read_refund(refund: Refund) -> None:
    Refund.objects.filter(pk=refund.pk).update(updated_at=timezone.now())  # asked now: the others come first next time
    answer = gateway().retrieve_refund(refund.stripe_refund_id or "")
    refund_sync.sync(refund_id=refund.pk, answer=answer, at=timezone.now(), by=BY)


@jobs.task(queue="money", outside=True)
def missing_fees() -> None:
    """Fetch the balance transactions that did not come by `charge.updated`."""
    before = timezone.now() - timedelta(minutes=15)
    each(_longest_unasked(Payment.objects.fee_missing(before=before).filter(state__in=Payment.CAPTURED)), _read_payment)


def _longest_unasked(payments_: Any) -> Iterable[Payment]:
    found: Iterable[Payment] = payments_.exclude(stripe_payment_intent_id=None).order_by(F("checked_at").asc(nulls_first=True))[:_BATCH]
    return found


def _read_payment(payment: Payment) -> None:
    Payment.objects.filter(pk=payment.pk).update(checked_at=timezone.now())
    intent = gateway().retrieve_intent(payment.stripe_payment_intent_id or "")
    payments.sync(payment_id=payment.pk, intent=intent, at=timezone.now(), by=BY)


@jobs.task(queue="money", outside=True)
def open_checkouts() -> None:
    """Read the sessions whose end has passed, or that were never answered, so that no payment waits for a lost webhook."""
    now = timezone.now()
    opening = Q(state=CheckoutSession.State.OPENING, created_at__lt=now - timedelta(minutes=2))
    late = CheckoutSession.objects.filter(Q(state=CheckoutSession.State.OPEN, expires_at__lt=now) | opening)
    each(late.order_by("expires_at")[:_BATCH], _read_session)
    completed = CheckoutSession.objects.filter(payment=OuterRef("pk"), state=CheckoutSession.State.COMPLETE)
    waiting = Q(state__in=[Payment.State.PROCESSING, Payment.State.REQUIRES_ACTION]) | Q(Exists(completed), state__in=Payment.OPEN)
    each(_longest_unasked(Payment.objects.filter(waiting, updated_at__lt=now - _IN_FLIGHT_FOR)), _read_payment)


def _read_session(row: CheckoutSession) -> None:
    if row.state == CheckoutSession.State.OPENING:
        checkout.open(payment_id=row.payment_id)
    else:
        checkout.refresh(session_id=row.pk)


@jobs.task(outside=True)
def documents_due() -> None:
    """Issue receipts and credit notes that are late, each in a transaction of its own (so `outside`: one of them all would keep every
    series locked), in the order in which they became due."""
    late = timezone.now() - _IN_FLIGHT_FOR
    due = Payment.objects.filter(documents_due_at__lt=late).order_by("documents_due_at")
    for payment_id in due.values_list("pk", flat=True)[:_DOCUMENTS]:
        issuing.issue(payment_id=payment_id)


def each[T: BaseModel](rows: Iterable[T], read: Callable[[T], None]) -> None:
    """Read each at Stripe. One that is refused waits for a person and does not keep the others waiting; raises RetryLater where Stripe
    cannot be asked."""
    for row in rows:
        try:
            read(row)
        except (GatewayBusy, GatewayUnknown) as error:
            raise jobs.RetryLater(str(error)) from error
        except (GatewayRefused, DomainError) as error:
            structlog.get_logger().warning("sweep.refused", about=row.public_id, error=str(error))
