"""Invoices of subscriptions: mirrored from Stripe, booked when they are paid, their links fetched anew for whoever opens one."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import postings
from billing.gateway.base import GatewayError, GatewayIntent
from billing.gateway.plans import GatewayInvoice
from billing.gateway.selection import gateway
from billing.models import BillingAccount, Invoice
from core import jobs
from core.errors import DomainError, NotFound
from core.outside_calls import forbid_open_transaction
from ledger import posting

BY = Actor.system("invoices.sync")
_AT_ONCE = 200
_MIRRORED = ("number", "status", "billing_reason", "total", "amount_due", "amount_paid", "tax", "currency", "issued_at", "paid_at")


class InvoiceUnreachable(DomainError):
    code, http_status = "INVOICE_UNREACHABLE", 409

    def __init__(self) -> None:
        super().__init__("Stripe does not show this invoice now; try again in some minutes.")


def refresh(*, stripe_invoice_id: str, by: Actor) -> Invoice | None:
    """Read the invoice at Stripe, mirror and book it; None where it is not one of ours. Raises what the gateway raises."""
    asked_at = timezone.now()
    answer = gateway().retrieve_invoice(stripe_invoice_id)
    paid_by = gateway().retrieve_intent(answer.payment_intent_id) if answer.payment_intent_id and answer.amount_paid else None
    return sync(answer=answer, paid_by=paid_by, asked_at=asked_at, by=by)


@transaction.atomic
def sync(*, answer: GatewayInvoice, paid_by: GatewayIntent | None, asked_at: datetime, by: Actor) -> Invoice | None:
    """The mirror agrees with Stripe's answer, and what was paid is in the books, once; None where the customer is not one of ours."""
    account = BillingAccount.objects.select_for_update(of=["self"]).select_related("organization").filter(
        stripe_customer_id=answer.customer_id
    ).first()  # fmt: skip
    if account is None:
        return None
    invoice = Invoice.objects.filter(stripe_invoice_id=answer.id).first()
    if invoice is None:
        invoice = Invoice(account=account, organization=account.organization, stripe_invoice_id=answer.id)
    elif invoice.asked_at > asked_at:
        return invoice
    before = invoice.status
    for name in _MIRRORED:
        setattr(invoice, name, getattr(answer, name))
    invoice.asked_at = asked_at
    if paid_by is not None:
        invoice.stripe_payment_intent_id, invoice.stripe_charge_id = paid_by.id, paid_by.charge_id
    invoice.save()
    if before != invoice.status:
        record(invoice, f"invoice.{invoice.status}", by=by, after={"total": invoice.total, "currency": invoice.currency})
    _book(invoice, paid_by, country=account.organization.country)
    return invoice


def _book(invoice: Invoice, paid_by: GatewayIntent | None, *, country: str) -> None:
    at = invoice.paid_at or invoice.issued_at
    if invoice.status == Invoice.Status.PAID and invoice.amount_paid and not posting.posted(invoice.reference):
        posting.post(
            reference=invoice.reference,
            description=f"Invoice {invoice}"[:200],
            currency=invoice.currency,
            entries=postings.invoice_paid(invoice, country=country),
            occurred_at=at,
            organization_id=invoice.organization_id,
        )
    found = paid_by.balance_transaction if paid_by else None
    if found is None or invoice.stripe_fee is not None or found.currency != invoice.currency:
        return  # the fee comes later; a converted one is a difference for reconciliation
    invoice.stripe_fee = found.fee
    invoice.save(update_fields=["stripe_fee", "updated_at"])
    if found.fee:
        posting.post(
            reference=f"{invoice.reference}:fee",
            description=f"Stripe's fee: invoice {invoice}"[:200],
            currency=invoice.currency,
            entries=postings.stripe_fee(found.fee),
            occurred_at=at,
            organization_id=invoice.organization_id,
        )


def document_url(*, invoice_id: UUID, by: Actor) -> str:
    """Where Stripe shows the invoice as PDF now. Asked for by a surface with no transaction open. Raises NotFound, InvoiceUnreachable."""
    forbid_open_transaction()
    invoice = Invoice.objects.visible_to(by).filter(pk=invoice_id).first()
    if invoice is None:
        raise NotFound("invoice")
    try:
        url = gateway(patient=False).retrieve_invoice(invoice.stripe_invoice_id).pdf_url
    except GatewayError as error:
        raise InvoiceUnreachable from error
    if not url:
        raise InvoiceUnreachable
    return url


@jobs.task(queue="money", outside=True)
def missing_fees() -> None:
    """Book the fees of paid invoices whose balance transaction came after the invoice's own events."""
    for stripe_invoice_id in Invoice.objects.fee_missing().values_list("stripe_invoice_id", flat=True)[:_AT_ONCE]:
        refresh(stripe_invoice_id=stripe_invoice_id, by=BY)
