"""Places that are held end by the clock, never before Stripe has said that nobody paid."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from billing import checkout
from core import jobs
from registrations import cancellation
from registrations.models import Registration

BY = Actor.system("registrations.holds")
ASK_AGAIN_AFTER = timedelta(minutes=5)
_BATCH = 200


@jobs.task(outside=True)
def sweep() -> None:
    """End every hold whose time is over. A missed run means that seats stay held longer; the next one finds them.

    outside: each place has a transaction of its own, so that no two events are ever locked by one.
    """
    at = timezone.now()
    overdue = Registration.objects.overdue(at=at)
    for registration_id in overdue.filter(payment=None).values_list("pk", flat=True)[:_BATCH]:
        cancellation.expire(registration_id=registration_id, at=at, by=BY)
    ask_for_unpaid(at=at)


@transaction.atomic
def ask_for_unpaid(*, at: datetime) -> None:
    """Have each overdue payment ended: the seat is released only once Stripe says expired and unpaid (fulfillment.on_failed).

    A bank that is still processing keeps the place; it is asked for again later. A row that is locked is being paid or cancelled now.
    """
    overdue = Registration.objects.overdue(at=at).exclude(payment=None)
    for registration in overdue.select_for_update(skip_locked=True, of=["self"])[:_BATCH]:
        registration.hold_expires_at = at + ASK_AGAIN_AFTER
        registration.save(update_fields=["hold_expires_at", "updated_at"])
        if registration.payment_id:
            checkout.request_end(payment_id=registration.payment_id, cancelled=False)
