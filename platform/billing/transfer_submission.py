"""Moving money from the platform's balance to a connected account: one transfer, asked for under its stored key."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import commands, payout_sync, transfer_sync
from billing.gateway.base import GatewayRefused, GatewayTransfer
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, Transfer

BY = Actor.system("transfers.submit")


def send(transfer: Transfer) -> bool:
    """Have Stripe make the transfer; whether the money is there. Refused, the payout has failed. Raises GatewayBusy, GatewayUnknown."""
    if transfer.state != Transfer.State.PENDING:
        return bool(transfer.state == Transfer.State.SUCCEEDED)
    transfer, first_time = sending(transfer_id=transfer.pk, at=timezone.now())
    if not first_time:
        found = find_at_stripe(transfer)
        if found is not None:
            transfer_sync.sync(transfer_id=transfer.pk, answer=found, at=timezone.now(), by=BY)
            return True
        if commands.is_spent(key=transfer.stripe_key, since=transfer.submitted_at):
            transfer = next_attempt(transfer_id=transfer.pk, given_up=transfer.attempt)
    command = commands.prepare(
        operation="transfer.create",
        key=transfer.stripe_key,
        parameters=_parameters(transfer),
        subject=transfer,
        organization_id=transfer.account.organization_id,
    )
    try:
        answer = commands.perform(command, lambda parameters, key: gateway().create_transfer(parameters, key=key))
    except GatewayRefused as refusal:
        refuse(transfer_id=transfer.pk, why=str(refusal), at=timezone.now())
        return False
    transfer_sync.sync(transfer_id=transfer.pk, answer=answer, at=timezone.now(), by=BY)
    return True


@transaction.atomic
def refuse(*, transfer_id: UUID, why: str, at: datetime) -> None:
    """Stripe said no: transfer and payout fail together, or a payout whose transfer failed would stay on its way for ever."""
    transfer = transfer_sync.fail(transfer_id=transfer_id, why=why, by=BY)
    payout = transfer.payout_request
    payout_sync.fail(payout_request_id=payout.pk, attempt=payout.attempt, why=why, at=at, by=BY)


def _locked(transfer_id: UUID) -> Transfer:
    ConnectedAccount.objects.select_for_update().get(transfers=transfer_id)
    return Transfer.objects.select_related("account", "payout_request").get(pk=transfer_id)


@transaction.atomic
def sending(*, transfer_id: UUID, at: datetime) -> tuple[Transfer, bool]:
    """Remember since when Stripe may have the transfer. The flag: whether this is the attempt's first call."""
    transfer = _locked(transfer_id)
    first_time = transfer.submitted_at is None
    if first_time:
        transfer.submitted_at = at
        transfer.save(update_fields=["submitted_at", "updated_at"])
    return transfer, first_time


def find_at_stripe(transfer: Transfer) -> GatewayTransfer | None:
    """Stripe's transfer of this attempt, if it has one."""
    for found in gateway().transfers_of(transfer.group):
        if found.metadata.get("transfer_id") == str(transfer.pk) and found.metadata.get("attempt") == str(transfer.attempt):
            return found
    return None


@transaction.atomic
def next_attempt(*, transfer_id: UUID, given_up: int) -> Transfer:
    """A new key, after a look-up found nothing at Stripe. Two workers at once raise it once."""
    transfer = _locked(transfer_id)
    if transfer.attempt == given_up:
        transfer.renew_key(at=timezone.now())
        transfer.save(update_fields=["attempt", "submitted_at", "updated_at"])
        organization_id = transfer.account.organization_id
        record(transfer, "transfer.key_renewed", by=BY, organization_id=organization_id, after={"attempt": transfer.attempt})
    return transfer


def _parameters(transfer: Transfer) -> dict[str, Any]:
    metadata = {
        "transfer_id": str(transfer.pk),
        "attempt": str(transfer.attempt),
        "payout_request_id": str(transfer.payout_request_id),
    }
    return {
        "amount": transfer.amount,
        "currency": transfer.currency.lower(),
        "destination": transfer.stripe_account_id,
        "transfer_group": transfer.group,
        "metadata": metadata,
    }
