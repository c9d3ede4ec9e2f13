"""Lines of files of participants, and the other names and addresses that people join under."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.models import BaseModel
from events.models import Session
from organizations.models import Organization
from registrations.models.attendance import AttendanceInterval
from registrations.models.registration import Registration
from registrations.querysets import AttendanceLineQuerySet


class AttendanceLine(BaseModel):
    """One line of a file of participants, as it was typed; applied_at: when it became attendance.

    batch: the same for all lines of one file. digest: of what the line says, so that the same line in another copy of the file is known.
    problem: why its times cannot be read, empty where they can; started_at None: nothing but that the person was there.
    registration: whom it is of, None while nobody is found; suggestions: public ids of who it might be, the likeliest first.
    """

    public_prefix = "aln"

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="+")
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    batch = models.UUIDField()
    line = models.PositiveIntegerField()
    source = models.CharField(max_length=8, choices=AttendanceInterval.Source.choices)
    email = models.CharField(max_length=300, blank=True)
    name = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    digest = models.CharField(max_length=64)
    problem = models.CharField(max_length=200, blank=True)
    registration = models.ForeignKey(Registration, null=True, on_delete=models.PROTECT, related_name="+")
    suggestions = models.JSONField(default=list)
    applied_at = models.DateTimeField(null=True)

    objects = AttendanceLineQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = "line of participants", "lines of participants"
        indexes = [
            models.Index(fields=["session", "-id"], name="attendance_line_session"),
            models.Index(fields=["created_at"], name="attendance_line_created"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["batch", "line"], name="attendance_line_once"),
            models.CheckConstraint(condition=Q(applied_at=None) | ~Q(registration=None), name="attendance_line_applied_to_someone"),
            models.CheckConstraint(condition=Q(source__in=["zoom", "import"]), name="attendance_line_source_known"),
            models.CheckConstraint(
                condition=Q(started_at=None) | Q(ended_at=None) | Q(ended_at__gt=F("started_at")), name="attendance_line_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"Line {self.line}: {self.name or self.email or 'nobody'}"


class AttendeeAlias(BaseModel):
    """Another name or address that somebody joins under, as a person matched it once; remembered for the organization's next files.

    alias: folded (registrations.matching.folded); email: the address that the person registers with, in lower case.
    """

    public_prefix = "als"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    alias = models.CharField(max_length=300)
    email = models.EmailField(max_length=254)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "alias"], name="attendee_alias_once"),
            models.CheckConstraint(condition=~Q(alias=""), name="attendee_alias_given"),
        ]

    def __str__(self) -> str:
        return f"{self.alias}: {self.email}"
