"""Invitations: a person is asked to join in one role, by a link that only their mailbox has."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from core.full_text import Words
from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models.membership import Role
from organizations.models.organization import Organization
from organizations.querysets import InvitationLineQuerySet, InvitationQuerySet


class Invitation(FSMModelMixin, BaseModel):
    """pending until expires_at. token_hash: SHA-256 of the newest link's token (organizations.invitation_links derives the token itself).

    number: which link is the valid one; it rises when the invitation is sent again. resent_at: when that was, of the last day.
    """

    public_prefix = "inv"

    class State(models.TextChoices):
        PENDING = "pending"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        EXPIRED = "expired"
        REVOKED = "revoked"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=20, choices=Role.choices)
    state = StateField(choices=State.choices, default=State.PENDING)
    token_hash = models.CharField(max_length=64, unique=True)
    number = models.PositiveSmallIntegerField(default=1)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    sent_at = models.DateTimeField()
    resent_at = ArrayField(models.DateTimeField(), default=list, blank=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("organization", Lower("email"), condition=Q(state="pending"), name="invitation_pending_once"),
            models.CheckConstraint(
                condition=Q(role__in=["admin", "organizer", "course_manager", "instructor"]), name="invitation_role_known"
            ),
            models.CheckConstraint(condition=~Q(state="accepted") | ~Q(accepted_by=None), name="invitation_accepted_by_somebody"),
            models.CheckConstraint(condition=Q(state="pending") | ~Q(ended_at=None), name="invitation_ended_at"),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="invitation_organization"),
            models.Index(fields=["expires_at"], condition=Q(state="pending"), name="invitation_open"),
            models.Index(Lower("email"), condition=Q(state="pending"), name="invitation_address"),
            GinIndex(Words("email"), name="invitation_words"),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return self.email

    def is_open(self, *, at: datetime) -> bool:
        return self.state == self.State.PENDING and self.expires_at > at

    def send_again(self, *, at: datetime, lasts: timedelta) -> None:
        """The newest link counts; the earlier ones open nothing any more. The caller sets token_hash for the number."""
        self.number += 1
        self.sent_at, self.expires_at = at, at + lasts
        self.resent_at = [*(moment for moment in self.resent_at if moment > at - timedelta(days=1)), at]

    @transition(field=state, source=State.PENDING, target=State.ACCEPTED, operation="organizations.invitation_answers.accept")
    def accept(self, *, at: datetime, user_id: UUID) -> None:
        self.ended_at, self.accepted_by_id = at, user_id

    @transition(field=state, source=State.PENDING, target=State.DECLINED, operation="organizations.invitation_answers.decline")
    def decline(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=state, source=State.PENDING, target=State.EXPIRED, operation="organizations.invitations.close_expired")
    def expire(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=state, source=State.PENDING, target=State.REVOKED, operation="organizations.invitations.revoke")
    def revoke(self, *, at: datetime) -> None:
        self.ended_at = at


class InvitationLine(BaseModel):
    """One line of a file of people to invite, as it was typed: kept until the file was worked, and forgotten some days after.

    batch: the same for all lines of one file.
    """

    public_prefix = "inl"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    batch = models.UUIDField()
    line = models.PositiveIntegerField()
    email = models.CharField(max_length=300)
    role = models.CharField(max_length=100)

    objects = InvitationLineQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "line"], name="invitation_line_once")]
        indexes = [models.Index(fields=["created_at"], name="invitation_line_created")]

    def __str__(self) -> str:
        return f"Line {self.line}: {self.email or 'no address'}"
