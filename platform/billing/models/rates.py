"""What a sale costs besides the price: fee schedules and tax rates, kept in the console."""

from django.db import models
from django.db.models import F, Q

from billing.querysets import FeeScheduleQuerySet, TaxRateQuerySet
from core.models import BaseModel
from organizations.models import Organization


class FeeSchedule(BaseModel):
    """Fees in basis points plus a fixed part in minor units. The most specific row wins: organization and currency, organization,
    currency, platform. A fixed part needs a currency."""

    public_prefix = "fee"

    class Payer(models.TextChoices):
        ATTENDEE = "attendee", "The attendee, on top of the price"
        ORGANIZER = "organizer", "The organizer, out of the price"

    organization = models.ForeignKey(Organization, null=True, blank=True, on_delete=models.PROTECT, related_name="fee_schedules")
    currency = models.CharField(max_length=3, blank=True)
    service_basis_points = models.PositiveIntegerField(default=0)
    service_fixed = models.PositiveIntegerField(default=0)
    processing_basis_points = models.PositiveIntegerField(default=0)
    processing_fixed = models.PositiveIntegerField(default=0)
    payer = models.CharField(max_length=10, choices=Payer.choices, default=Payer.ATTENDEE)

    objects = FeeScheduleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "currency"], nulls_distinct=False, name="fee_schedule_once"),
            models.CheckConstraint(
                condition=Q(service_basis_points__lte=10_000, processing_basis_points__lte=10_000), name="fee_at_most_all"
            ),
            models.CheckConstraint(condition=~Q(currency="") | Q(service_fixed=0, processing_fixed=0), name="fee_fixed_needs_currency"),
        ]

    def __str__(self) -> str:
        whose = self.organization.name if self.organization else "Platform"
        return f"{whose} {self.currency}".strip()


class TaxRate(BaseModel):
    """One rate of one jurisdiction for one category, from a day on; no row means no tax. basis_points: hundredths of a percent."""

    public_prefix = "tax"

    jurisdiction = models.CharField(max_length=10)
    category = models.CharField(max_length=30, default="standard")
    name = models.CharField(max_length=60)
    basis_points = models.PositiveIntegerField()
    inclusive = models.BooleanField(default=False)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    objects = TaxRateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(basis_points__gt=0, basis_points__lte=10_000), name="tax_rate_percent"),
            models.CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")), name="tax_rate_ends_after_start"),
            models.UniqueConstraint(fields=["jurisdiction", "category", "starts_on"], name="tax_rate_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.basis_points / 100:g} % ({self.jurisdiction})"
