"""The audit log of the demo: who did what, at the time it was done."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model

from audit.models import AuditEntry
from billing.models import Refund
from config.demo.copying import copy_rows
from config.demo.ids import key
from config.demo.refunding import Planned
from config.demo.sales import Sale
from core.public_ids import encode
from events.models import Event
from registrations.models import Registration

_WEBHOOK, _SUBMIT = "system:stripe.webhook", "system:refunds.submit"
_ENDINGS: dict[str, tuple[str, str]] = {
    Refund.State.SUCCEEDED: ("refund.settled", "succeeded_at"),
    Refund.State.FAILED: ("refund.failed", "failed_at"),
    Refund.State.CANCELLED: ("refund.cancelled", "failed_at"),
    Refund.State.PENDING: ("refund.pending", "submitted_at"),
    Refund.State.REQUIRES_ACTION: ("refund.requires_action", "submitted_at"),
}


def write(events: Sequence[Event], sales: Sequence[Sale], refunds: Sequence[Planned]) -> None:
    copy_rows([*_of_events(events), *_of_sales(sales), *_of_refunds(refunds)])


def _of_events(events: Sequence[Event]) -> Iterator[AuditEntry]:
    for event in events:
        if event.published_at:
            yield _entry(event, "event.published", event.published_at, event.organization_id, user_id=event.host_id)


def _of_sales(sales: Sequence[Sale]) -> Iterator[AuditEntry]:
    for sale in sales:
        payee = sale.event.organization_id
        place, payment = sale.registration, sale.payment
        if payment is not None and payment.paid_at:
            after = {"state": "succeeded", "captured": payment.amount}
            yield _entry(payment, "payment.succeeded", payment.paid_at, payee, label=_WEBHOOK, after=after)
        if place is None:
            continue
        after = {"event": sale.event.public_id, "state": "pending"}
        by_guest = f"guest:{place.pk}"
        yield _entry(place, "registration.created", sale.at, payee, user_id=place.user_id, label=by_guest, after=after)
        if sale.place == Registration.State.CANCELLED and place.cancelled_at:
            after = {"state": sale.place, "reason": str(place.cancel_reason)}
            yield _entry(place, "registration.cancelled", place.cancelled_at, payee, user_id=place.user_id, label=by_guest, after=after)
        elif place.confirmed_at and payment is not None:
            yield _entry(place, "registration.confirmed", place.confirmed_at, payee, label=_WEBHOOK, after={"state": sale.place})


def _of_refunds(refunds: Sequence[Planned]) -> Iterator[AuditEntry]:
    for planned in refunds:
        row = planned.refund
        payee = row.payment.organization_id
        after: dict[str, Any] = {"amount": row.amount, "currency": row.currency, "payment": row.payment.public_id}
        action = "refund.recorded_external" if row.source == Refund.Source.EXTERNAL else "refund.requested"
        yield _entry(row, action, row.created_at, payee, user_id=row.requested_by_id, label=_WEBHOOK, after=after, reason=row.note)
        if row.approved_by_id:
            yield _entry(row, "refund.approved", row.created_at, payee, user_id=row.approved_by_id, after={"amount": row.amount})
        action, moment = _ENDINGS.get(planned.state, ("", ""))
        at = getattr(row, moment) if moment else None
        if at:
            label = _WEBHOOK if planned.at_stripe else _SUBMIT
            yield _entry(row, action, at, payee, label=label, after={"state": planned.state}, reason=row.failure_reason)


def _entry(
    obj: Model,
    action: str,
    at: datetime,
    organization_id: UUID,
    *,
    user_id: UUID | None = None,
    label: str = "",
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """label: the actor's where no account acted."""
    return AuditEntry(
        id=key(at, "audit", action, obj.pk),
        created_at=at,
        action=action,
        object_type=obj._meta.label_lower,
        object_id=obj.pk,
        organization_id=organization_id,
        actor=f"user:{encode('usr', user_id)}" if user_id else label,
        user_id=user_id,
        after=after or {},
        reason=reason,
    )
