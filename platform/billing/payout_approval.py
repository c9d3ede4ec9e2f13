"""Finance decides: approve or reject a payout, hold it and let it go on, try one again that failed."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import earnings, payout_submission
from billing.models import PayoutRequest
from billing.payout_requests import (
    ExceedsAvailable,
    NegativeBalance,
    PayoutAlreadyOpen,
    PayoutNotWaiting,
    PayoutsNotUsable,
    locked,
    second_person_above,
)
from core import jobs
from core.errors import DomainError, InvalidInput
from core.money import Money
from organizations.permissions import Permission, require

State = PayoutRequest.State


class SamePersonAsked(DomainError):
    code, http_status = "SAME_PERSON_ASKED", 409

    def __init__(self, currency: str) -> None:
        limit = second_person_above(currency)
        super().__init__(f"You asked for this payout yourself; above {limit} another person has to approve it.")


class StripeBalanceUnread(DomainError):
    code, http_status = "STRIPE_BALANCE_UNREAD", 409

    def __init__(self, currency: str) -> None:
        super().__init__(f"Stripe's balance in {currency} has not been read yet; that happens within minutes, then try again.")


def available_for(payout: PayoutRequest) -> int:
    """What this payout may take now, minor units: what is available, its own amount counted in.

    Raises NegativeBalance, StripeBalanceUnread.
    """
    balance = earnings.balance(payout.organization_id, payout.currency, at=timezone.now())
    if balance.owed:
        raise NegativeBalance(balance.money("owed"))
    if balance.at_stripe is None:
        raise StripeBalanceUnread(payout.currency)
    own = payout.amount if payout.state in PayoutRequest.OPEN else 0
    return max(0, min(balance.unrequested + own, balance.at_stripe))


def guarded(payout: PayoutRequest, by: Actor) -> int:
    """What is available for it, once a second person and the money allow it; asked again under the lock by whoever approves."""
    if by.user_id is None or (payout.above_limit and by.user_id == payout.requested_by_id):
        raise SamePersonAsked(payout.currency)
    if not payout.account.is_usable_in(payout.currency):
        raise PayoutsNotUsable(payout.currency, payout.account)
    available = available_for(payout)
    if payout.amount > available:
        raise ExceedsAvailable(requested=payout.money, available=Money(available, payout.currency))
    return available


@transaction.atomic
def approve(*, payout_request_id: UUID, by: Actor) -> PayoutRequest:
    """Let the payout go to Stripe; it is queued on return, and what was available is kept with it.

    Raises NotFound, PermissionRefused, StepUpRequired, PayoutNotWaiting, SamePersonAsked, PayoutsNotUsable, NegativeBalance,
    StripeBalanceUnread, ExceedsAvailable.
    """
    payout = locked(payout_request_id, by)
    require(by, Permission.PAYOUT_APPROVE, payout.organization_id)
    if payout.state != State.REQUESTED:
        raise PayoutNotWaiting(payout)
    available = guarded(payout, by)
    payout.approve(user_id=by.user_id, available=available, at=timezone.now())
    payout.save(update_fields=["state", "approved_by", "available_at_approval", "approved_at", "updated_at"])
    record(payout, "payout.approved", by=by, after={"state": payout.state, "amount": payout.amount, "available": available})
    jobs.enqueue(payout_submission.submit, payout_request_id=payout.pk)
    return payout


@transaction.atomic
def reject(*, payout_request_id: UUID, why: str, by: Actor) -> PayoutRequest:
    """Turn a payout down, also one on hold; its amount is available again on return.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput without a reason, PayoutNotWaiting.
    """
    payout = locked(payout_request_id, by)
    require(by, Permission.PAYOUT_APPROVE, payout.organization_id)
    why = _reason(why)
    if payout.state not in (State.REQUESTED, State.ON_HOLD):
        raise PayoutNotWaiting(payout)
    before = payout.state
    payout.reject(at=timezone.now(), why=why)
    payout.save(update_fields=["state", "ended_at", "reason", "blocked", "updated_at"])
    record(payout, "payout.rejected", by=by, before={"state": before}, after={"state": payout.state}, reason=why)
    return payout


def _reason(why: str) -> str:
    if not why.strip():
        raise InvalidInput("Say why, so that the organization knows what to do.", field="why")
    return why.strip()


@transaction.atomic
def hold(*, payout_request_id: UUID, why: str, by: Actor) -> PayoutRequest:
    """Keep an approved payout from going to Stripe until somebody releases it.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput without a reason, PayoutNotWaiting (also once its transfer began).
    """
    payout = locked(payout_request_id, by)
    require(by, Permission.PAYOUT_APPROVE, payout.organization_id)
    why = _reason(why)
    if payout.state != State.APPROVED:
        raise PayoutNotWaiting(payout)
    payout.hold(why=why)
    payout.save(update_fields=["state", "reason", "updated_at"])
    record(payout, "payout.held", by=by, before={"state": State.APPROVED}, after={"state": payout.state}, reason=why)
    return payout


@transaction.atomic
def release(*, payout_request_id: UUID, by: Actor) -> PayoutRequest:
    """Let a held payout go on; it is queued on return. Raises NotFound, PermissionRefused, StepUpRequired, PayoutNotWaiting."""
    payout = locked(payout_request_id, by)
    require(by, Permission.PAYOUT_APPROVE, payout.organization_id)
    if payout.state != State.ON_HOLD:
        raise PayoutNotWaiting(payout)
    payout.release()
    payout.save(update_fields=["state", "reason", "updated_at"])
    record(payout, "payout.released", by=by, before={"state": State.ON_HOLD}, after={"state": payout.state})
    jobs.enqueue(payout_submission.submit, payout_request_id=payout.pk)
    return payout


@transaction.atomic
def retry(*, payout_request_id: UUID, by: Actor) -> PayoutRequest:
    """Try a failed payout again under new keys, once a person decided so; only what the connected account lacks is transferred.

    Raises what `approve` raises, and PayoutAlreadyOpen where another one was asked for meanwhile.
    """
    payout = locked(payout_request_id, by)
    require(by, Permission.PAYOUT_APPROVE, payout.organization_id)
    if payout.state != State.FAILED:
        raise PayoutNotWaiting(payout)
    other = payout.account.payout_requests.open().filter(currency=payout.currency).first()
    if other is not None:
        raise PayoutAlreadyOpen(other)
    available = guarded(payout, by)
    given_up = payout.stripe_payout_id
    payout.retry(user_id=by.user_id, available=available, at=timezone.now())
    payout.save()
    after = {"state": payout.state, "attempt": payout.attempt, "available": available}
    record(payout, "payout.retried", by=by, before={"stripe_payout_id": given_up}, after=after)
    jobs.enqueue(payout_submission.submit, payout_request_id=payout.pk)
    return payout
