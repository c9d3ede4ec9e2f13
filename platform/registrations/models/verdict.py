"""Who earned what: derived from attendance, overrides and the event's rule, and kept so that lists and files need not work it out."""

import pgtrigger
from django.db import models
from django.db.models import Q

from core.models import BaseModel
from events.models import Event
from registrations.models.registration import Registration
from registrations.querysets import VerdictQuerySet

_SAME_EVENT = """
    IF NOT EXISTS (SELECT 1 FROM registrations_registration WHERE id = NEW.registration_id AND event_id = NEW.event_id) THEN
        RAISE EXCEPTION 'the registration is for another event' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class Verdict(BaseModel):
    """What registrations.eligibility says of one confirmed place; always the same as working it out anew (registrations.verdicts).

    credits: exact, rounded by the event's rule; minutes: attended in the sessions that can count; reasons: sentences, as they were said.
    basis: which rule and sessions it was worked out by (registrations.evidence.basis).
    """

    public_prefix = "vdt"

    registration = models.OneToOneField(Registration, on_delete=models.PROTECT, related_name="verdict")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="verdicts")
    is_eligible = models.BooleanField(default=False)
    credits = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    sessions_counted = models.PositiveSmallIntegerField(default=0)
    minutes = models.PositiveIntegerField(default=0)
    reasons = models.JSONField(default=list)
    basis = models.CharField(max_length=32)

    objects = VerdictQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = "attendance", "attendance"
        indexes = [models.Index(fields=["event", "-id"], name="verdict_event")]
        constraints = [
            models.CheckConstraint(condition=Q(credits__gte=0), name="verdict_credits_not_negative"),
            models.CheckConstraint(condition=Q(is_eligible=True) | Q(credits=0), name="verdict_credits_only_eligible"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="same_event",
                level=pgtrigger.Row,
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("registration_id", "event_id"),
                func=_SAME_EVENT,
            )
        ]

    def __str__(self) -> str:
        return f"{self.registration.name}: {'earned' if self.is_eligible else 'not earned'}"
