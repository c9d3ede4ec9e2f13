"""Telling Stripe our answer to a dispute, from a worker, with no transaction open around a call.

Documents are uploaded first, each under its own key and once; then the evidence is submitted, or the dispute closed. A lost answer is
unknown: Stripe is asked how the dispute stands before the same key is sent again.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import commands, disputes
from billing.gateway.base import GatewayBusy, GatewayDispute, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import Dispute, DisputeFile, DisputeResponse, Payment, StripeCommand
from core import jobs

BY = Actor.system("disputes.submit")


@jobs.task(queue="money", outside=True)
def submit(*, response_id: UUID) -> None:
    """Have Stripe take the answer, and bring the dispute in line. Repeatable at any point; raises RetryLater after a lost answer."""
    response = begin(response_id=response_id, at=timezone.now())
    if response is None:
        return
    try:
        answer = _arrived(response) or _send(response)
    except GatewayRefused as refusal:
        fail(response_id=response_id, attempt=response.attempt, why=str(refusal), at=timezone.now())
    except GatewayBusy as busy:
        raise jobs.RetryLater(str(busy)) from busy
    except GatewayUnknown as lost:
        lose_answer(response_id=response_id, attempt=response.attempt)
        raise jobs.RetryLater(str(lost)) from lost
    else:
        finish(response_id=response_id, answer=answer, at=timezone.now())


def _locked(response_id: UUID) -> DisputeResponse:
    Payment.objects.select_for_update(of=["self"]).get(disputes__responses=response_id)
    return DisputeResponse.objects.select_related("dispute__payment").get(pk=response_id)


@transaction.atomic
def begin(*, response_id: UUID, at: datetime) -> DisputeResponse | None:
    """Take the answer to `sending`; None where it has ended."""
    response = _locked(response_id)
    if response.state not in DisputeResponse.OPEN:
        return None
    response.begin(at=response.sent_at or at)
    response.save(update_fields=["state", "sent_at", "updated_at"])
    return response


def _arrived(response: DisputeResponse) -> GatewayDispute | None:
    """The dispute as Stripe has it, where an earlier call of this answer has done its work; None where it has to be sent."""
    if not StripeCommand.objects.filter(key=response.stripe_key, calls__gt=0).exists():
        return None
    found = gateway().retrieve_dispute(response.dispute.stripe_dispute_id)
    if response.kind == DisputeResponse.Kind.ACCEPT:
        return found if found.status in Dispute.FINAL else None
    return found if found.submission_count > response.submissions_before else None


def _send(response: DisputeResponse) -> GatewayDispute:
    dispute_id = response.dispute.stripe_dispute_id
    if response.kind == DisputeResponse.Kind.ACCEPT:
        command = _command(response, "dispute.close", response.stripe_key, {})
        return commands.perform(command, lambda _, key: gateway().close_dispute(dispute_id, key=key))
    files = {file.kind: _uploaded(response, file) for file in response.dispute.files.order_by("pk")}
    parameters = {"evidence": {**response.evidence, **files}, "submit": True, "metadata": {"response_id": str(response.pk)}}
    command = _command(response, "dispute.update", response.stripe_key, parameters)
    return commands.perform(command, lambda stored, key: gateway().update_dispute(dispute_id, stored, key=key))


def _uploaded(response: DisputeResponse, file: DisputeFile) -> str:
    """Stripe's id of the document, uploaded now if it is not there yet."""
    if file.stripe_file_id:
        return file.stripe_file_id
    with file.stored.open("rb") as stored:
        content = stored.read()
    command = _command(response, "file.create", response.file_key(file.pk), {"purpose": "dispute_evidence", "name": file.name})
    answer = commands.perform(command, lambda _, key: gateway().upload_evidence(file.name, content, key=key))
    DisputeFile.objects.filter(pk=file.pk).update(stripe_file_id=answer.id)
    return answer.id


def _command(response: DisputeResponse, operation: str, key: str, parameters: dict[str, Any]) -> StripeCommand:
    organization_id = response.dispute.payment.organization_id
    return commands.prepare(operation=operation, key=key, parameters=parameters, subject=response, organization_id=organization_id)


@transaction.atomic
def finish(*, response_id: UUID, answer: GatewayDispute, at: datetime) -> None:
    """Stripe has the answer: the dispute stands as it says. Idempotent."""
    response = _locked(response_id)
    if response.state in DisputeResponse.OPEN:
        response.finish(at=at)
        response.save(update_fields=["state", "ended_at", "failure_reason", "updated_at"])
        record(
            response, "dispute.answer_sent", by=BY, organization_id=response.dispute.payment.organization_id, after={"kind": response.kind}
        )
    disputes.sync(answer=answer, at=at, by=BY)


@transaction.atomic
def lose_answer(*, response_id: UUID, attempt: int) -> None:
    response = _locked(response_id)
    if response.state == DisputeResponse.State.SENDING and response.attempt == attempt:
        response.lose_answer()
        response.save(update_fields=["state", "updated_at"])


@transaction.atomic
def fail(*, response_id: UUID, attempt: int, why: str, at: datetime) -> None:
    """A definite no: a person reads why, and may send it again."""
    response = _locked(response_id)
    if response.state in (DisputeResponse.State.SENDING, DisputeResponse.State.UNKNOWN) and response.attempt == attempt:
        response.fail(at=at, why=why)
        response.save(update_fields=["state", "ended_at", "failure_reason", "updated_at"])
        record(response, "dispute.answer_failed", by=BY, organization_id=response.dispute.payment.organization_id, reason=why[:500])
