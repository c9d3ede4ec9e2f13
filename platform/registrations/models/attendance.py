"""Who attended which session: intervals, check-ins at the door, and decisions by hand."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.models import BaseModel
from events.models import Session
from registrations.models.registration import Registration
from registrations.querysets import AttendanceQuerySet

# FOR SHARE: the place must not be moved to another event until this row has committed (Registration's trigger then refuses to).
_SAME_EVENT = """
    IF NEW.session_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM registrations_registration AS place JOIN events_session AS session ON session.event_id = place.event_id
        WHERE place.id = NEW.registration_id AND session.id = NEW.session_id FOR SHARE OF place
    ) THEN
        RAISE EXCEPTION 'the session is of another event than the registration' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


def of_the_same_event() -> pgtrigger.Trigger:
    """A session's attendance is of registrations for its event alone."""
    return pgtrigger.Trigger(
        name="same_event",
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("registration_id", "session_id"),
        func=_SAME_EVENT,
    )


class AttendanceInterval(BaseModel):
    """From when to when somebody was in a session, as its source says; ended_at None: nobody saw them leave.

    source_key: the source's own name of the interval, so that what is sent twice is kept once; empty where it has none.
    """

    public_prefix = "att"

    class Source(models.TextChoices):
        ZOOM = "zoom", "Zoom"
        IMPORT = "import", "Imported file"
        MANUAL = "manual", "Entered by hand"

    registration = models.ForeignKey(Registration, on_delete=models.PROTECT, related_name="attendance")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="attendance")
    source = models.CharField(max_length=8, choices=Source.choices)
    source_key = models.CharField(max_length=120, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = AttendanceQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["registration", "session"], name="interval_registration"),
            models.Index(fields=["session"], name="interval_session"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(ended_at=None) | Q(ended_at__gt=F("started_at")), name="interval_ends_after_start"),
            models.CheckConstraint(condition=Q(source__in=["zoom", "import", "manual"]), name="interval_source_known"),
            models.UniqueConstraint(
                fields=["registration", "session", "source", "source_key"], condition=~Q(source_key=""), name="interval_source_key_once"
            ),
        ]
        triggers = [of_the_same_event()]

    def __str__(self) -> str:
        return f"{self.get_source_display()}, {self.started_at:%Y-%m-%d %H:%M}"


class CheckIn(BaseModel):
    """Somebody was let in at the door. at: when, by the desk's clock; it counts as being there from then to the session's end.

    request_key: the desk's own name of the check-in, so that one that is sent again after a lost answer is the same one.
    """

    public_prefix = "chi"

    class Method(models.TextChoices):
        QR = "qr", "Ticket"
        DESK = "desk", "Name at the desk"
        MANUAL = "manual", "Marked present"

    registration = models.ForeignKey(Registration, on_delete=models.PROTECT, related_name="check_ins")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="check_ins")
    method = models.CharField(max_length=8, choices=Method.choices)
    at = models.DateTimeField()
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    request_key = models.CharField(max_length=64, blank=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    objects = AttendanceQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["session", "-id"], name="check_in_session")]
        constraints = [
            models.UniqueConstraint(fields=["registration", "session"], condition=Q(undone_at=None), name="check_in_active_once"),
            models.UniqueConstraint(fields=["registration", "request_key"], condition=~Q(request_key=""), name="check_in_request_once"),
            models.CheckConstraint(condition=Q(method__in=["qr", "desk", "manual"]), name="check_in_method_known"),
        ]
        triggers = [of_the_same_event()]

    def __str__(self) -> str:
        return f"{self.get_method_display()}, {self.at:%Y-%m-%d %H:%M}"


class AttendanceOverride(BaseModel):
    """A person decided, with a reason. session None: about the event as a whole. The one that counts is not withdrawn."""

    public_prefix = "ovr"

    class Decision(models.TextChoices):
        GRANT = "grant", "Counts, whatever was recorded"
        DENY = "deny", "Does not count, whatever was recorded"

    registration = models.ForeignKey(Registration, on_delete=models.PROTECT, related_name="overrides")
    session = models.ForeignKey(Session, null=True, on_delete=models.PROTECT, related_name="overrides")
    decision = models.CharField(max_length=5, choices=Decision.choices)
    reason = models.CharField(max_length=500)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    objects = AttendanceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["registration", "session"], condition=Q(withdrawn_at=None), nulls_distinct=False, name="override_active_once"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="override_reason_given"),
            models.CheckConstraint(condition=Q(decision__in=["grant", "deny"]), name="override_decision_known"),
        ]
        triggers = [of_the_same_event()]

    def __str__(self) -> str:
        return f"{self.get_decision_display()}: {self.reason}"
