"""Answering a dispute: submit the evidence, or accept it. One commit, then a worker tells Stripe (dispute_submission)."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import dispute_submission
from billing.dispute_evidence import DisputeNotAnswerable, locked, require_answerable
from billing.models import Dispute, DisputeResponse
from core import jobs


@transaction.atomic
def submit(*, dispute_id: UUID, by: Actor) -> DisputeResponse:
    """Send the evidence as it stands now; Stripe takes it once, and passes it to the bank.

    Raises NotFound, PermissionRefused, StepUpRequired, DisputeNotAnswerable.
    """
    dispute = locked(dispute_id, by)
    require_answerable(dispute, timezone.now())
    if not dispute.evidence and not dispute.files.exists():
        raise DisputeNotAnswerable("Write or attach some evidence first; an empty answer loses the dispute.")
    return _ask(dispute, DisputeResponse.Kind.EVIDENCE, by)


@transaction.atomic
def accept(*, dispute_id: UUID, by: Actor) -> DisputeResponse:
    """Give the dispute up: it is lost at once, and cannot be contested any more.

    Raises NotFound, PermissionRefused, StepUpRequired, DisputeNotAnswerable.
    """
    dispute = locked(dispute_id, by)
    require_answerable(dispute, timezone.now())
    return _ask(dispute, DisputeResponse.Kind.ACCEPT, by)


@transaction.atomic
def retry(*, dispute_id: UUID, by: Actor) -> DisputeResponse:
    """Send the last answer again that Stripe refused, under a new key. Raises as `submit`, and DisputeNotAnswerable where none failed."""
    dispute = locked(dispute_id, by)
    require_answerable(dispute, timezone.now())
    response = dispute.responses.order_by("-pk").first()
    if response is None or response.state != DisputeResponse.State.FAILED:
        raise DisputeNotAnswerable("No answer to this dispute has failed.")
    response.retry()
    response.save(update_fields=["state", "attempt", "sent_at", "ended_at", "updated_at"])
    record(response, "dispute.answer_retried", by=by, organization_id=dispute.payment.organization_id, after={"attempt": response.attempt})
    jobs.enqueue(dispute_submission.submit, response_id=response.pk)
    return response


def _ask(dispute: Dispute, kind: DisputeResponse.Kind, by: Actor) -> DisputeResponse:
    if dispute.responses.filter(kind=kind, state=DisputeResponse.State.DONE, submissions_before=dispute.submission_count).exists():
        raise DisputeNotAnswerable("This answer has been sent; wait until the bank asks again.")
    response = DisputeResponse.objects.create(
        dispute=dispute,
        kind=kind,
        evidence=dispute.evidence if kind == DisputeResponse.Kind.EVIDENCE else {},
        submissions_before=dispute.submission_count,
        requested_by_id=by.user_id,
    )
    action = "dispute.evidence_submitted" if kind == DisputeResponse.Kind.EVIDENCE else "dispute.accepted"
    record(dispute, action, by=by, organization_id=dispute.payment.organization_id, after={"response": response.public_id})
    jobs.enqueue(dispute_submission.submit, response_id=response.pk)
    return response
