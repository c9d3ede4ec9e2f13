"""What a run leaves for a spreadsheet: its differences, what it matched, Stripe's fees. Line by line from the database."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import StreamingHttpResponse

from admin_ext.billing import charge_fees
from audit.actor import Actor
from audit.recording import record
from billing.models import BalanceTransaction, Discrepancy, ReconciliationRun
from billing.reconciliation import linking
from core.csv_cells import safe
from core.money import Money
from core.public_ids import encode
from organizations.permissions import Permission, require

FILES = {"differences": "Differences", "matched": "Matched movements", "fees": "Stripe's fees"}
_AT_ONCE = 2_000
_MOVED = ("account", "stripe_id", "type", "reporting_category", "amount", "fee", "currency", "created_at", "source", "about", "description")


class _Line:
    """What csv.writer writes to: it hands each line straight on."""

    def write(self, text: str) -> str:
        return text


def download(run: ReconciliationRun, what: str, *, by: Actor) -> StreamingHttpResponse:
    """One of FILES, streamed; who took it is kept. Raises PermissionRefused, StepUpRequired."""
    with transaction.atomic():
        require(by, Permission.LIST_EXPORT)
        record(run, "reconciliation.exported", by=by, after={"file": what})
    rows = {"differences": _differences, "matched": _matched, "fees": _fees}[what](run)
    response = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{run.public_id}-{what}.csv"'
    return response


def _lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    writer = csv.writer(_Line())
    for number, row in enumerate(rows):
        yield ("\ufeff" if number == 0 else "") + writer.writerow([safe(value) for value in row])  # the mark says UTF-8


def _major(amount: int | None, currency: str) -> Decimal | str:
    return Money(amount, currency).major if amount is not None and currency else ""


def _differences(run: ReconciliationRun) -> Iterator[list[Any]]:
    """Amounts in each side's own currency; a difference is given per currency, never added up."""
    yield [
        *("id", "kind", "state", "account", "about", "stripe_id", "type", "their_amount", "their_fee", "their_currency"),
        *("our_amount", "our_fee", "our_currency", "difference", "happened_at", "reason", "closed_at"),
    ]
    rows = Discrepancy.objects.filter(seen_in=run).select_related("balance_transaction").order_by("pk")
    for row in rows.iterator(chunk_size=_AT_ONCE):
        found = row.balance_transaction
        yield [
            *(encode(row.public_prefix, row.pk), row.kind, row.state, row.account, row.about),
            *((found.stripe_id, found.type) if found else ("", "")),
            *(_major(row.their_amount, row.their_currency), _major(row.their_fee, row.their_currency), row.their_currency),
            *(_major(row.our_amount, row.our_currency), _major(row.our_fee, row.our_currency), row.our_currency),
            "; ".join(f"{_major(amount, currency)} {currency}" for currency, amount in row.differences.items()),
            *(row.happened_at.isoformat(), row.reason, _iso(row.closed_at)),
        ]


def _iso(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _compared(run: ReconciliationRun) -> Iterator[QuerySet[BalanceTransaction]]:
    for part in run.parts.order_by("pk"):
        rows = BalanceTransaction.objects.filter(account=part.account, created_at__lte=part.newest_at or run.created_at)
        yield rows.filter(created_at__gte=part.since) if part.since else rows


def _matched(run: ReconciliationRun) -> Iterator[list[Any]]:
    """Movements whose ledger reference holds the same; those with a difference are in the other file."""
    yield [*_MOVED]
    differing = Discrepancy.objects.filter(account=OuterRef("account"), about=OuterRef("about"), state__in=Discrepancy.LIVE)
    for rows in _compared(run):
        equal = rows.exclude(about="").filter(~Exists(differing)).order_by("created_at", "id")
        for values in equal.values_list(*_MOVED).iterator(chunk_size=_AT_ONCE):
            account, stripe_id, kind, category, amount, fee, currency, at, *rest = values
            yield [account, stripe_id, kind, category, _major(amount, currency), _major(fee, currency), currency, at.isoformat(), *rest]


def _fees(run: ReconciliationRun) -> Iterator[list[Any]]:
    yield ["stripe_id", "charge", "payment", "currency", "amount", "taken_by_stripe", "booked", "charged_to_buyer", "borne_by_organization"]
    for rows in _compared(run):
        batch: list[BalanceTransaction] = []
        for row in rows.filter(type__in=linking.CHARGES).order_by("created_at", "id").iterator(chunk_size=_AT_ONCE):
            batch.append(row)
            if len(batch) == _AT_ONCE:
                yield from _fee_rows(batch)
                batch = []
        yield from _fee_rows(batch)


def _fee_rows(batch: list[BalanceTransaction]) -> Iterator[list[Any]]:
    charge_fees.attach(batch)
    for row in batch:
        audit: charge_fees.Fees = row._fees  # type: ignore[attr-defined]  # hung on by attach
        amounts = (row.amount, row.fee, audit.booked, audit.charged_to_buyer, audit.borne_by_organization)
        payment = encode("pay", audit.payment_id) if audit.payment_id else ""
        yield [row.stripe_id, row.source, payment, row.currency, *(_major(amount, row.currency) for amount in amounts)]
