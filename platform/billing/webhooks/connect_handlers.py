"""What an event of a connected account leads to: as in handlers, each object is read anew from Stripe, in the account's name."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from billing import connect, payout_sync
from billing.gateway.base import GatewayPayout
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, PayoutRequest
from billing.webhooks.handlers import uuid_of
from billing.webhooks.words import BY, NotOurs

type ConnectHandler = Callable[[dict[str, Any], str], None]


def account_updated(found: dict[str, Any], account: str) -> None:
    row = ConnectedAccount.objects.filter(stripe_account_id=account).first()
    if row is None:  # the answer that carried its id was lost; our id is in the metadata
        at = connect.reading_begins()
        answer = gateway().retrieve_account(account)
        account_id = uuid_of(answer.metadata.get("account_id"))
        row = ConnectedAccount.objects.filter(pk=account_id).first() if account_id else None
        if row is None:
            raise NotOurs(account)
        connect.opened(account_id=row.pk, answer=answer, at=at, by=BY)
    else:
        connect.refresh(account_id=row.pk, by=BY)


def deauthorized(found: dict[str, Any], account: str) -> None:
    if connect.deauthorize(stripe_account_id=account, at=timezone.now(), by=BY) is None:
        raise NotOurs(account)


def payout(found: dict[str, Any], account: str) -> None:
    answer = gateway().retrieve_payout(found["id"], account=account)
    row = _payout_of(answer)
    if row is None:
        raise NotOurs(answer.id)
    payout_sync.sync(payout_request_id=row.pk, answer=answer, at=timezone.now(), by=BY)


def _payout_of(answer: GatewayPayout) -> PayoutRequest | None:
    known = PayoutRequest.objects.filter(stripe_payout_id=answer.id).first()
    payout_request_id = uuid_of(answer.metadata.get("payout_request_id"))
    return known or (PayoutRequest.objects.filter(pk=payout_request_id).first() if payout_request_id else None)


_PAYOUT_EVENTS = ("created", "updated", "paid", "failed", "canceled", "reconciliation_completed")
HANDLERS: dict[str, ConnectHandler] = {
    "account.updated": account_updated,
    "account.application.deauthorized": deauthorized,
    **{f"payout.{name}": payout for name in _PAYOUT_EVENTS},
}
