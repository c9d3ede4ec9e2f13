"""Mails over a real SMTP server: what is written, sent, tried again and given up."""

import email
import email.policy
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import transaction
from django.template import TemplateDoesNotExist

from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from core import jobs
from core.models import Job
from core.state_machine import TransitionNotAllowed
from notifications import delivery
from notifications.models import Message

CONTEXT = {
    "name": "Zoë 🦉 <b>",
    "description": "Ethics <script>alert(1)</script> & practice",
    "organization": "Ågård Institute",
    "amount": "50.00 USD",
    "lines": [{"description": "Ticket", "amount": "50.00 USD"}],
    "reference": "pay_x",
}
SUPPORT = Actor(label="user:usr_support", user_id=uuid4(), staff_groups=frozenset({StaffGroup.SUPPORT}))


class Mailbox:
    """Keeps what it was sent; `answer` is what it says to the recipient, `None` to take it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer: str | None = None

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if self.answer:
            return self.answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))  # type: ignore[arg-type]
        return "250 OK"


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    settings.MAILERS = {
        "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": {"host": "127.0.0.1", "port": port, "timeout": 5}}
    }
    yield box
    controller.stop()


def write(**values: Any) -> Message:
    message = delivery.queue(**{"kind": "payment_receipt", "to": "zoe@example.org", "context": CONTEXT, **values})
    assert message is not None
    return message


def work() -> None:
    """What the worker does with the messages in the queue: one attempt each."""
    for job in Job.objects.filter(name="notifications.delivery.deliver", state=Job.State.QUEUED):
        jobs.run(str(job.pk))


@pytest.mark.django_db
class TestQueue:
    def test_writes_the_row_and_one_job_and_sends_nothing_yet(self, mailbox: Mailbox) -> None:
        message = write()

        assert (message.state, message.attempts, message.sent_at) == (Message.State.QUEUED, 0, None)
        assert Job.objects.filter(ids={"message_id": str(message.pk)}).count() == 1
        assert mailbox.mails == []

    @pytest.mark.gap("1.1")
    @pytest.mark.rule("S17")
    def test_escapes_strangers_words_in_html_only(self) -> None:
        message = write()

        assert "<script>" not in message.html
        assert "&lt;script&gt;" in message.html
        assert "<script>alert(1)</script> & practice" in message.text
        assert "Zoë 🦉 <b>" in message.text

    def test_keeps_the_subject_on_one_line(self) -> None:
        message = write(context={**CONTEXT, "description": "Ethics\r\nBcc: everyone@example.org"})

        assert message.subject == "Receipt: 50.00 USD for Ethics Bcc: everyone@example.org"

    def test_writes_a_message_with_the_same_key_once(self) -> None:
        first = write(dedupe_key="receipt:1")

        assert delivery.queue(kind="payment_receipt", to="zoe@example.org", context=CONTEXT, dedupe_key="receipt:1") is None
        assert list(Message.objects.filter(dedupe_key="receipt:1")) == [first]
        assert Job.objects.filter(name="notifications.delivery.deliver").count() == 1

    def test_vanishes_with_the_transaction_it_was_written_in(self) -> None:
        with transaction.atomic():
            message = write()
            transaction.set_rollback(True)
        assert not Message.objects.filter(pk=message.pk).exists()
        assert not Job.objects.filter(ids={"message_id": str(message.pk)}).exists()

    def test_refuses_an_unknown_kind(self) -> None:
        with pytest.raises(TemplateDoesNotExist):
            write(kind="nonsense")
        assert not Message.objects.filter(kind="nonsense").exists()


@pytest.mark.django_db
class TestDeliver:
    def test_sends_text_and_html_through_the_server_once(self, mailbox: Mailbox) -> None:
        message = write()
        work()
        delivery.deliver(message_id=message.pk)

        assert len(mailbox.mails) == 1
        mail = mailbox.mails[0]
        assert mail["To"] == "zoe@example.org"
        assert mail["Subject"] == message.subject
        assert mail["Message-ID"].startswith(f"<{message.public_id}@")
        body, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert body is not None
        assert body.get_content().splitlines() == message.text.splitlines()
        assert html is not None
        assert "&lt;script&gt;" in html.get_content()
        sent = Message.objects.get(pk=message.pk)
        assert (sent.state, sent.attempts) == (Message.State.SENT, 1)
        assert sent.sent_at is not None

    def test_keeps_no_link_that_works_for_whoever_has_it(self, mailbox: Mailbox, settings: Any) -> None:
        settings.SENT_MAIL_KEEPS_KEYS = False
        link = "http://testserver/invitations/secret?a=1&b=2"
        message = write(kind="export_ready", context={"organization": "North", "until": "then", "link": link}, opens=link)
        assert link in message.text
        assert link not in message.text_without_keys
        mailbox.answer = "450 later"
        work()
        assert link in Message.objects.get(pk=message.pk).text  # it has to be sent still
        mailbox.answer = None
        delivery.deliver(message_id=message.pk)

        sent = Message.objects.get(pk=message.pk)
        body = mailbox.mails[0].get_body(("plain",))
        assert body is not None
        assert link in body.get_content().replace("=\n", "")
        assert (sent.state, sent.opens) == ("sent", [])
        assert "secret" not in sent.text + sent.html
        assert "taken out" in sent.text
        assert "taken out" in sent.html

    def test_tries_again_after_a_temporary_refusal(self, mailbox: Mailbox) -> None:
        message = write()
        mailbox.answer = "451 Try later"
        work()
        waiting = Message.objects.get(pk=message.pk)
        assert (waiting.state, waiting.attempts) == (Message.State.QUEUED, 1)
        assert "Try later" in waiting.error

        mailbox.answer = None
        work()
        sent = Message.objects.get(pk=message.pk)
        assert (sent.state, sent.attempts, sent.error) == (Message.State.SENT, 2, "")
        assert len(mailbox.mails) == 1

    def test_gives_up_after_the_fifth_refusal(self, mailbox: Mailbox) -> None:
        message = write()
        mailbox.answer = "451 Try later"
        for _ in range(7):
            work()

        failed = Message.objects.get(pk=message.pk)
        assert (failed.state, failed.attempts, failed.sent_at) == (Message.State.FAILED, 5, None)
        assert mailbox.mails == []
        assert Job.objects.get(ids={"message_id": str(message.pk)}).state == Job.State.DONE
        assert AuditEntry.objects.get(object_id=message.pk).action == "message.failed"

    def test_gives_up_at_once_where_the_address_will_never_work(self, mailbox: Mailbox) -> None:
        message = write()
        mailbox.answer = "550 No such person"
        work()

        failed = Message.objects.get(pk=message.pk)
        assert (failed.state, failed.attempts) == (Message.State.FAILED, 1)

    def test_survives_a_server_that_is_down(self, settings: Any) -> None:
        settings.MAILERS = {
            "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": {"host": "127.0.0.1", "port": 1, "timeout": 1}}
        }
        message = write()
        work()

        assert Message.objects.get(pk=message.pk).state == Message.State.QUEUED
        assert Job.objects.get(ids={"message_id": str(message.pk)}).state == Job.State.QUEUED


@pytest.mark.django_db
class TestResend:
    def test_sends_a_failed_message_again(self, mailbox: Mailbox) -> None:
        message = write()
        mailbox.answer = "550 No such person"
        work()
        mailbox.answer = None

        delivery.resend(message_id=message.pk, by=SUPPORT)
        work()

        assert Message.objects.get(pk=message.pk).state == Message.State.SENT
        assert len(mailbox.mails) == 1
        assert AuditEntry.objects.filter(object_id=message.pk, action="message.resent", user_id=SUPPORT.user_id).count() == 1

    def test_refuses_a_message_that_was_sent(self, mailbox: Mailbox) -> None:
        message = write()
        work()

        with pytest.raises(TransitionNotAllowed):
            delivery.resend(message_id=message.pk, by=SUPPORT)
        work()
        assert len(mailbox.mails) == 1
