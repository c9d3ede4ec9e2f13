"""Disputes that got stuck, found by the clock: answers that never left or have no outcome, and open disputes nobody told us about again."""

from datetime import timedelta

from django.utils import timezone

from audit.actor import Actor
from billing import dispute_submission, disputes, sweeps
from billing.gateway.selection import gateway
from billing.models import Dispute, DisputeResponse
from core import jobs

BY = Actor.system("disputes.sweep")
WAITS_FOR = timedelta(minutes=10)
ASKED_EVERY = timedelta(hours=6)
_BATCH = 200


@jobs.task(queue="money", outside=True)
def disputes_under_way() -> None:
    """Queue again the answers that should have arrived, and read at Stripe the disputes that are open, so that no decision is missed."""
    now = timezone.now()
    waiting = DisputeResponse.objects.on_their_way().filter(updated_at__lt=now - WAITS_FOR)
    for response in waiting.order_by("updated_at")[:_BATCH]:
        if not sweeps.has_open_job(dispute_submission.submit, response_id=response.pk):
            DisputeResponse.objects.filter(pk=response.pk).update(updated_at=now)  # looked at now: the others come first next time
            jobs.enqueue(dispute_submission.submit, response_id=response.pk)
    stale = Dispute.objects.filter(status__in=Dispute.OPEN, updated_at__lt=now - ASKED_EVERY)
    sweeps.each(stale.order_by("updated_at")[:_BATCH], _read)


def _read(dispute: Dispute) -> None:
    Dispute.objects.filter(pk=dispute.pk).update(updated_at=timezone.now())
    disputes.sync(answer=gateway().retrieve_dispute(dispute.stripe_dispute_id), at=timezone.now(), by=BY)
