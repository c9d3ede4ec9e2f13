"""Stripe's word about payouts: one door for submit, webhook and sweep, so that their order does not matter."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from audit.recording import record
from billing import payout_emails, payout_statements, postings, recovery, stripe_balances
from billing.gateway.base import GatewayPayout
from billing.models import ConnectedAccount, PayoutRequest
from core import jobs
from core.errors import DomainError
from ledger import posting
from ledger.posting import Entry

State = PayoutRequest.State
_ENDED_BADLY = ("failed", "canceled")


class SecondPayout(DomainError):
    """Stripe has two payouts for one of ours: a person has to look."""

    code, http_status = "SECOND_PAYOUT", 409

    def __init__(self, *, stripe_payout_id: str) -> None:
        self.stripe_payout_id = stripe_payout_id
        super().__init__(f"{stripe_payout_id} pays out what another payout has paid already; cancel it at Stripe.")


def _locked(payout_request_id: UUID) -> PayoutRequest:
    ConnectedAccount.objects.select_for_update().get(payout_requests=payout_request_id)
    return PayoutRequest.objects.select_related("account", "organization").get(pk=payout_request_id)


@transaction.atomic
def sync(*, payout_request_id: UUID, answer: GatewayPayout, at: datetime, by: Actor) -> PayoutRequest:
    """Bring the payout in line with Stripe's; repeatable, and safe with an answer that is older than what we know.

    A word about an attempt that was given up changes nothing where it came to nothing; SecondPayout where it did not.
    """
    payout = _locked(payout_request_id)
    if payout.stripe_payout_id != answer.id and (payout.stripe_payout_id is not None or _is_of_earlier_attempt(payout, answer)):
        if answer.status not in _ENDED_BADLY:
            raise SecondPayout(stripe_payout_id=answer.id)
        return payout
    if payout.state == State.TRANSFERRING:
        payout = _created(payout, answer, at, by)
    if answer.status == "paid":
        return settle(payout_request_id=payout.pk, at=at, by=by)
    if answer.status in _ENDED_BADLY:
        why = answer.failure_message or f"Stripe says: {answer.status}."
        return fail(payout_request_id=payout.pk, attempt=payout.attempt, why=why, at=at, by=by)
    return payout


def _is_of_earlier_attempt(payout: PayoutRequest, answer: GatewayPayout) -> bool:
    attempt = answer.metadata.get("attempt", "")
    return attempt.isdecimal() and int(attempt) < payout.attempt


def _created(payout: PayoutRequest, answer: GatewayPayout, at: datetime, by: Actor) -> PayoutRequest:
    payout.stripe_payout_id = answer.id
    payout.move(arrives_at=answer.arrives_at)
    payout.save(update_fields=["state", "stripe_payout_id", "arrives_at", "updated_at"])
    _post(payout, "created", postings.payout_created(payout.organization_id, payout.amount), answer.happened_at or at)
    after = {"state": payout.state, "stripe_payout_id": answer.id}
    record(payout, "payout.in_transit", by=by, before={"state": State.TRANSFERRING}, after=after)
    return payout


def _post(payout: PayoutRequest, fact: str, entries: list[Entry], at: datetime) -> None:
    posting.post(
        reference=payout.reference(fact),
        description=f"Payout {fact.replace('_', ' ')}: {payout.public_id}",
        currency=payout.currency,
        entries=entries,
        occurred_at=at,
        organization_id=payout.organization_id,
    )


@transaction.atomic
def settle(*, payout_request_id: UUID, at: datetime, by: Actor) -> PayoutRequest:
    """The bank took the money: it is no longer owed to the organization. Idempotent; one that failed later stays failed."""
    payout = _locked(payout_request_id)
    if payout.state != State.IN_TRANSIT:
        return payout
    payout.pay(at=at)
    payout.save(update_fields=["state", "paid_at", "updated_at"])
    _post(payout, "paid", postings.payout_paid(payout.organization_id, payout.amount), at)
    record(payout, "payout.paid", by=by, before={"state": State.IN_TRANSIT}, after={"state": payout.state})
    _afterwards(payout)
    jobs.enqueue(payout_statements.make, payout_request_id=payout.pk)
    jobs.enqueue(payout_emails.send_payout_paid, payout_request_id=payout.pk)
    return payout


@transaction.atomic
def fail(*, payout_request_id: UUID, attempt: int, why: str, at: datetime, by: Actor) -> PayoutRequest:
    """A definite failure, which Stripe may report days after it was paid. Idempotent.

    What was transferred stays in the connected account, so that a retry or the next payout transfers only the rest.
    """
    payout = _locked(payout_request_id)
    if payout.state not in (State.TRANSFERRING, State.IN_TRANSIT, State.PAID) or payout.attempt != attempt:
        return payout
    before = payout.state
    payout.fail(at=at, why=why)
    payout.save(update_fields=["state", "ended_at", "paid_at", "reason", "updated_at"])
    if before != State.TRANSFERRING:
        entries = postings.payout_failed(payout.organization_id, payout.amount, was_paid=before == State.PAID)
        _post(payout, "failed", entries, at)
    record(payout, "payout.failed", by=by, before={"state": before}, after={"state": payout.state}, reason=payout.reason)
    _afterwards(payout)
    jobs.enqueue(payout_emails.send_payout_failed, payout_request_id=payout.pk)
    return payout


def _afterwards(payout: PayoutRequest) -> None:
    """Refunds that came while it was under way may have taken what lies in the connected account now."""
    jobs.enqueue(recovery.recover, organization_id=payout.organization_id, currency=payout.currency)
    for account_id in (None, payout.account_id):
        jobs.enqueue(stripe_balances.read, account_id=account_id)
