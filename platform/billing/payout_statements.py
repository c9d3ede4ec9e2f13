"""Statements: made once a payout is paid, from every movement of the organization's earnings that stands on no statement yet."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import batched
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Sum
from django.utils import timezone

from audit.actor import Actor
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown, Held
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, PayoutRequest, PayoutStatement, StatementLine
from core import jobs
from core.errors import NotFound
from ledger import balances
from ledger.chart import connected_balance, organizer_payable
from ledger.models import LedgerEntry
from organizations.permissions import Permission, require

Kind = StatementLine.Kind
_KINDS = {"payment": Kind.SALE, "refund": Kind.REFUND, "dispute": Kind.DISPUTE, "payout": Kind.PAYOUT}
_CHUNK = 2000


@jobs.task(queue="money", outside=True)
def make(*, payout_request_id: UUID) -> None:
    """The statement of a payout that was paid. Repeatable; raises RetryLater where Stripe cannot be asked what the account holds."""
    payout = PayoutRequest.objects.get(pk=payout_request_id)
    held: Mapping[str, Held] | None
    try:
        held = gateway().holdings(account=payout.stripe_account_id)
    except (GatewayBusy, GatewayUnknown) as error:
        raise jobs.RetryLater(str(error)) from error
    except GatewayRefused:  # the account was taken away from us: there is nothing to compare with
        held = None
    write(payout_request_id=payout_request_id, held=held, at=timezone.now())


@transaction.atomic
def write(*, payout_request_id: UUID, held: Mapping[str, Held] | None, at: datetime) -> PayoutStatement | None:
    """Write the statement with its lines; None where the payout is not paid (any more). One at a time for each account."""
    ConnectedAccount.objects.select_for_update().get(payout_requests=payout_request_id)
    payout = PayoutRequest.objects.get(pk=payout_request_id)
    made = payout.statements.filter(number=payout.retries).first()
    if made is not None or payout.state != PayoutRequest.State.PAID:
        return made
    before = PayoutStatement.objects.filter(organization_id=payout.organization_id, currency=payout.currency).order_by("-pk").first()
    entries = list(_unstated(payout).values_list("pk", "amount", "transaction__reference"))
    opening, movements = (before.closing if before else 0), -sum(amount for _, amount, _ in entries)
    statement = PayoutStatement.objects.create(
        payout_request=payout,
        number=payout.retries,
        organization_id=payout.organization_id,
        currency=payout.currency,
        opening=opening,
        movements=movements,
        closing=opening + movements,
        residual=_residual(payout, held),
        period_from=before.period_to if before else None,
        period_to=at,
    )
    lines = (StatementLine(statement=statement, entry_id=pk, kind=_kind(reference)) for pk, _, reference in entries)
    for chunk in batched(lines, _CHUNK, strict=False):
        StatementLine.objects.bulk_create(chunk)
    return statement


def _unstated(payout: PayoutRequest) -> Any:
    """Entries of the organization's earnings in this currency that stand on no statement, in the order in which they happened."""
    account = organizer_payable(payout.organization_id)
    entries = LedgerEntry.objects.filter(account=account.code, owner=account.owner, currency=payout.currency)
    stated = StatementLine.objects.filter(entry=OuterRef("pk"))
    return entries.filter(~Exists(stated)).order_by("transaction__occurred_at", "pk")


def _kind(reference: str) -> str:
    return _KINDS.get(reference.partition(":")[0], Kind.OTHER)


def _residual(payout: PayoutRequest, held: Mapping[str, Held] | None) -> int:
    if held is None:
        return 0
    there = held.get(payout.currency, Held(0, 0))
    known = balances.balance(connected_balance(payout.organization_id), payout.currency)
    return there.available + there.pending - known


def find(*, payout_request_id: UUID, by: Actor) -> PayoutStatement:
    """The latest statement of a payout. Raises NotFound (also before there is one) and PermissionRefused."""
    statements = PayoutStatement.objects.visible_to(by).filter(payout_request_id=payout_request_id)
    statement = statements.select_related("payout_request__organization").order_by("-number").first()
    if statement is None:
        raise NotFound("statement")
    require(by, Permission.PAYOUT_VIEW, statement.organization_id)
    return statement


def sums(statement: PayoutStatement) -> list[tuple[str, int]]:
    """(what, minor units) of the movements by kind, those that there are; they add up to `movements`."""
    rows = dict(statement.lines.order_by().values_list("kind").annotate(total=Sum("entry__amount")))
    return [(kind.label, -rows[kind.value]) for kind in Kind if kind.value in rows]


def movements(statement: PayoutStatement) -> Iterator[tuple[datetime, str, str, str, int]]:
    """(when, kind, reference, description, minor units) of every movement, in the order in which they happened."""
    lines = statement.lines.order_by("pk").values_list(
        "entry__transaction__occurred_at", "kind", "entry__transaction__reference", "entry__transaction__description", "entry__amount"
    )
    for at, kind, reference, description, amount in lines.iterator(chunk_size=_CHUNK):
        yield at, str(Kind(kind).label), reference, description, -amount
