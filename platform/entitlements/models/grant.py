"""What an account may do and how much of it is used. Keys of organizations are plain: this app stands below theirs."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from core.models import BaseModel
from entitlements.querysets import AllowanceQuerySet, GrantQuerySet


class Resource(models.TextChoices):
    """Events, courses and certificates are counted for each period; attendees is how many one event may take."""

    EVENTS = "events", "Events"
    COURSES = "courses", "Courses"
    CERTIFICATES = "certificates", "Certificates"
    ATTENDEES = "attendees", "Attendees per event"


COUNTED = (Resource.EVENTS, Resource.COURSES, Resource.CERTIFICATES)


class Grant(BaseModel):
    """What one organization was given, by its plan and how it stands with paying. Without a row everything is denied.

    Usage is counted in the period; runs_until: up to when periods follow one another by the clock (a paid year, a plan without
    an end: None). A period that ends there is followed by the next only when billing says that it was renewed.
    """

    public_prefix = "grt"

    class Access(models.TextChoices):
        TRIAL = "trial"
        ACTIVE = "active"
        GRACE = "grace"
        FREE = "free"

    organization_id = models.UUIDField(unique=True)
    plan = models.CharField(max_length=40)
    access = models.CharField(max_length=10, choices=Access.choices)
    period_starts_at = models.DateTimeField()
    period_ends_at = models.DateTimeField()
    runs_until = models.DateTimeField(null=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(period_ends_at__gt=F("period_starts_at")), name="grant_period_ends_after_start"),
            models.CheckConstraint(condition=Q(access__in=["trial", "active", "grace", "free"]), name="grant_access_known"),
        ]
        indexes = [models.Index(fields=["period_ends_at"], name="grant_period")]

    def __str__(self) -> str:
        return f"{self.plan} ({self.get_access_display()})"


class Allowance(BaseModel):
    """One resource of a grant: how much, and how much is used in the grant's period. override_limit is what staff gave instead."""

    public_prefix = "alw"

    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="allowances")
    resource = models.CharField(max_length=20, choices=Resource.choices)
    limit = models.PositiveIntegerField(null=True)
    unlimited = models.BooleanField(default=False)
    used = models.PositiveIntegerField(default=0)
    override_limit = models.PositiveIntegerField(null=True)
    override_until = models.DateTimeField(null=True)
    override_reason = models.TextField(blank=True)

    objects = AllowanceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["grant", "resource"], name="allowance_once"),
            models.CheckConstraint(condition=Q(resource__in=Resource.values), name="allowance_resource_known"),
            models.CheckConstraint(
                condition=Q(limit__isnull=False, unlimited=False) | Q(limit=None, unlimited=True), name="allowance_limited_or_marked"
            ),
            models.CheckConstraint(condition=Q(override_limit=None) | ~Q(override_reason=""), name="allowance_override_has_reason"),
        ]

    def __str__(self) -> str:
        return str(self.get_resource_display())

    @property
    def organization_id(self) -> object:
        return self.grant.organization_id

    def is_overridden(self, at: datetime) -> bool:
        return self.override_limit is not None and (self.override_until is None or at < self.override_until)

    def effective_limit(self, at: datetime) -> int | None:
        """How much may be used; None where there is no limit."""
        return self.override_limit if self.is_overridden(at) else self.limit

    @property
    def is_counted(self) -> bool:
        return self.resource in COUNTED
