"""What is told of usage: shares that were reached, counters that were off."""

from django.db import models
from django.db.models import F, Q

from core.models import BaseModel
from entitlements.models.grant import Allowance, Resource
from entitlements.querysets import UsageDriftQuerySet, UsageWarningQuerySet


class UsageWarning(BaseModel):
    """A share of the allowance was reached: written once for each period and share, in the transaction that reached it."""

    public_prefix = "uwa"

    allowance = models.ForeignKey(Allowance, on_delete=models.PROTECT, related_name="warnings")
    period_starts_at = models.DateTimeField()
    percent = models.PositiveSmallIntegerField()
    used = models.PositiveIntegerField()
    limit = models.PositiveIntegerField()
    sent_at = models.DateTimeField(null=True)

    objects = UsageWarningQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["allowance", "period_starts_at", "percent"], name="usage_warning_once"),
            models.CheckConstraint(condition=Q(percent__in=[80, 90, 100]), name="usage_warning_percent_known"),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(sent_at=None), name="usage_warning_unsent")]

    def __str__(self) -> str:
        return f"{self.percent} %"


class UsageDrift(BaseModel):
    """A counter that did not agree with what it counts, found and corrected by the nightly comparison."""

    public_prefix = "drf"

    allowance = models.ForeignKey(Allowance, on_delete=models.PROTECT, related_name="drifts")
    organization_id = models.UUIDField()
    resource = models.CharField(max_length=20, choices=Resource.choices)
    period_starts_at = models.DateTimeField()
    counter = models.PositiveIntegerField()
    counted = models.PositiveIntegerField()

    objects = UsageDriftQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(counter=F("counted")), name="usage_drift_differs")]
        indexes = [models.Index(fields=["organization_id", "-id"], name="usage_drift_organization")]

    def __str__(self) -> str:
        return f"{self.get_resource_display()}: {self.counter}, counted {self.counted}"
