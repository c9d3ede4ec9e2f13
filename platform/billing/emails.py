"""Mails about money: who gets them and what they say. Enqueued as the last line of an operation."""

from typing import Any
from uuid import UUID

from django.conf import settings

from billing import fulfillment
from billing.documents import issuing
from billing.models import Dispute, Document, Payment, Refund
from core import jobs
from core.money import Money
from notifications import delivery
from organizations.models import Role


def _about_payment(payment: Payment) -> dict[str, Any]:
    return {
        "name": payment.name,
        "description": payment.description,
        "amount": str(payment.due),
        "organization": payment.organization.name,
        "reference": payment.public_id,
        "lines": [
            {"description": line.description, "amount": str(Money(line.amount, payment.currency))}
            for line in payment.lines.filter(payer="attendee").order_by("position")
        ],
        "site": settings.BASE_URL,
    }


def _to_payer(kind: str, payment: Payment, context: dict[str, Any], *, dedupe_key: str, related: Payment | Refund) -> None:
    link = str(context.get("link", ""))
    delivery.queue(
        kind=kind,
        to=payment.email,
        context=context,
        user_id=payment.user_id,
        organization_id=payment.organization_id,
        related=related,
        dedupe_key=dedupe_key,
        opens=link if "key=" in link else "",
    )


def _payment(payment_id: UUID) -> Payment:
    return Payment.objects.select_related("organization").get(pk=payment_id)


def _refund(refund_id: UUID) -> Refund:
    return Refund.objects.select_related("payment__organization").get(pk=refund_id)


def _about_refund(refund: Refund) -> dict[str, Any]:
    return {
        **_about_payment(refund.payment),
        "refund_amount": str(refund.money),
        "refund_reference": refund.public_id,
        "is_whole": refund.amount == refund.payment.amount,
    }


def _papers(payment: Payment, refund: Refund | None = None) -> dict[str, Any]:
    """Issue what is due, and say its number and where the buyer gets it: the receipt, or what stands for the refund now."""
    issuing.issue(payment_id=payment.pk)
    papers = Document.objects.filter(payment=payment, refund=refund).order_by("-id")
    found = papers.first()
    handler = fulfillment.handler_for(payment.purpose)
    return {"document": str(found) if found else "", "link": handler.document_url(payment, found) if found else ""}


@jobs.task()
def send_receipt(*, payment_id: UUID) -> None:
    """Issue the receipt and mail where it is."""
    payment = _payment(payment_id)
    context = {**_about_payment(payment), **_papers(payment)}
    _to_payer("payment_receipt", payment, context, dedupe_key=f"receipt:{payment_id}", related=payment)


@jobs.task()
def send_payment_failed(*, payment_id: UUID) -> None:
    payment = _payment(payment_id)
    context = {**_about_payment(payment), "reason": payment.failure_message}
    _to_payer("payment_failed", payment, context, dedupe_key=f"payment-failed:{payment_id}", related=payment)


@jobs.task()
def send_refund_requested(*, refund_id: UUID) -> None:
    refund = _refund(refund_id)
    _to_payer("refund_requested", refund.payment, _about_refund(refund), dedupe_key=f"refund-requested:{refund_id}", related=refund)


@jobs.task()
def send_refund_receipt(*, refund_id: UUID) -> None:
    """Issue the credit note and mail where it is."""
    refund = _refund(refund_id)
    key = f"refund-settled:{refund_id}:{refund.attempt}"
    context = {**_about_refund(refund), **_papers(refund.payment, refund)}
    _to_payer("refund_settled", refund.payment, context, dedupe_key=key, related=refund)


@jobs.task()
def send_refund_failed(*, refund_id: UUID) -> None:
    """Where it failed after success, cancel its credit note; mail where that is."""
    refund = _refund(refund_id)
    key = f"refund-failed:{refund_id}:{refund.attempt}"
    context = {**_about_refund(refund), **_papers(refund.payment, refund)}
    _to_payer("refund_failed", refund.payment, context, dedupe_key=key, related=refund)


@jobs.task()
def send_dispute_changed(*, dispute_id: UUID, status: str) -> None:
    """Tell those who look after the organization's money that a dispute came, changed hands or was decided."""
    dispute = Dispute.objects.select_related("payment__organization").get(pk=dispute_id)
    payment = dispute.payment
    context = {
        **_about_payment(payment),
        "disputed": str(dispute.money),
        "status": Dispute.Status(status).label,
        "needs_answer": status in Dispute.ANSWERABLE,
        "is_over": status in Dispute.FINAL,
        "due_by": dispute.due_by.isoformat() if dispute.due_by else "",
        "bank_reason": dispute.reason.replace("_", " "),
        "reference": dispute.public_id,
    }
    for member in payment.organization.memberships.active().filter(role=Role.ADMIN).select_related("user"):
        delivery.queue(
            kind="dispute_changed",
            to=member.user.email,
            context=context,
            user_id=member.user_id,
            organization_id=payment.organization_id,
            related=dispute,
            dedupe_key=f"dispute:{dispute_id}:{status}:{member.user_id}",
        )
