"""Stripe asked again about one difference: its object is read and brought in line by the same doors as a webhook, then compared anew."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from billing import disputes, payments, payout_sync, refund_sync, transfer_sync
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import Discrepancy, Dispute, Payment, PayoutRequest, Refund, Transfer
from billing.reconciliation import discrepancies, entries, linking, matching
from billing.reconciliation.accounts import StripeAccount
from core import jobs
from ledger import posting
from ledger.chart import PLATFORM_BANK

BY = Actor.system("billing.reconciliation.refetch")
READ_AGAIN = "Read from Stripe again; both sides agree."
_PAYOUTS = ("payout", "payout_failure", "payout_cancel", "topup")


def is_possible(row: Discrepancy) -> bool:
    """Whether Stripe has an object to read for it: an intent, a refund or a payout that ours knows, a dispute, a transfer."""
    return _kind(row) in _READERS


def _kind(row: Discrepancy) -> str:
    found = row.balance_transaction
    is_dispute = found is not None and found.reporting_category in linking.DISPUTES
    return "dispute" if is_dispute else row.about.partition(":")[0]


def is_importable(row: Discrepancy) -> bool:
    """A refund that somebody made at Stripe, or a movement between the platform's balance and its own bank."""
    found = row.balance_transaction
    if row.kind != Discrepancy.Kind.EXTERNAL or found is None or row.account:
        return False
    return found.type in (*linking.REFUNDS, *linking.REFUND_FAILURES, *_PAYOUTS)


@jobs.task(queue="money", outside=True)
def refetch(*, discrepancy_id: UUID) -> None:
    """Repeatable. Where nothing has changed at Stripe the difference stays open."""
    row = Discrepancy.objects.select_related("balance_transaction").get(pk=discrepancy_id)
    source = row.balance_transaction.source if row.balance_transaction is not None else ""
    _asked(lambda: _READERS[_kind(row)](row.about, source))
    check_again(discrepancy_id=row.pk, why=READ_AGAIN)


def _key(about: str) -> UUID:
    return UUID(about.split(":")[1])


def _read_payment(about: str, charge_id: str) -> None:
    """By the charge that moved the money where Stripe named one: we may never have heard of its intent."""
    key = _key(about)
    known = Payment.objects.get(pk=key).stripe_payment_intent_id
    intent = gateway().intent_of(charge_id) if charge_id else gateway().retrieve_intent(known) if known else None
    if intent is not None:
        payments.sync(payment_id=key, intent=intent, at=timezone.now(), by=BY)


def _read_refund(about: str, stripe_id: str) -> None:
    key = _key(about)
    stripe_id = stripe_id or Refund.objects.get(pk=key).stripe_refund_id or ""
    if stripe_id:
        refund_sync.sync(refund_id=key, answer=gateway().retrieve_refund(stripe_id), at=timezone.now(), by=BY)


def _read_dispute(about: str, stripe_id: str) -> None:
    stripe_id = stripe_id or Dispute.objects.get(pk=_key(about)).stripe_dispute_id
    disputes.sync(answer=gateway().retrieve_dispute(stripe_id), at=timezone.now(), by=BY)


def _read_payout(about: str, stripe_id: str) -> None:
    payout = PayoutRequest.objects.get(pk=_key(about))
    stripe_id = payout.stripe_payout_id or stripe_id
    if stripe_id:
        answer = gateway().retrieve_payout(stripe_id, account=payout.stripe_account_id)
        payout_sync.sync(payout_request_id=payout.pk, answer=answer, at=timezone.now(), by=BY)


def _read_transfer(about: str, _: str) -> None:
    """What came back of it, also by hand; a transfer that has been booked has its id at Stripe."""
    transfer_sync.read_reversals(transfer=Transfer.objects.get(pk=_key(about)), at=timezone.now(), by=BY)


_READERS: dict[str, Callable[[str, str], None]] = {
    "payment": _read_payment,
    "refund": _read_refund,
    "dispute": _read_dispute,
    "payout": _read_payout,
    "transfer": _read_transfer,
}


@jobs.task(queue="money", outside=True)
def import_from_stripe(*, discrepancy_id: UUID) -> None:
    """Repeatable: what is recorded already is recorded once."""
    row = Discrepancy.objects.select_related("balance_transaction").get(pk=discrepancy_id)
    if row.balance_transaction is None or row.state not in Discrepancy.LIVE:
        return
    if row.balance_transaction.type in _PAYOUTS:
        book_bank_movement(discrepancy_id=row.pk)
    else:
        _asked(lambda: _import_refund(row.balance_transaction.source))  # type: ignore[union-attr]  # seen above
        check_again(discrepancy_id=row.pk, why="Imported from Stripe.")


def _import_refund(stripe_id: str) -> None:
    answer = gateway().retrieve_refund(stripe_id)
    payment = Payment.objects.filter(stripe_charge_id=answer.charge_id).first()
    if payment is not None:
        refund_sync.record_external(payment_id=payment.pk, answer=answer, at=timezone.now(), by=BY)


def _asked(ask: Callable[[], None]) -> None:
    try:
        ask()
    except (GatewayBusy, GatewayUnknown) as error:
        raise jobs.RetryLater(str(error)) from error
    except GatewayRefused:
        return  # Stripe does not know it: that is what the difference says already


@transaction.atomic
def book_bank_movement(*, discrepancy_id: UUID) -> None:
    """The platform's own payout or top-up: what left Stripe's balance is in the bank, and the other way round."""
    row = Discrepancy.objects.select_for_update().get(pk=discrepancy_id)
    if row.state not in Discrepancy.LIVE:
        return
    for currency, lines in entries.settled(row, StripeAccount(row.account, row.organization_id).books, PLATFORM_BANK).items():
        posting.post(
            reference=f"discrepancy:{row.pk}",
            description=f"The platform's own payout: {row.about}"[:200],
            currency=currency,
            entries=lines,
            occurred_at=row.happened_at,
        )
    row.is_posted = True
    discrepancies.fixed(discrepancy=row, at=timezone.now(), why="Imported from Stripe.", by=BY)


@transaction.atomic
def check_again(*, discrepancy_id: UUID, why: str) -> bool:
    """Compare this one name now; fixed on return where both sides agree. Whether they do."""
    row = Discrepancy.objects.select_for_update().get(pk=discrepancy_id)
    if row.state not in Discrepancy.LIVE:
        return True
    account, about = StripeAccount(row.account, row.organization_id), row.about
    if row.balance_transaction_id is not None:
        linking.link([row.balance_transaction_id], is_platform=not row.account)
        about = matching.stripe_names([row.balance_transaction_id])[0]
    if matching.compare(account, [about]):
        return False
    discrepancies.fixed(discrepancy=row, at=timezone.now(), why=why, by=BY)
    return True
