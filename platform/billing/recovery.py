"""After refunds and lost disputes: what lies in a connected account and is not earned any more comes back to the platform.

The refund never waits for this. At most what the connected account holds is reversed, as Stripe says; the rest stays a negative payable,
which later earnings make up for.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import commands, earnings, transfer_sync
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayReversal, GatewayUnknown, Held
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, PayoutRequest, Transfer, TransferReversal
from core import jobs
from ledger import balances
from ledger.chart import connected_balance

BY = Actor.system("transfers.recover")
_LOOKED_AT = 20  # transfers, the newest: what is fetched back by hand is seldom older


def after(*, organization_id: UUID, currency: str) -> None:
    """Queue a look, in the caller's transaction: earnings of this organization were taken back. Nothing was ever transferred: no look."""
    if Transfer.objects.filter(account__organization_id=organization_id, currency=currency).exists():
        jobs.enqueue(recover, organization_id=organization_id, currency=currency)


@jobs.task(queue="money", outside=True)
def recover(*, organization_id: UUID, currency: str) -> None:
    """Reverse transfers until the connected account holds no more than is earned. Raises RetryLater after a lost answer."""
    account = ConnectedAccount.objects.filter(organization_id=organization_id).first()
    if account is None or account.stripe_account_id is None or excess(organization_id, currency) <= 0:
        return
    try:
        held = gateway().holdings(account=account.stripe_account_id)
        _learn(account, currency, held)
        while (reversal := next_reversal(account_id=account.pk, currency=currency, held=held)) is not None:
            if not _send(reversal):
                return
            held = gateway().holdings(account=account.stripe_account_id)
    except (GatewayBusy, GatewayUnknown) as error:
        raise jobs.RetryLater(str(error)) from error
    except GatewayRefused:  # the account was taken away: what it holds is out of reach, and stays owed
        return


def _learn(account: ConnectedAccount, currency: str, held: Mapping[str, Held]) -> None:
    """Where Stripe holds less than the books, look first for what somebody there fetched back by hand: it is not fetched back again.

    Only while no payout is taking the money at this moment. Raises what the gateway raises.
    """
    found = held.get(currency, Held(0, 0))
    missing = balances.balance(connected_balance(account.organization_id), currency) - found.available - found.pending
    if missing <= 0 or account.payout_requests.filter(currency=currency, state=PayoutRequest.State.TRANSFERRING).exists():
        return
    for transfer in _with_something_left(account, currency)[:_LOOKED_AT]:
        transfer_sync.read_reversals(transfer=transfer, at=timezone.now(), by=BY)


def _with_something_left(account: ConnectedAccount, currency: str) -> QuerySet[Transfer]:
    """The account's transfers that can still be reversed, newest first."""
    made = account.transfers.filter(currency=currency, state=Transfer.State.SUCCEEDED, amount__gt=F("amount_reversed"))
    return made.order_by("-pk")


def excess(organization_id: UUID, currency: str) -> int:
    """What the books hold in the connected account above what the organization may still get from there, minor units."""
    balance = earnings.balance(organization_id, currency, at=timezone.now())
    return balance.connected - max(0, balance.payable - balance.in_transit)


@transaction.atomic
def next_reversal(*, account_id: UUID, currency: str, held: Mapping[str, Held]) -> TransferReversal | None:
    """The reversal to ask for: one whose answer was lost, else a new one of the newest transfer that has something left.

    None where nothing is to be fetched back, or a payout is taking the money at this moment: its end looks again.
    """
    account = ConnectedAccount.objects.select_for_update().get(pk=account_id)
    rows = TransferReversal.objects.select_related("transfer__account")
    waiting = rows.filter(transfer__account=account, currency=currency, state=TransferReversal.State.REQUESTED).first()
    if waiting is not None:
        return waiting
    if account.payout_requests.filter(currency=currency, state=PayoutRequest.State.TRANSFERRING).exists():
        return None
    there = held.get(currency, Held(0, 0)).available
    wanted = min(excess(account.organization_id, currency), there)
    newest = _with_something_left(account, currency).first()
    if wanted <= 0 or newest is None:
        return None
    amount = min(wanted, newest.amount - newest.amount_reversed)
    made = TransferReversal.objects.create(transfer=newest, source=TransferReversal.Source.RECOVERY, amount=amount, currency=currency)
    record(made, "transfer.reversal_requested", by=BY, organization_id=account.organization_id, after={"amount": amount})
    return rows.get(pk=made.pk)


def _send(reversal: TransferReversal) -> bool:
    """Have Stripe reverse it, whether it did; refused, the money stays owed."""
    reversal, first_time = sending(reversal_id=reversal.pk, at=timezone.now())
    transfer = reversal.transfer
    stripe_transfer_id = transfer.stripe_transfer_id or ""
    answer = None
    if not first_time:
        answer = _find_at_stripe(reversal, stripe_transfer_id)
        if answer is None and commands.is_spent(key=reversal.stripe_key, since=reversal.submitted_at):
            reversal = next_attempt(reversal_id=reversal.pk, given_up=reversal.attempt)
    if answer is None:
        command = commands.prepare(
            operation="transfer.reverse",
            key=reversal.stripe_key,
            parameters=_parameters(reversal),
            subject=reversal,
            organization_id=transfer.account.organization_id,
        )
        try:
            answer = commands.perform(command, lambda parameters, key: gateway().create_reversal(stripe_transfer_id, parameters, key=key))
        except GatewayRefused as refusal:
            transfer_sync.fail_reversal(reversal_id=reversal.pk, why=str(refusal), by=BY)
            return False
    transfer_sync.record_reversal(transfer_id=transfer.pk, answer=answer, at=timezone.now(), by=BY, reversal_id=reversal.pk)
    return True


def _find_at_stripe(reversal: TransferReversal, stripe_transfer_id: str) -> GatewayReversal | None:
    for found in gateway().reversals_of(stripe_transfer_id):
        if found.metadata.get("reversal_id") == str(reversal.pk) and found.metadata.get("attempt") == str(reversal.attempt):
            return found
    return None


def _locked(reversal_id: UUID) -> TransferReversal:
    ConnectedAccount.objects.select_for_update().get(transfers__reversals=reversal_id)
    return TransferReversal.objects.select_related("transfer__account").get(pk=reversal_id)


@transaction.atomic
def sending(*, reversal_id: UUID, at: datetime) -> tuple[TransferReversal, bool]:
    """Remember since when Stripe may have the reversal. The flag: whether this is the attempt's first call."""
    reversal = _locked(reversal_id)
    first_time = reversal.submitted_at is None
    if first_time:
        reversal.submitted_at = at
        reversal.save(update_fields=["submitted_at", "updated_at"])
    return reversal, first_time


@transaction.atomic
def next_attempt(*, reversal_id: UUID, given_up: int) -> TransferReversal:
    """A new key, after a look-up found nothing at Stripe. Two workers at once raise it once."""
    reversal = _locked(reversal_id)
    if reversal.attempt == given_up:
        reversal.renew_key(at=timezone.now())
        reversal.save(update_fields=["attempt", "submitted_at", "updated_at"])
    return reversal


def _parameters(reversal: TransferReversal) -> dict[str, Any]:
    return {"amount": reversal.amount, "metadata": {"reversal_id": str(reversal.pk), "attempt": str(reversal.attempt)}}
