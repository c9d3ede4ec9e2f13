"""Mails about an invoice that could not be taken: pay it or change the card, or answer the bank's question."""

from uuid import UUID

from billing.admin_mail import pay_page, plans_page, to_admins
from billing.models import Invoice
from core import jobs
from core.money import Money


@jobs.task()
def send_unpaid(*, invoice_id: UUID, attempt: int) -> None:
    """Tell the admins of this attempt, once; nothing where it was paid meanwhile."""
    invoice = Invoice.objects.select_related("organization", "account").get(pk=invoice_id)
    if invoice.status != Invoice.Status.OPEN:
        return
    context = {
        "number": invoice.number,
        "amount": str(Money(invoice.amount_due, invoice.currency)),
        "card": invoice.account.card,
        "next_attempt_at": invoice.next_attempt_at,
        "link": pay_page(invoice),
        "plans_page": plans_page(),
    }
    kind = "invoice_action_required" if invoice.needs_action else "invoice_failed"
    to_admins(kind, invoice.organization, context, related=invoice, notice=str(attempt))
