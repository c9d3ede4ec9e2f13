"""The second person: approve or reject a refund above the limit, retry one that failed."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import emails, payments, refund_entries, refund_submission, refunds
from billing.models import Payment, Refund, RefundAttempt
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from core.money import Money
from organizations.permissions import Permission, require


class SamePerson(DomainError):
    code, http_status = "SAME_PERSON", 409

    def __init__(self) -> None:
        super().__init__("You asked for this refund yourself; another person has to approve it.")


class NotWaiting(DomainError):
    code, http_status = "REFUND_NOT_WAITING", 409

    def __init__(self, refund: Refund) -> None:
        self.state = refund.state
        super().__init__(f"This refund is {refund.get_state_display().lower()}; it does not wait for approval any more.")


class NotFailed(DomainError):
    code, http_status = "REFUND_NOT_FAILED", 409

    def __init__(self, refund: Refund) -> None:
        self.state = refund.state
        super().__init__(f"Only a failed refund can be tried again; this one is {refund.get_state_display().lower()}.")


def _locked(refund_id: UUID, by: Actor) -> tuple[Payment, Refund]:
    """The payment's lock first, as everywhere, then the refund as it is under it. Raises NotFound."""
    payment_id = Refund.objects.visible_to(by).filter(pk=refund_id).values_list("payment_id", flat=True).first()
    payment = payments.locked(payment_id, by) if payment_id else None
    if payment is None:
        raise NotFound("refund")
    return payment, payment.refunds.select_related("payment").get(pk=refund_id)


@transaction.atomic
def approve(*, refund_id: UUID, by: Actor) -> Refund:
    """Let the refund go to Stripe; it is queued on return.

    Raises NotFound, PermissionRefused, StepUpRequired, NotWaiting, SamePerson, PaymentDisputed.
    """
    payment, refund = _locked(refund_id, by)
    require(by, Permission.REFUND_APPROVE, payment.organization_id)
    if refund.state != Refund.State.AWAITING_APPROVAL:
        raise NotWaiting(refund)
    if by.user_id is None or by.user_id == refund.requested_by_id:
        raise SamePerson
    if payment.amount_disputed:
        raise refunds.PaymentDisputed
    refund.approve(user_id=by.user_id)
    refund.save(update_fields=["state", "approved_by", "updated_at"])
    record(
        refund, "refund.approved", by=by, organization_id=payment.organization_id, after={"state": refund.state, "amount": refund.amount}
    )
    jobs.enqueue(refund_submission.submit, refund_id=refund.pk)
    return refund


@transaction.atomic
def reject(*, refund_id: UUID, why: str, by: Actor) -> Refund:
    """Turn the refund down; its money is the organization's again on return. Raises as `approve`, and InvalidInput without a reason."""
    payment, refund = _locked(refund_id, by)
    require(by, Permission.REFUND_APPROVE, payment.organization_id)
    if not why.strip():
        raise InvalidInput("Say why, so that whoever asked for the refund can tell the attendee.", field="why")
    if refund.state != Refund.State.AWAITING_APPROVAL:
        raise NotWaiting(refund)
    at = timezone.now()
    refund.reject(at=at, why=why.strip())
    refund.save(update_fields=["state", "failed_at", "failure_reason", "updated_at"])
    refund_entries.reverse(refund, at=at)
    record(refund, "refund.rejected", by=by, organization_id=payment.organization_id, after={"state": refund.state}, reason=why.strip())
    jobs.enqueue(emails.send_refund_failed, refund_id=refund.pk)
    return refund


@transaction.atomic
def retry(*, refund_id: UUID, by: Actor) -> Refund:
    """Try a failed refund again under a new key, once a person decided so; queued on return.

    Raises NotFound, PermissionRefused, StepUpRequired, NotFailed, RefundExceedsBalance, PaymentDisputed.
    """
    payment, refund = _locked(refund_id, by)
    require(by, Permission.REFUND_RETRY, payment.organization_id)
    if refund.state != Refund.State.FAILED:
        raise NotFailed(refund)
    if payment.amount_disputed:
        raise refunds.PaymentDisputed
    left = refunds.refundable(payment)
    if refund.amount > left.amount:
        raise refunds.RefundExceedsBalance(requested=Money(refund.amount, refund.currency), refundable=left)
    given_up = refund.stripe_refund_id
    _remember_attempt(refund)
    refund.retry()
    refund.save()
    refund_entries.post_requested(refund, at=timezone.now())
    record(
        refund,
        "refund.retried",
        by=by,
        organization_id=payment.organization_id,
        before={"stripe_refund_id": given_up},
        after={"state": refund.state, "attempt": refund.attempt},
    )
    jobs.enqueue(refund_submission.submit, refund_id=refund.pk)
    return refund


def _remember_attempt(refund: Refund) -> None:
    """Keep the ids of what failed at Stripe: its balance transactions stay there, and stay booked."""
    if refund.stripe_refund_id is not None:
        RefundAttempt.objects.create(
            refund=refund,
            retry=refund.retries,
            stripe_refund_id=refund.stripe_refund_id,
            stripe_balance_transaction_id=refund.stripe_balance_transaction_id,
            failure_balance_transaction_id=refund.failure_balance_transaction_id,
        )
