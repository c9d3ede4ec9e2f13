"""Payouts that nobody has to ask for: filed by the clock for organizations that chose so, approved by finance like any other."""

from uuid import UUID

import structlog
from django.utils import timezone

from audit.actor import Actor
from billing import earnings, payout_requests
from billing.models import ConnectedAccount, PayoutRequest
from core import jobs
from core.errors import DomainError

BY = Actor.system("payouts.schedule")


@jobs.task(queue="money")
def file_weekly() -> None:
    _file(ConnectedAccount.Schedule.WEEKLY)


@jobs.task(queue="money")
def file_monthly() -> None:
    _file(ConnectedAccount.Schedule.MONTHLY)


def _file(schedule: str) -> None:
    accounts = ConnectedAccount.objects.filter(payout_schedule=schedule, state=ConnectedAccount.State.OPEN)
    for account_id in accounts.order_by("pk").values_list("pk", flat=True):
        jobs.enqueue(file_one, account_id=account_id)


@jobs.task(queue="money")
def file_one(*, account_id: UUID) -> None:
    """Ask for all that is available, in every currency in which it reaches the minimum. What is refused waits for the next time."""
    account = ConnectedAccount.objects.get(pk=account_id)
    for balance in earnings.balances_of(account.organization_id, at=timezone.now()):
        if payout_requests.payable_out(balance) < payout_requests.minimum(balance.currency):
            continue
        try:
            payout_requests.request(
                organization_id=account.organization_id,
                currency=balance.currency,
                amount=None,
                source=PayoutRequest.Source.SCHEDULE,
                by=BY,
            )
        except DomainError as refusal:
            structlog.get_logger().info("payout.not_filed", account=account.public_id, currency=balance.currency, why=str(refusal))
