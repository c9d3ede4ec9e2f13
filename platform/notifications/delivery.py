"""Messages to people: written as rows in the operation's transaction, sent by a task."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.mail import EmailMultiAlternatives
from django.db import models, transaction
from django.template.loader import render_to_string
from django.utils import timezone

from core import jobs
from notifications.models import Message

_MAX_ATTEMPTS = 5


@transaction.atomic
def queue(
    *,
    kind: str,
    to: str,
    context: Mapping[str, Any],
    user_id: UUID | None = None,
    organization_id: UUID | None = None,
    related: models.Model | None = None,
    dedupe_key: str | None = None,
) -> Message | None:
    """The message as a row, rendered from templates/emails/<kind>.*, and its delivery queued; None where the key was used before."""
    message = Message(
        kind=kind,
        to=to,
        user_id=user_id,
        organization_id=organization_id,
        related_type=related._meta.label_lower if related else "",
        related_id=related.pk if related else None,
        subject=" ".join(render_to_string(f"emails/{kind}.subject.txt", dict(context)).split())[:300],
        text=render_to_string(f"emails/{kind}.txt", dict(context)),
        html=render_to_string(f"emails/{kind}.html", dict(context)),
        dedupe_key=dedupe_key,
    )
    Message.objects.bulk_create([message], ignore_conflicts=dedupe_key is not None)
    if dedupe_key is not None and not Message.objects.filter(pk=message.pk).exists():
        return None
    jobs.enqueue(deliver, message_id=message.pk)
    return message


@jobs.task(outside=True, max_attempts=_MAX_ATTEMPTS + 1)
def deliver(*, message_id: UUID) -> None:
    """Hand the message to the mail server. At least once: a crash between its yes and our commit sends a second copy."""
    message = Message.objects.filter(pk=message_id, state=Message.State.QUEUED).first()
    if message is None:
        return
    mail = EmailMultiAlternatives(subject=message.subject, body=message.text, to=[message.to], headers={"X-Message-Id": message.public_id})
    mail.attach_alternative(message.html, "text/html")
    try:
        mail.send()
    except OSError as error:  # smtplib's errors are OSErrors
        give_up(message_id=message_id, error=str(error))
        raise jobs.RetryLater(str(error)) from error
    with transaction.atomic():
        sent = Message.objects.select_for_update().get(pk=message_id)
        if sent.state == Message.State.QUEUED:
            sent.send()
            sent.sent_at, sent.attempts, sent.error = timezone.now(), sent.attempts + 1, ""
            sent.save(update_fields=["state", "sent_at", "attempts", "error", "updated_at"])


@transaction.atomic
def give_up(*, message_id: UUID, error: str) -> None:
    """Count a failed attempt; after the last one the message is failed."""
    message = Message.objects.select_for_update().get(pk=message_id)
    if message.state != Message.State.QUEUED:
        return
    message.attempts += 1
    message.error = error[:2000]
    if message.attempts >= _MAX_ATTEMPTS:
        message.fail()
    message.save(update_fields=["state", "attempts", "error", "updated_at"])
