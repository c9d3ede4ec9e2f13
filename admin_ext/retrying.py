"""Doing again what was given up: the console's own operations on jobs and messages, which know no permissions themselves."""

from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import DomainError
from core.models import Job
from notifications import delivery
from notifications.models import Message
from organizations.permissions import Permission, require


class NotGivenUp(DomainError):
    code, http_status = "NOT_GIVEN_UP", 409

    def __init__(self, what: str) -> None:
        super().__init__(f"Only a {what} that was given up can be tried again.")


@transaction.atomic
def retry_job(*, job_id: UUID, by: Actor) -> Job:
    """Queue a dead job again. Raises PermissionRefused, NotFound, TransitionNotAllowed."""
    require(by, Permission.JOB_RETRY)
    job = jobs.retry(job_id=job_id)
    record(job, "job.retried", by=by, before={"state": Job.State.DEAD}, after={"state": job.state})
    return job


@transaction.atomic
def resend_message(*, message_id: UUID, by: Actor) -> Message:
    """Queue a failed message again. Raises PermissionRefused, NotFound, TransitionNotAllowed."""
    require(by, Permission.JOB_RETRY)
    return delivery.resend(message_id=message_id, by=by)
