"""The answer to events.commitments: what an event owes to people already."""

from uuid import UUID

from django.db.models import Count, Q

from billing.models import Payment
from events.commitments import Sold
from registrations.models import Registration


def sold(event_id: UUID) -> Sold:
    """Counted from the rows, not from the event's counter."""
    counts = Registration.objects.filter(event_id=event_id).aggregate(
        paid=Count("pk", filter=Q(state=Registration.State.CONFIRMED, payment__state__in=Payment.CAPTURED)),
        held=Count("pk", filter=Q(state=Registration.State.PENDING)),
        confirmed=Count("pk", filter=Q(state=Registration.State.CONFIRMED)),
    )
    return Sold(**counts)
