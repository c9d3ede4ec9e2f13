"""What Stripe holds, for the platform and for each connected account: read by tasks, stored with the time it was read."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown, Held
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, PayoutRequest, StripeBalance
from core import jobs


@transaction.atomic
def store(*, account_id: UUID | None, found: Mapping[str, Held], at: datetime) -> None:
    """Keep what was read; a currency that Stripe names no more holds nothing. A reading older than the stored one changes nothing."""
    known = {row.currency: row for row in StripeBalance.objects.select_for_update().filter(account_id=account_id)}
    for currency in known.keys() | found.keys():
        row = known.get(currency) or StripeBalance(account_id=account_id, currency=currency)
        held = found.get(currency, Held(0, 0))
        if row.read_at is None or row.read_at < at:
            row.available, row.pending, row.read_at = held.available, held.pending, at
            row.save()


@jobs.task(queue="money", outside=True)
def read(*, account_id: UUID | None) -> None:
    """Ask Stripe what the account holds (None: the platform) and store it. Raises RetryLater where Stripe cannot be asked."""
    stripe_account_id = None
    if account_id is not None:
        stripe_account_id = ConnectedAccount.objects.get(pk=account_id).stripe_account_id
        if stripe_account_id is None:
            return
    at = timezone.now()  # before the call: a reading counts from when it was asked for
    try:
        found = gateway().holdings(account=stripe_account_id)
    except (GatewayBusy, GatewayUnknown) as error:
        raise jobs.RetryLater(str(error)) from error
    except GatewayRefused as refusal:  # the account was taken away from us; its webhook says so
        structlog.get_logger().warning("stripe_balance.refused", account=str(account_id), error=str(refusal))
        return
    store(account_id=account_id, found=found, at=at)


@jobs.task(queue="money")
def read_all() -> None:
    """Have the platform's balance read, and those of accounts that hold something, that a payout is under way to, or never read."""
    jobs.enqueue(read, account_id=None)
    mine = StripeBalance.objects.filter(account=OuterRef("pk"))
    waiting = PayoutRequest.objects.open().filter(account=OuterRef("pk"))
    wanted = Q(Exists(waiting)) | ~Q(Exists(mine)) | Q(Exists(mine.exclude(available=0, pending=0)))
    for account_id in (
        ConnectedAccount.objects.filter(wanted, state=ConnectedAccount.State.OPEN).order_by("pk").values_list("pk", flat=True)
    ):
        jobs.enqueue(read, account_id=account_id)
