"""A person's place at an event."""

from datetime import datetime

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from billing.models import Payment
from core.full_text import Words
from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from events.models import Event
from promo_codes.models import Redemption
from registrations.querysets import RegistrationQuerySet

TAKES_SEAT = ("pending", "confirmed")
_IN = ", ".join(f"'{state}'" for state in TAKES_SEAT)
_COUNT_SEATS = f"""
    IF TG_OP IN ('UPDATE', 'DELETE') AND OLD.state IN ({_IN})
            AND (TG_OP = 'DELETE' OR NEW.state NOT IN ({_IN}) OR NEW.event_id <> OLD.event_id) THEN
        UPDATE events_event SET seats_taken = seats_taken - 1 WHERE id = OLD.event_id;
    END IF;
    IF TG_OP IN ('UPDATE', 'INSERT') AND NEW.state IN ({_IN})
            AND (TG_OP = 'INSERT' OR OLD.state NOT IN ({_IN}) OR NEW.event_id <> OLD.event_id) THEN
        UPDATE events_event SET seats_taken = seats_taken + 1 WHERE id = NEW.event_id;
    END IF;
    RETURN NULL;
"""

# What somebody attended and earned was of this event.
_ATTENDED_STAYS = """
    IF EXISTS (SELECT 1 FROM registrations_attendanceinterval WHERE registration_id = OLD.id)
            OR EXISTS (SELECT 1 FROM registrations_checkin WHERE registration_id = OLD.id)
            OR EXISTS (SELECT 1 FROM registrations_attendanceoverride WHERE registration_id = OLD.id)
            OR EXISTS (SELECT 1 FROM registrations_verdict WHERE registration_id = OLD.id) THEN
        RAISE EXCEPTION 'attendance is recorded for this registration' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class Registration(FSMModelMixin, BaseModel):
    """pending: the place is held, for payment or for a guest to confirm the address, until hold_expires_at.

    guest_key_hash: SHA-256 of the key in a guest's signed link (registrations.guest_links derives the key itself).
    """

    public_prefix = "reg"

    class State(models.TextChoices):
        PENDING = "pending"
        CONFIRMED = "confirmed"
        CANCELLED = "cancelled"

    class CancelReason(models.TextChoices):
        ATTENDEE = "attendee", "Cancelled by the attendee"
        ORGANIZER = "organizer", "Cancelled by the organizer"
        REFUNDED = "refunded", "Refunded in full"
        EXPIRED = "expired", "The hold ended unpaid or unconfirmed"

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="registrations")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="registrations")
    payment = models.OneToOneField(Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="registration")
    redemption = models.OneToOneField(Redemption, null=True, blank=True, on_delete=models.PROTECT, related_name="registration")
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=200)
    state = StateField(choices=State.choices, default=State.PENDING)
    hold_expires_at = models.DateTimeField(null=True)
    guest_key_hash = models.CharField(max_length=64, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    cancel_reason = models.CharField(max_length=20, choices=CancelReason.choices, blank=True)

    objects = RegistrationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["event", "-id"], name="registration_event"),
            models.Index(fields=["hold_expires_at"], condition=Q(state="pending"), name="registration_held"),
            models.Index(fields=["user", "-id"], name="registration_user"),
            models.Index(fields=["state", "-id"], name="registration_state"),
            GinIndex(Words("email", "name"), name="registration_words"),
            models.Index(Lower("email"), condition=Q(user=None), name="registration_guest_email"),
        ]
        constraints = [
            models.UniqueConstraint("event", Lower("email"), condition=~Q(state="cancelled"), name="registration_email_once"),
            models.UniqueConstraint(fields=["event", "user"], condition=~Q(state="cancelled"), name="registration_user_once"),
            models.CheckConstraint(condition=~Q(state="pending") | ~Q(hold_expires_at=None), name="registration_hold_ends"),
            models.CheckConstraint(condition=~Q(state="cancelled") | ~Q(cancel_reason=""), name="registration_cancel_reason"),
        ]
        triggers = [
            StateMachine(initial=["pending", "confirmed"]),
            pgtrigger.Trigger(
                name="count_seats",
                when=pgtrigger.After,
                level=pgtrigger.Row,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func=_COUNT_SEATS,
            ),
            pgtrigger.Trigger(
                name="attended_stays",
                when=pgtrigger.Before,
                level=pgtrigger.Row,
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("event"),
                func=_ATTENDED_STAYS,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} at {self.event_id and self.event.title}"

    @transition(field=state, source=State.PENDING, target=State.CONFIRMED, operation="registrations.registering.confirm")
    def confirm(self, *, at: datetime) -> None:
        self.confirmed_at, self.hold_expires_at = at, None

    @transition(field=state, source=State.CANCELLED, target=State.CONFIRMED, operation="registrations.registering.reinstate")
    def reinstate(self, *, at: datetime) -> None:
        """Late money took a seat that was still free."""
        self.confirmed_at, self.cancelled_at, self.cancel_reason = at, None, ""

    @transition(field=state, source=[State.PENDING, State.CONFIRMED], target=State.CANCELLED, operation="registrations.cancellation.apply")
    def cancel(self, *, at: datetime, reason: str) -> None:
        self.cancelled_at, self.cancel_reason, self.hold_expires_at = at, reason, None
