"""Making an approved payout at Stripe, from a worker: what the connected account lacks is transferred, then the payout is made there.

Each step stores what it is about to ask before it asks, and can be repeated at any point. A time-out is unknown, never failed: Stripe is
asked what exists, then the same key is sent again. Only where Stripe has nothing under a key that is spent does the attempt rise.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import commands, earnings, payout_sync, transfer_submission
from billing.gateway.base import GatewayBusy, GatewayPayout, GatewayRefused, GatewayUnknown, Held
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, PayoutRequest, Transfer, TransferReversal
from core import jobs
from core.money import Money
from ledger import balances
from ledger.chart import connected_balance

BY = Actor.system("payouts.submit")
State = PayoutRequest.State
# Payouts are looked for from a little before we asked: Stripe's clock is not ours.
_CLOCKS_APART = timedelta(minutes=5)


@jobs.task(queue="money", outside=True)
def submit(*, payout_request_id: UUID) -> None:
    """Take the payout as far as Stripe lets it go. Raises RetryLater after a lost answer, and where Stripe cannot be asked."""
    payout = begin(payout_request_id=payout_request_id, at=timezone.now())
    if payout is None:
        return
    try:
        transfer = _lacking(payout)
        if transfer is not None and not transfer_submission.send(transfer):
            return
        _pay_out(payout_request_id)
    except (GatewayBusy, GatewayUnknown) as error:
        raise jobs.RetryLater(str(error)) from error


def _locked(payout_request_id: UUID) -> PayoutRequest:
    ConnectedAccount.objects.select_for_update().get(payout_requests=payout_request_id)
    return PayoutRequest.objects.select_related("account__organization").get(pk=payout_request_id)


@transaction.atomic
def begin(*, payout_request_id: UUID, at: datetime) -> PayoutRequest | None:
    """Take the payout to `transferring`; None where it is not its turn. One that something stands in the way of says what, and waits."""
    payout = _locked(payout_request_id)
    if payout.state == State.TRANSFERRING:
        return payout
    if payout.state != State.APPROVED:
        return None
    blocked = _obstacle(payout, at)
    if blocked:
        payout.blocked = blocked
        payout.save(update_fields=["blocked", "updated_at"])
        return None
    payout.begin(at=at, stripe_account_id=payout.account.stripe_account_id or "")
    payout.save(update_fields=["state", "transfer_began_at", "stripe_account_id", "blocked", "updated_at"])
    record(payout, "payout.transferring", by=BY, before={"state": State.APPROVED}, after={"state": payout.state})
    return payout


def _obstacle(payout: PayoutRequest, at: datetime) -> str:
    """Why the payout cannot begin now, in a sentence; "" where nothing stands in the way. Asked again until it is gone."""
    if not payout.account.is_usable_in(payout.currency):
        return "The payout account is not usable in this currency at the moment."
    if TransferReversal.objects.filter(transfer__account=payout.account, currency=payout.currency, state="requested").exists():
        return "Money is being fetched back from the payout account; the payout goes on after that."
    balance = earnings.balance(payout.organization_id, payout.currency, at=at)
    if balance.owed:
        return f"The organization owes {balance.money('owed')}; refunds or disputes took it after the approval."
    if balance.unrequested < 0:
        left = Money(max(0, balance.unrequested + payout.amount), payout.currency)
        return f"Only {left} is left since refunds or disputes came after the approval."
    return ""


def _lacking(payout: PayoutRequest) -> Transfer | None:
    """The transfer of this try, None where the connected account holds enough already. Decided once, from what Stripe says it holds."""
    if payout.lacking is None:
        held = gateway().holdings(account=payout.stripe_account_id)
        payout = plan(payout_request_id=payout.pk, held=held)
    return payout.transfers.select_related("account", "payout_request").filter(number=payout.retries).first()


@transaction.atomic
def plan(*, payout_request_id: UUID, held: Mapping[str, Held]) -> PayoutRequest:
    """Store what the connected account lacks, and the transfer of it. What the books do not know there is left alone."""
    payout = _locked(payout_request_id)
    if payout.lacking is None:
        there = held.get(payout.currency, Held(0, 0)).available
        known = balances.balance(connected_balance(payout.organization_id), payout.currency)
        payout.lacking = payout.amount - min(payout.amount, max(0, min(there, known)))
        payout.save(update_fields=["lacking", "updated_at"])
        if payout.lacking:
            Transfer.objects.create(
                payout_request=payout,
                account=payout.account,
                number=payout.retries,
                amount=payout.lacking,
                currency=payout.currency,
                stripe_account_id=payout.stripe_account_id,
            )
    return payout


def _pay_out(payout_request_id: UUID) -> None:
    payout, first_time = sending(payout_request_id=payout_request_id, at=timezone.now())
    if payout is None:
        return
    if not first_time:
        found = find_at_stripe(payout)
        if found is not None:
            payout_sync.sync(payout_request_id=payout.pk, answer=found, at=timezone.now(), by=BY)
            return
        if commands.is_spent(key=payout.stripe_key, since=payout.submitted_at):
            payout = next_attempt(payout_request_id=payout.pk, given_up=payout.attempt)
    command = commands.prepare(
        operation="payout.create",
        key=payout.stripe_key,
        parameters=_parameters(payout),
        subject=payout,
        organization_id=payout.organization_id,
    )
    account = payout.stripe_account_id
    try:
        answer = commands.perform(command, lambda parameters, key: gateway().create_payout(parameters, account=account, key=key))
    except GatewayRefused as refusal:
        payout_sync.fail(payout_request_id=payout.pk, attempt=payout.attempt, why=str(refusal), at=timezone.now(), by=BY)
    else:
        payout_sync.sync(payout_request_id=payout.pk, answer=answer, at=timezone.now(), by=BY)


@transaction.atomic
def sending(*, payout_request_id: UUID, at: datetime) -> tuple[PayoutRequest | None, bool]:
    """Remember since when Stripe may have the payout; (None, …) where it has gone on. The flag: whether this is the first call."""
    payout = _locked(payout_request_id)
    if payout.state != State.TRANSFERRING:
        return None, False
    first_time = payout.submitted_at is None
    if first_time:
        payout.submitted_at = at
        payout.save(update_fields=["submitted_at", "updated_at"])
    return payout, first_time


def find_at_stripe(payout: PayoutRequest) -> GatewayPayout | None:
    """Stripe's payout of this attempt, if it has one."""
    since = (payout.submitted_at or timezone.now()) - _CLOCKS_APART
    for found in gateway().payouts_since(since, account=payout.stripe_account_id):
        if found.metadata.get("payout_request_id") == str(payout.pk) and found.metadata.get("attempt") == str(payout.attempt):
            return found
    return None


@transaction.atomic
def next_attempt(*, payout_request_id: UUID, given_up: int) -> PayoutRequest:
    """A new key, after a look-up found nothing at Stripe. Two workers at once raise it once."""
    payout = _locked(payout_request_id)
    if payout.attempt == given_up:
        payout.renew_key(at=timezone.now())
        payout.save(update_fields=["attempt", "submitted_at", "updated_at"])
        record(payout, "payout.key_renewed", by=BY, after={"attempt": payout.attempt})
    return payout


def _parameters(payout: PayoutRequest) -> dict[str, Any]:
    metadata = {"payout_request_id": str(payout.pk), "attempt": str(payout.attempt)}
    return {"amount": payout.amount, "currency": payout.currency.lower(), "metadata": metadata}
