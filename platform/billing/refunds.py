"""The life of a refund begins here; the whole of it:

request (here: one commit, no money moves) -> refund_submission.submit (a worker, one call to Stripe) -> refund_sync.sync (the one door for
Stripe's word: submit, webhook and sweep enter there, in any order) -> settle or fail. Above the organization's limit a second person
stands between (refund_approval). refund_sweep finds what got stuck.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import BigIntegerField, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import emails, payments, refund_entries, refund_submission, refund_terms
from billing.models import Payment, Refund
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from core.money import Money, step
from organizations.models import Organization
from organizations.permissions import Permission, require

_SOURCES_OF_PEOPLE = (Refund.Source.CONSOLE, Refund.Source.API)


class RefundExceedsBalance(DomainError):
    code, http_status = "REFUND_EXCEEDS_BALANCE", 409

    def __init__(self, *, requested: Money, refundable: Money) -> None:
        self.requested, self.refundable = requested, refundable
        super().__init__(f"Only {refundable} of this payment can still be refunded.")

    @property
    def details(self) -> dict[str, object]:
        return {"requested": self.requested.amount, "refundable": self.refundable.amount, "currency": self.refundable.currency}


class NothingToRefund(DomainError):
    code, http_status = "NOTHING_TO_REFUND", 409

    def __init__(self, why: str) -> None:
        super().__init__(why)


class PaymentDisputed(DomainError):
    code, http_status = "PAYMENT_DISPUTED", 409

    def __init__(self) -> None:
        super().__init__("The buyer disputed this payment at the bank; what the bank decides there counts, a refund would pay twice.")


class WrongCurrency(DomainError):
    code, http_status = "WRONG_CURRENCY", 422

    def __init__(self, *, given: str, expected: str) -> None:
        self.given, self.expected = given, expected
        super().__init__(f"This payment was made in {expected}; give the amount in {expected}.")


class RequestTokenReused(DomainError):
    code, http_status = "REQUEST_TOKEN_REUSED", 422

    def __init__(self) -> None:
        super().__init__("This request was sent before with other values; open the dialog again.")


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be refunded now: all that is left, what the frozen terms give, and whether the limit calls for a second person."""

    refundable: Money
    by_terms: Money
    percent: int
    limit: Money


def refundable(payment: Payment, *, taken: int | None = None) -> Money:
    """What was captured, less refunds that took money or still may (taken, read here where left out), less what is disputed."""
    taken = payment.refunds.taking_money().total() if taken is None else taken
    return Money(max(0, payment.amount_captured - taken - payment.amount_disputed), payment.currency)


def taken_by(payment: str) -> Coalesce:
    """For annotate: what refunds of the payment whose key is at this lookup took or still may, minor units; many rows in one query."""
    sums = Refund.objects.taking_money().filter(payment=OuterRef(payment)).order_by().values("payment").annotate(total=Sum("amount"))
    return Coalesce(Subquery(sums.values("total")), Value(0), output_field=BigIntegerField())


def offer(payment: Payment, *, at: datetime, taken: int | None = None) -> Offer:
    """taken: from whoever read it for many payments at once (`taken_by`)."""
    taken = payment.refunds.taking_money().total() if taken is None else taken
    left = refundable(payment, taken=taken)
    terms = max(0, min(refund_terms.amount_at(payment, at) - taken, left.amount))
    return Offer(left, Money(terms, payment.currency), refund_terms.percent_at(payment, at), approval_limit(payment))


def approval_limit(payment: Payment) -> Money:
    """The largest refund that needs no second person; the organization's for this currency, else the platform's, else none."""
    return Money(int(approval_limits(payment.organization).get(payment.currency, 0)), payment.currency)


def approval_limits(organization: Organization) -> dict[str, int]:
    """{currency: minor units}; in a currency that is not named, each refund needs a second person."""
    return {**settings.REFUND_APPROVAL_LIMITS, **organization.refund_approval_limits}


@transaction.atomic
def request(
    *,
    payment_id: UUID,
    amount: int | None,
    reason: str,
    by: Actor,
    source: str,
    note: str = "",
    currency: str | None = None,
    releases_place: bool = False,
    request_token: str | None = None,
) -> Refund:
    """Record a refund and queue it for Stripe, or for a second person's approval; no money has moved on return.

    amount: minor units of the payment's currency, tax included, > 0; None takes what the frozen terms give at this moment.
    request_token: a second request with it returns the first one's refund.
    Raises NotFound, PermissionRefused, StepUpRequired, RequestTokenReused, NothingToRefund, PaymentDisputed, WrongCurrency, InvalidInput,
    RefundExceedsBalance.
    """
    payment = payments.locked(payment_id, by)  # two refunds of one payment queue here, or both would see the same rest
    if payment is None:
        raise NotFound("payment")
    require(by, Permission.PAYMENT_REFUND, payment.organization_id, responsible_id=payment.responsible_id)
    earlier = _same_request(payment, request_token, amount)
    if earlier is not None:
        return earlier
    at = timezone.now()
    amount = _guarded_amount(payment, amount, currency, at)
    _known_reason(reason)
    refund = _insert(
        payment, by, amount=amount, reason=reason, note=note, source=source, releases_place=releases_place, request_token=request_token
    )
    refund_entries.post_requested(refund, at=at)
    after = {"amount": amount, "currency": refund.currency, "state": refund.state, "payment": payment.public_id}
    record(refund, "refund.requested", by=by, organization_id=payment.organization_id, after=after, reason=note or reason)
    if refund.state == Refund.State.REQUESTED:
        jobs.enqueue(refund_submission.submit, refund_id=refund.pk)
    jobs.enqueue(emails.send_refund_requested, refund_id=refund.pk)
    return refund


def _insert(payment: Payment, by: Actor, *, amount: int, source: str, **values: Any) -> Refund:
    """The new row, waiting for a second person where the amount is above the limit. Raises RequestTokenReused."""
    refund = Refund(payment=payment, amount=amount, currency=payment.currency, source=source, requested_by_id=by.user_id, **values)
    try:
        with transaction.atomic():  # a savepoint: PostgreSQL then still answers the question below
            refund.save(force_insert=True)
    except IntegrityError:
        # the same token raced on another payment, whose lock is not ours: its row was not to be seen before this insert
        if refund.request_token and Refund.objects.filter(request_token=refund.request_token).exists():
            raise RequestTokenReused from None
        raise
    if source in _SOURCES_OF_PEOPLE and amount > approval_limit(payment).amount:
        refund.await_approval()
        refund.save(update_fields=["state", "updated_at"])
    return refund


def _same_request(payment: Payment, token: str | None, amount: int | None) -> Refund | None:
    if not token:
        return None
    earlier = Refund.objects.filter(request_token=token).first()
    if earlier is None:
        return None
    if earlier.payment_id != payment.pk or (amount is not None and earlier.amount != amount):
        raise RequestTokenReused
    return earlier


def _known_reason(reason: str) -> None:
    if reason not in Refund.Reason.values:
        raise InvalidInput(f"Choose one of these reasons: {', '.join(Refund.Reason.values)}.", field="reason")


def _guarded_amount(payment: Payment, amount: int | None, currency: str | None, at: datetime) -> int:
    """The amount that is asked for, once every rule allows it."""
    if not payment.is_captured:
        raise NothingToRefund("This payment has not been paid, so there is nothing to refund.")
    if payment.amount_disputed:
        raise PaymentDisputed
    if currency is not None and currency != payment.currency:
        raise WrongCurrency(given=currency, expected=payment.currency)
    left = refundable(payment)
    if left.amount == 0:
        raise NothingToRefund("This payment is refunded in full, or the rest of it is on its way back.")
    if amount is None:
        amount = offer(payment, at=at).by_terms.amount
        if amount == 0:
            raise NothingToRefund(
                "The refund terms of this payment give nothing back at this moment; name an amount to refund all the same."
            )
    if amount <= 0 or amount % step(payment.currency):
        raise InvalidInput(f"Give an amount above zero, in steps of {Money(step(payment.currency), payment.currency)}.", field="amount")
    if amount > left.amount:
        raise RefundExceedsBalance(requested=Money(amount, payment.currency), refundable=left)
    return amount
