"""Disputes, mirrored from Stripe so that a disputed payment is not refunded as well."""

from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from audit.actor import Actor
from audit.recording import record
from billing import fulfillment
from billing.gateway.base import GatewayDispute
from billing.models import Dispute, Payment


@transaction.atomic
def sync(*, answer: GatewayDispute, at: datetime, by: Actor) -> Dispute | None:
    """Bring our dispute in line with Stripe's, and the payment's disputed amount with those open or lost; None for a charge not ours."""
    payment = Payment.objects.select_for_update(of=["self"]).filter(stripe_charge_id=answer.charge_id).first()
    if payment is None:
        return None
    before = Dispute.objects.filter(stripe_dispute_id=answer.id).values_list("status", flat=True).first()
    if before in Dispute.FINAL:  # an answer that was read earlier came in later
        return payment.disputes.get(stripe_dispute_id=answer.id)
    dispute, is_new = Dispute.objects.update_or_create(
        stripe_dispute_id=answer.id,
        defaults={
            "payment": payment,
            "amount": answer.amount,
            "currency": answer.currency,
            "status": answer.status,
            "reason": answer.reason,
            "due_by": answer.due_by,
        },
    )
    payment.amount_disputed = payment.disputes.filter(status__in=Dispute.HOLDING).aggregate(total=Sum("amount"))["total"] or 0
    payment.save(update_fields=["amount_disputed", "updated_at"])
    if before != answer.status:
        organization = payment.organization_id
        record(dispute, "dispute.changed", by=by, organization_id=organization, before={"status": before}, after={"status": answer.status})
    if is_new:
        fulfillment.handler_for(payment.purpose).on_disputed(payment, at=at, by=by)
    return dispute
