"""Stripe's pages of an invoice, asked for at the moment that somebody wants to see one."""

from enum import StrEnum
from uuid import UUID

from audit.actor import Actor
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.gateway.unreachable import StripeDoesNotAnswer
from billing.models import Invoice
from core.errors import DomainError, NotFound
from core.outside_calls import forbid_open_transaction


class Page(StrEnum):
    PDF = "pdf"
    PAY = "pay"


class InvoiceUnreachable(DomainError):
    code, http_status = "INVOICE_UNREACHABLE", 409

    def __init__(self) -> None:
        super().__init__("Stripe has no such page of this invoice: a draft, or one that it does not know, has none.")


def url(*, invoice_id: UUID, page: Page, by: Actor) -> str:
    """Where Stripe shows the invoice now, as PDF or where it is paid; good for this one visit, and kept nowhere.

    Called by a surface with no transaction open, since the person waits. Source: Stripe, the Invoice object, `invoice_pdf` and
    `hosted_invoice_url`. Raises NotFound, InvoiceUnreachable, StripeDoesNotAnswer.
    """
    forbid_open_transaction()
    invoice = Invoice.objects.visible_to(by).filter(pk=invoice_id).first()
    if invoice is None:
        raise NotFound("invoice")
    try:
        found = gateway(patient=False).retrieve_invoice(invoice.stripe_invoice_id)
    except (GatewayBusy, GatewayUnknown) as error:
        raise StripeDoesNotAnswer from error
    except GatewayRefused as refusal:
        raise InvoiceUnreachable from refusal
    address = found.pdf_url if page == Page.PDF else found.page_url
    if not address:
        raise InvoiceUnreachable
    return address
