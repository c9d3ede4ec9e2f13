"""Stripe's word about transfers and their reversals: one door for submit, webhook and sweep, so that their order does not matter."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from audit.actor import Actor
from audit.recording import record
from billing import postings
from billing.gateway.base import GatewayReversal, GatewayTransfer
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, Transfer, TransferReversal
from core.errors import DomainError
from ledger import posting


class SecondTransfer(DomainError):
    """Stripe has two transfers for one of ours: a person has to look."""

    code, http_status = "SECOND_TRANSFER", 409

    def __init__(self, *, stripe_transfer_id: str) -> None:
        self.stripe_transfer_id = stripe_transfer_id
        super().__init__(f"{stripe_transfer_id} moved money that another transfer has moved already; reverse it at Stripe.")


def _locked(transfer_id: UUID) -> Transfer:
    ConnectedAccount.objects.select_for_update().get(transfers=transfer_id)
    return Transfer.objects.select_related("account", "payout_request").get(pk=transfer_id)


@transaction.atomic
def sync(*, transfer_id: UUID, answer: GatewayTransfer, at: datetime, by: Actor) -> Transfer:
    """The transfer as Stripe has it: its id stored once, its money booked once. Raises SecondTransfer."""
    transfer = _locked(transfer_id)
    if transfer.state != Transfer.State.PENDING:
        if transfer.stripe_transfer_id != answer.id:
            raise SecondTransfer(stripe_transfer_id=answer.id)
        return transfer
    transfer.succeed(stripe_transfer_id=answer.id, balance_transaction_id=answer.balance_transaction_id)
    transfer.save(update_fields=["state", "stripe_transfer_id", "stripe_balance_transaction_id", "updated_at"])
    organization = transfer.account.organization_id
    posting.post(
        reference=f"transfer:{transfer.pk}",
        description=f"Transfer for {transfer.payout_request.public_id}",
        currency=transfer.currency,
        entries=postings.transferred(organization, transfer.amount),
        occurred_at=answer.happened_at or at,
        organization_id=organization,
    )
    after = {"amount": transfer.amount, "currency": transfer.currency, "stripe_transfer_id": answer.id}
    record(transfer, "transfer.made", by=by, organization_id=organization, after=after)
    return transfer


@transaction.atomic
def fail(*, transfer_id: UUID, why: str, by: Actor) -> Transfer:
    """Stripe refused the transfer: no money moved. Idempotent."""
    transfer = _locked(transfer_id)
    if transfer.state == Transfer.State.PENDING:
        transfer.fail(why=why)
        transfer.save(update_fields=["state", "failure_reason", "updated_at"])
        record(transfer, "transfer.failed", by=by, organization_id=transfer.account.organization_id, reason=transfer.failure_reason)
    return transfer


def read_reversals(*, transfer: Transfer, at: datetime, by: Actor) -> None:
    """All that Stripe says came back of the transfer is booked on return, also what somebody there fetched back by hand."""
    for answer in gateway().reversals_of(transfer.stripe_transfer_id or ""):
        named = answer.metadata.get("reversal_id")
        ours = next((each.pk for each in transfer.reversals.all() if str(each.pk) == named), None)
        record_reversal(transfer_id=transfer.pk, answer=answer, at=at, by=by, reversal_id=ours)


@transaction.atomic
def record_reversal(
    *, transfer_id: UUID, answer: GatewayReversal, at: datetime, by: Actor, reversal_id: UUID | None = None
) -> TransferReversal:
    """Money that came back of a transfer, as much as Stripe says; one that nobody here asked for is recorded as external. Idempotent."""
    transfer = _locked(transfer_id)
    known = transfer.reversals.filter(stripe_reversal_id=answer.id).first()
    if known is not None:
        return known
    reversal = transfer.reversals.filter(pk=reversal_id, state=TransferReversal.State.REQUESTED).first() if reversal_id else None
    if reversal is None:
        reversal = TransferReversal.objects.create(
            transfer=transfer,
            source=TransferReversal.Source.EXTERNAL,
            amount=answer.amount,
            currency=answer.currency,
            submitted_at=answer.happened_at or at,
        )
    reversal.succeed(stripe_reversal_id=answer.id, amount=answer.amount, balance_transaction_id=answer.balance_transaction_id)
    reversal.save(update_fields=["state", "stripe_reversal_id", "amount_reversed", "stripe_balance_transaction_id", "updated_at"])
    transfer.amount_reversed = transfer.reversals.aggregate(total=Sum("amount_reversed"))["total"]
    transfer.save(update_fields=["amount_reversed", "updated_at"])
    organization = transfer.account.organization_id
    posting.post(
        reference=f"transfer:{transfer.pk}:reversal:{reversal.pk}",
        description=f"Fetched back from {transfer.payout_request.public_id}",
        currency=transfer.currency,
        entries=postings.transferred(organization, -answer.amount),
        occurred_at=answer.happened_at or at,
        organization_id=organization,
    )
    after = {"amount": answer.amount, "currency": answer.currency, "source": reversal.source}
    record(reversal, "transfer.reversed", by=by, organization_id=organization, after=after)
    return reversal


@transaction.atomic
def fail_reversal(*, reversal_id: UUID, why: str, by: Actor) -> TransferReversal:
    """Stripe refused to fetch the money back: it stays owed. Idempotent."""
    _locked(TransferReversal.objects.values_list("transfer_id", flat=True).get(pk=reversal_id))
    reversal = TransferReversal.objects.select_related("transfer__account").get(pk=reversal_id)
    if reversal.state == TransferReversal.State.REQUESTED:
        reversal.fail(why=why)
        reversal.save(update_fields=["state", "failure_reason", "updated_at"])
        organization = reversal.transfer.account.organization_id
        record(reversal, "transfer.reversal_failed", by=by, organization_id=organization, reason=reversal.failure_reason)
    return reversal
