"""Receipts and credit notes are issued after the money, by the task that mails them; what a crash left out is found by the sweep.

Not in the money's own transaction: a number without gaps makes all who want one of the same series wait for each other's commit.
Order of locks: payment, then series.
"""

from datetime import UTC, datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import postings
from billing.documents import content
from billing.models import Document, DocumentSeries, Payment, Refund
from core.money import allocate, step

BY = Actor.system("billing.documents")
Kind = Document.Kind
TAX_PAYABLE = "tax_payable"


@transaction.atomic
def issue(*, payment_id: UUID) -> list[Document]:
    """All documents that the payment calls for are there on return; those that were issued now. Idempotent."""
    payment = Payment.objects.select_for_update(of=["self"]).get(pk=payment_id)
    if not payment.is_captured:
        return []
    known = list(payment.documents.order_by("id"))
    made = _receipt(payment, known) + _cancellations(payment, known) + _credit_notes(payment, known)  # everybody's order of series
    if payment.documents_due_at is not None:
        Payment.objects.filter(pk=payment.pk).update(documents_due_at=None)
    return made


def _receipt(payment: Payment, known: list[Document]) -> list[Document]:
    if known:
        return []
    said = content.receipt(payment, list(payment.lines.order_by("position")), payment.organization)
    return [_write(payment, known, Kind.RECEIPT, said)]


def _cancellations(payment: Payment, known: list[Document]) -> list[Document]:
    """For credit notes whose refund failed after it had succeeded, also where it is being tried again by now."""
    made = []
    for note in [one for one in known if one.kind == Kind.CREDIT_NOTE and not _is_cancelled(one, known)]:
        refund = payment.refunds.get(documents=note.pk)
        if refund.state != Refund.State.SUCCEEDED or refund.retries != note.refund_retry:
            said = content.cancellation(note.content, refund=refund)
            made.append(_write(payment, known, Kind.CANCELLATION, said, refund=refund, retry=note.refund_retry, about=note))
    return made


def _credit_notes(payment: Payment, known: list[Document]) -> list[Document]:
    made = []
    for refund in payment.refunds.filter(state=Refund.State.SUCCEEDED).order_by("succeeded_at", "id"):
        if _of(known, refund, Kind.CREDIT_NOTE) is None:
            standing = [note.content for note in known if note.kind == Kind.CREDIT_NOTE and not _is_cancelled(note, known)]
            tax = _tax_of(payment, sum(note["total"] for note in standing) + refund.amount)
            said = content.credit_note(known[0].content, refund=refund, tax=tax, earlier=standing)
            made.append(_write(payment, known, Kind.CREDIT_NOTE, said, refund=refund, about=known[0]))
    return made


def _of(known: list[Document], refund: Refund, kind: str) -> Document | None:
    return next((one for one in known if (one.kind, one.refund_id, one.refund_retry) == (kind, refund.pk, refund.retries)), None)


def _is_cancelled(note: Document, known: list[Document]) -> bool:
    return any(one.kind == Kind.CANCELLATION and one.about_id == note.pk for one in known)


def _tax_of(payment: Payment, amount: int) -> dict[str, int]:
    """Tax by jurisdiction in `amount` minor units given back altogether: the ledger's own shares (postings.refund_shares)."""
    parts = postings.earnings(payment, list(payment.lines.order_by("position")))
    shares = allocate(amount, [part for _, part in parts], to=step(payment.currency))
    return {account.owner: share for (account, _), share in zip(parts, shares, strict=True) if account.code == TAX_PAYABLE}


def _write(
    payment: Payment,
    known: list[Document],
    kind: str,
    said: content.Content,
    *,
    refund: Refund | None = None,
    retry: int | None = None,
    about: Document | None = None,
) -> Document:
    year, number, at = _next_number(payment.organization_id, kind)
    document = Document.objects.create(
        kind=kind,
        organization_id=payment.organization_id,
        year=year,
        number=number,
        issued_at=at,
        payment=payment,
        refund=refund,
        refund_retry=(refund.retries if retry is None else retry) if refund else None,
        about=about,
        amount=said["total"],
        currency=said["currency"],
        content={**said, "about": about.shown_number if about else "", "about_issued_at": about.issued_at.isoformat() if about else ""},
    )
    record(document, "document.issued", by=BY, organization_id=payment.organization_id, after={"number": document.shown_number})
    known.append(document)
    return document


def _next_number(organization_id: UUID, kind: str) -> tuple[int, int, datetime]:
    """Year, number and moment of the next document; the series is locked until the commit, and gives the number back on a rollback.

    The moment is read under the lock, so that later numbers carry later moments.
    """
    series = {"organization_id": organization_id, "kind": kind, "year": timezone.now().astimezone(UTC).year}
    row = DocumentSeries.objects.select_for_update().filter(**series).first()
    if row is None:
        DocumentSeries.objects.bulk_create([DocumentSeries(**series)], ignore_conflicts=True)  # another one may be first
        row = DocumentSeries.objects.select_for_update().get(**series)
    at = timezone.now()
    if at.astimezone(UTC).year != row.year:  # it became New Year while this one waited
        return _next_number(organization_id, kind)
    row.last_number += 1
    row.save(update_fields=["last_number"])
    return row.year, row.last_number, at
