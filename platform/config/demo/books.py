"""The ledger of the demo: the entries that the operations would have posted, each fact at its time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from billing import earnings, postings
from config.demo.copying import copy_rows
from config.demo.ids import key
from config.demo.refunding import Planned
from config.demo.sales import Sale
from ledger.models import LedgerEntry, LedgerTransaction
from ledger.posting import Entry

_TITLES = {"requested": "Refund requested: ", "": "Refund: ", "reversal": "Refund reversed: "}


def write(sales: Sequence[Sale], refunds: Sequence[Planned]) -> None:
    """Copy headers and entries; in the caller's transaction, as the seal of a header demands."""
    headers: list[LedgerTransaction] = []
    lines: list[LedgerEntry] = []
    for header, entries in [*_of_sales(sales), *_of_refunds(refunds)]:
        headers.append(header)
        lines += [
            LedgerEntry(
                id=key(header.occurred_at, "entry", header.reference, number),
                transaction=header,
                account=entry.account.code,
                owner=entry.account.owner,
                amount=entry.amount,
                currency=header.currency,
            )
            for number, entry in enumerate(entries)
            if entry.amount
        ]
    copy_rows(headers)
    copy_rows(lines)


def earn(sales: Sequence[Sale], refunds: Sequence[Planned]) -> None:
    """Set on each payment what the books hold of it for its payee; before the payments are copied."""
    for sale in sales:
        if sale.payment is not None and sale.payment.paid_at is not None:
            sale.payment.earned = earnings.of_payee(sale.payment, postings.payment_captured(sale.payment, sale.lines))
    for planned in refunds:
        payment = planned.sale.paid
        payment.earned += sum(earnings.of_payee(payment, entries) for entries in planned.facts.values())


def _of_sales(sales: Sequence[Sale]) -> Iterator[tuple[LedgerTransaction, list[Entry]]]:
    for sale in sales:
        payment = sale.payment
        if payment is None or payment.paid_at is None:
            continue
        name, organization_id = f"payment:{payment.pk}", payment.organization_id
        yield (
            _header(name, f"Payment: {payment.description}", payment.currency, payment.paid_at, organization_id),
            postings.payment_captured(payment, sale.lines),
        )
        at = payment.paid_at + timedelta(seconds=2)
        yield (
            _header(f"{name}:fee", f"Stripe's fee: {payment.description}", payment.currency, at, organization_id),
            postings.stripe_fee(sale.fee),
        )


def _of_refunds(refunds: Sequence[Planned]) -> Iterator[tuple[LedgerTransaction, list[Entry]]]:
    for planned in refunds:
        row = planned.refund
        times = {"requested": row.created_at, "reversal": row.failed_at, "fee-reversal": row.failed_at}
        for fact, entries in planned.facts.items():
            at = times.get(fact) or row.succeeded_at or row.created_at
            title = f"{_TITLES[fact]}{row.payment.description}" if fact in _TITLES else "Stripe's fee, borne by the organization"
            yield _header(row.reference(fact), title, row.currency, at, row.payment.organization_id), entries


def _header(reference: str, description: str, currency: str, at: datetime, organization_id: UUID) -> LedgerTransaction:
    return LedgerTransaction(
        id=key(at, "ledger", reference),
        reference=reference,
        description=description[:200],
        currency=currency,
        organization_id=organization_id,
        occurred_at=at,
        posted_at=at,
    )
