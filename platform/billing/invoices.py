"""Invoices of subscriptions: mirrored from Stripe, booked when they are paid, told of when they could not be taken."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import invoice_emails, postings
from billing.gateway.base import GatewayIntent
from billing.gateway.plans import GatewayInvoice
from billing.gateway.selection import gateway
from billing.models import BillingAccount, Invoice
from core import jobs
from ledger import posting

BY = Actor.system("invoices.sync")
_AT_ONCE = 200
_AMOUNTS = ("total", "amount_due", "amount_paid", "tax", "currency")
_MOMENTS = ("issued_at", "paid_at", "period_starts_at", "period_ends_at", "next_attempt_at")
_MIRRORED = ("number", "status", "billing_reason", "attempts", *_AMOUNTS, *_MOMENTS)


def refresh(*, stripe_invoice_id: str, by: Actor) -> Invoice | None:
    """Read the invoice at Stripe, mirror and book it; None where it is not one of ours. Raises what the gateway raises."""
    asked_at = timezone.now()
    answer = gateway().retrieve_invoice(stripe_invoice_id)
    paid_by = gateway().retrieve_intent(answer.payment_intent_id) if answer.payment_intent_id and answer.amount_paid else None
    tried = answer.open_intent_id if answer.status == Invoice.Status.OPEN else None
    tried_by = gateway().retrieve_intent(tried) if tried else None
    return sync(answer=answer, paid_by=paid_by, tried_by=tried_by, asked_at=asked_at, by=by)


@transaction.atomic
def sync(
    *, answer: GatewayInvoice, paid_by: GatewayIntent | None, asked_at: datetime, by: Actor, tried_by: GatewayIntent | None = None
) -> Invoice | None:
    """The mirror agrees with Stripe's answer, and what was paid is in the books, once; None where the customer is not one of ours.

    tried_by: the intent of the last attempt, where the invoice is open. An attempt that failed is told to the admins.
    """
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
    before, tries = invoice.status, (invoice.attempts, invoice.needs_action)
    for name in _MIRRORED:
        setattr(invoice, name, getattr(answer, name))
    invoice.asked_at = asked_at
    invoice.needs_action = tried_by is not None and tried_by.status == "requires_action"
    if paid_by is not None:
        invoice.stripe_payment_intent_id, invoice.stripe_charge_id = paid_by.id, paid_by.charge_id
    invoice.save()
    if before != invoice.status:
        record(invoice, f"invoice.{invoice.status}", by=by, after={"total": invoice.total, "currency": invoice.currency})
    if invoice.status == Invoice.Status.OPEN and (invoice.attempts, invoice.needs_action) > tries:
        jobs.enqueue(invoice_emails.send_unpaid, invoice_id=invoice.pk, attempt=invoice.attempts)
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


@jobs.task(queue="money", outside=True)
def missing_fees() -> None:
    """Book the fees of paid invoices whose balance transaction came after the invoice's own events."""
    for stripe_invoice_id in Invoice.objects.fee_missing().values_list("stripe_invoice_id", flat=True)[:_AT_ONCE]:
        refresh(stripe_invoice_id=stripe_invoice_id, by=BY)
