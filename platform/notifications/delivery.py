"""Mails: written as a row in the operation's transaction, sent by a worker, told about what became of them.

Texts are templates/emails/<kind>.subject.txt, <kind>.txt and <kind>.html. HTML is autoescaped: names and titles come from strangers.
"""

from collections.abc import Mapping
from email.utils import parseaddr
from smtplib import SMTPException, SMTPRecipientsRefused
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import models, transaction
from django.template import Context
from django.template.loader import get_template
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from core import jobs
from core.errors import NotFound
from core.outside_calls import forbid_open_transaction
from notifications.models import Message

MAX_ATTEMPTS = 5
_SUBJECT_LENGTH = 300


@transaction.atomic
def queue(
    *,
    kind: str,
    to: str,
    context: Mapping[str, Any],
    related: models.Model | None = None,
    user_id: UUID | None = None,
    organization_id: UUID | None = None,
    dedupe_key: str | None = None,
    opens: str = "",
) -> Message | None:
    """Write the mail and have it sent; in the caller's transaction, so it exists if and only if that commits.

    kind: the templates' name. dedupe_key: None is returned, and nothing sent, where a message with it was written before.
    opens: the link or code in the context that works for whoever has it; no console shows it, and it is taken out of what is kept
    once the mail has gone.
    Raises TemplateDoesNotExist for an unknown kind.
    """
    message = Message(
        kind=kind,
        to=to,
        user_id=user_id,
        organization_id=organization_id,
        related_type=related._meta.label_lower if related else "",
        related_id=related.pk if related else None,
        dedupe_key=dedupe_key,
        opens=[opens] if opens else [],
        **rendered(kind, context),
    )
    if not _written(message):
        return None
    jobs.enqueue(deliver, message_id=message.pk)
    return message


def rendered(kind: str, context: Mapping[str, Any]) -> dict[str, str]:
    """Subject (one line), text and html of a mail; the site's name and address are always in the context."""
    values = {"site_name": settings.SITE_NAME, "site": settings.BASE_URL, **context}
    subject = " ".join(_plain(f"emails/{kind}.subject.txt", values).split())
    return {
        "subject": subject[:_SUBJECT_LENGTH],
        "text": _plain(f"emails/{kind}.txt", values).strip() + "\n",
        "html": get_template(f"emails/{kind}.html").render({**values, "subject": subject}),
    }


def _plain(name: str, values: dict[str, Any]) -> str:
    """A text template without HTML escapes: what it makes is never read as HTML."""
    template: Any = get_template(name)
    return str(template.template.render(Context(values, autoescape=False)))


def _written(message: Message) -> bool:
    """Insert; False where the dedupe key is taken, by a transaction that runs at the same time too."""
    if message.dedupe_key is None:
        message.save(force_insert=True)
        return True
    Message.objects.bulk_create([message], ignore_conflicts=True)
    return Message.objects.filter(pk=message.pk).exists()


@jobs.task(outside=True, max_attempts=2 * MAX_ATTEMPTS)
def deliver(*, message_id: UUID) -> None:
    """Hand the message to the mail server. After the fifth refusal, or the first final one, it has failed and waits for `resend`.

    At least once: a worker that dies between the server's answer and our commit sends again, under the same Message-ID.
    """
    message = _attempt(message_id)
    if message is None:
        return
    forbid_open_transaction()
    try:
        _mail(message).send(using="default")
    except (SMTPException, OSError) as error:
        if message.attempts >= MAX_ATTEMPTS or _is_final(error):
            give_up(message_id=message_id, error=str(error))
            return
        _note(message_id, str(error))
        raise jobs.RetryLater(str(error)) from error
    _sent(message_id)


@transaction.atomic
def _attempt(message_id: UUID) -> Message | None:
    message = Message.objects.select_for_update().filter(pk=message_id, state=Message.State.QUEUED).first()
    if message is not None:
        message.attempts += 1
        message.save(update_fields=["attempts", "updated_at"])
    return message


def _mail(message: Message) -> EmailMultiAlternatives:
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.text,
        to=[message.to],
        headers={"Message-ID": f"<{message.public_id}@{domain}>", "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(message.html, "text/html")
    return mail


def _is_final(error: Exception) -> bool:
    """Whether the server said that this address will never work (5xx), which no retry changes."""
    return isinstance(error, SMTPRecipientsRefused) and all(code >= 500 for code, _ in error.recipients.values())


@transaction.atomic
def _note(message_id: UUID, error: str) -> None:
    Message.objects.filter(pk=message_id).update(error=error[:2000], updated_at=timezone.now())


@transaction.atomic
def _sent(message_id: UUID) -> None:
    message = Message.objects.select_for_update().get(pk=message_id)
    if message.state == Message.State.QUEUED:
        message.send(at=timezone.now())
        fields = ["state", "sent_at", "error", "updated_at"]
        if message.opens and not settings.SENT_MAIL_KEEPS_KEYS:
            message.forget_keys()
            fields += ["text", "html", "opens"]
        message.save(update_fields=fields)


@transaction.atomic
def give_up(*, message_id: UUID, error: str) -> None:
    message = Message.objects.select_for_update().get(pk=message_id)
    if message.state == Message.State.QUEUED:
        message.fail(error=error)
        message.save(update_fields=["state", "error", "updated_at"])
        by = Actor.system("notifications.delivery")
        record(message, "message.failed", by=by, after={"attempts": message.attempts}, reason=error[:500])


@transaction.atomic
def resend(*, message_id: UUID, by: Actor) -> Message:
    """Queue a failed message again, with five new attempts. Raises NotFound, TransitionNotAllowed.

    The caller checks who may: roles are known only above this app.
    """
    message: Message | None = Message.objects.visible_to(by).select_for_update().filter(pk=message_id).first()
    if message is None:
        raise NotFound("message")
    message.requeue()
    message.save(update_fields=["state", "attempts", "error", "updated_at"])
    record(message, "message.resent", by=by)
    jobs.enqueue(deliver, message_id=message.pk)
    return message
