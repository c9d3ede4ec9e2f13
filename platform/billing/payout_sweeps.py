"""What got stuck on its way to a bank, found by the clock: approved payouts, payouts at Stripe, money to fetch back, stale accounts."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from audit.actor import Actor
from billing import connect, payout_submission, payout_sync, recovery, sweeps
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, PayoutRequest, TransferReversal
from core import jobs

BY = Actor.system("payouts.sweep")
_WAITS_FOR = timedelta(minutes=10)
_ASKED_EVERY = timedelta(hours=6)
_BATCH = 200
State = PayoutRequest.State


@jobs.task(queue="money", outside=True)
def payouts_under_way() -> None:
    """Queue again what should have gone on; look up at Stripe what has been in transit, or might have come back from the bank."""
    now = timezone.now()
    late = now - _WAITS_FOR
    waiting = PayoutRequest.objects.filter(state__in=[State.APPROVED, State.TRANSFERRING], updated_at__lt=late)
    for payout in waiting.order_by("updated_at")[:_BATCH]:
        if not sweeps.has_open_job(payout_submission.submit, payout_request_id=payout.pk):
            PayoutRequest.objects.filter(pk=payout.pk).update(updated_at=now)  # looked at now: the others come first next time
            jobs.enqueue(payout_submission.submit, payout_request_id=payout.pk)
    for reversal in TransferReversal.objects.filter(state="requested", updated_at__lt=late).select_related("transfer__account")[:_BATCH]:
        whose = reversal.transfer.account.organization_id
        if not sweeps.has_open_job(recovery.recover, organization_id=whose, currency=reversal.currency):
            jobs.enqueue(recovery.recover, organization_id=whose, currency=reversal.currency)
    in_transit = Q(state=State.IN_TRANSIT)
    just_paid = Q(state=State.PAID, paid_at__gt=now - PayoutRequest.MAY_COME_BACK_FOR)
    at_stripe = PayoutRequest.objects.filter(in_transit | just_paid, updated_at__lt=now - _ASKED_EVERY)
    sweeps.each(at_stripe.order_by("updated_at")[:_BATCH], _read_payout)


def _read_payout(payout: PayoutRequest) -> None:
    PayoutRequest.objects.filter(pk=payout.pk).update(updated_at=timezone.now())
    answer = gateway().retrieve_payout(payout.stripe_payout_id or "", account=payout.stripe_account_id)
    payout_sync.sync(payout_request_id=payout.pk, answer=answer, at=timezone.now(), by=BY)


@jobs.task(queue="money", outside=True)
def stale_accounts() -> None:
    """Read the connected accounts that Stripe has not told us of for a day, so that a lost webhook keeps nobody from selling."""
    yesterday = timezone.now() - timedelta(days=1)
    accounts = ConnectedAccount.objects.filter(state=ConnectedAccount.State.OPEN, synced_at__lt=yesterday)
    sweeps.each(accounts.order_by("synced_at")[:_BATCH], _read_account)


def _read_account(account: ConnectedAccount) -> None:
    connect.refresh(account_id=account.pk, by=BY)
