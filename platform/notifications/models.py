"""Every message to a person is a row before it is a mail, so that what was sent can be shown."""

from datetime import datetime

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.html import escape

from core.full_text import Words
from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from notifications.querysets import MessageQuerySet

TAKEN_OUT = "[taken out: it opens something for whoever has it]"


def without(text: str, keys: list[str]) -> str:
    for key in sorted(keys, key=len, reverse=True):
        text = text.replace(key, TAKEN_OUT)
    return text


class Message(FSMModelMixin, BaseModel):
    """One mail to one address; keys are plain, this app stands below theirs. dedupe_key: a second message with it is not written."""

    public_prefix = "msg"

    class State(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        FAILED = "failed"

    kind = models.CharField(max_length=60)
    to = models.EmailField(max_length=254)
    user_id = models.UUIDField(null=True)
    organization_id = models.UUIDField(null=True)
    related_type = models.CharField(max_length=60, blank=True)
    related_id = models.UUIDField(null=True)
    subject = models.CharField(max_length=300)
    text = models.TextField()
    html = models.TextField()
    opens = models.JSONField(default=list, help_text="What of the text opens something for whoever has it, and is shown to nobody else.")
    dedupe_key = models.CharField(max_length=200, null=True, unique=True)
    state = StateField(choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["related_id"], name="message_related"),
            models.Index(fields=["state", "-id"], name="message_state"),
            GinIndex(Words("to", "subject"), name="message_words"),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return self.subject

    @property
    def text_without_keys(self) -> str:
        """The text, with a note instead of every link and code that is the receiver's alone."""
        return without(self.text, self.opens)

    def forget_keys(self) -> None:
        """What the text opened cannot be read here any more; it has reached its receiver."""
        self.text, self.html = without(self.text, self.opens), without(self.html, [escape(one) for one in self.opens])
        self.opens = []

    @transition(field=state, source=State.QUEUED, target=State.SENT, operation="notifications.delivery.deliver")
    def send(self, *, at: datetime) -> None:
        self.sent_at, self.error = at, ""

    @transition(field=state, source=State.QUEUED, target=State.FAILED, operation="notifications.delivery.give_up")
    def fail(self, *, error: str) -> None:
        self.error = error[:2000]

    @transition(field=state, source=State.FAILED, target=State.QUEUED, operation="notifications.delivery.resend")
    def requeue(self) -> None:
        self.attempts, self.error = 0, ""
