"""The plan catalogue: what can be subscribed to, what it allows, what it costs."""

from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Q

from billing.querysets import PlanPriceQuerySet, PlanQuerySet
from core.models import BaseModel
from core.money import CURRENCIES, Money

# What a plan limits, each with the field that holds its number; <field minus its period>_unlimited says that there is none.
RESOURCES = ("events", "courses", "certificates", "attendees")
_LIMIT_FIELDS = {
    "events": "events_per_month",
    "courses": "courses_per_month",
    "certificates": "certificates_per_month",
    "attendees": "attendees_per_event",
}


def _limit_or_unlimited(resource: str) -> models.CheckConstraint:
    """An empty limit means no limit only where the plan says so; everywhere else it is a number."""
    field, flag = _LIMIT_FIELDS[resource], f"{resource}_unlimited"
    return models.CheckConstraint(
        condition=Q(**{f"{field}__isnull": False, flag: False}) | Q(**{field: None, flag: True}),
        name=f"plan_{resource}_limited",
        violation_error_message=f"Give a number for {field.replace('_', ' ')}, or leave it empty and tick unlimited.",
    )


class Plan(BaseModel):
    """One product. version rises with every change that Stripe has to hear of; pushed_version is the last one it heard of.

    seats_included: people of the organization who are paid for with the base price; only plans for teams have seats.
    """

    public_prefix = "pln"

    class Audience(models.TextChoices):
        USER = "user", "Attendees"
        PERSONAL = "personal", "One person's workspace"
        TEAM = "team", "Teams"

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    description = models.TextField(max_length=500, blank=True)
    audience = models.CharField(max_length=10, choices=Audience.choices)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField("Offered", default=True, help_text="Off: nobody new can choose it; who has it keeps it.")
    is_contact_sales = models.BooleanField("Contact sales", default=False, help_text="Shown, but sold by people: it has no Checkout.")
    trial_days = models.PositiveSmallIntegerField(default=30)
    grace_days = models.PositiveSmallIntegerField(default=14)
    events_per_month = models.PositiveIntegerField(null=True, blank=True, default=0)
    events_unlimited = models.BooleanField("Events unlimited", default=False)
    courses_per_month = models.PositiveIntegerField(null=True, blank=True, default=0)
    courses_unlimited = models.BooleanField("Courses unlimited", default=False)
    certificates_per_month = models.PositiveIntegerField(null=True, blank=True, default=0)
    certificates_unlimited = models.BooleanField("Certificates unlimited", default=False)
    attendees_per_event = models.PositiveIntegerField(null=True, blank=True, default=0)
    attendees_unlimited = models.BooleanField("Attendees unlimited", default=False)
    seats_included = models.PositiveSmallIntegerField(default=0)
    features = models.TextField(max_length=4000, blank=True, help_text="One a line, as the comparison of plans shows them.")
    version = models.PositiveIntegerField(default=1, editable=False)
    pushed_version = models.PositiveIntegerField(default=0, editable=False)
    stripe_product_id = models.CharField(max_length=255, null=True, unique=True, editable=False)
    pushed_at = models.DateTimeField(null=True, editable=False)

    objects = PlanQuerySet.as_manager()

    class Meta:
        constraints = [
            *(_limit_or_unlimited(resource) for resource in RESOURCES),
            models.CheckConstraint(condition=Q(audience="team") | Q(seats_included=0), name="plan_seats_of_teams"),
            models.CheckConstraint(condition=Q(pushed_version__lte=models.F("version")), name="plan_pushed_not_ahead"),
        ]

    def __str__(self) -> str:
        return self.name

    def limit(self, resource: str) -> int | None:
        """How many; None where the plan says that there is no limit."""
        found: int | None = getattr(self, _LIMIT_FIELDS[resource])
        return found

    @property
    def limits(self) -> dict[str, int | None]:
        return {resource: self.limit(resource) for resource in RESOURCES}

    @property
    def feature_lines(self) -> list[str]:
        return [line.strip() for line in self.features.splitlines() if line.strip()]


class PlanPrice(BaseModel):
    """What a plan costs in one way; amount in minor units of `currency`, tax excluded. Never changed: a new price takes its place.

    retired_at set: nobody new gets it, and who subscribed at it stays.
    """

    public_prefix = "prc"

    class Kind(models.TextChoices):
        BASE = "base", "The plan"
        SEAT = "seat", "Each further seat"

    class Interval(models.TextChoices):
        MONTH = "month", "Monthly"
        YEAR = "year", "Yearly"

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="prices")
    kind = models.CharField(max_length=4, choices=Kind.choices, default=Kind.BASE)
    interval = models.CharField(max_length=5, choices=Interval.choices)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="USD")
    stripe_price_id = models.CharField(max_length=255, null=True, unique=True)
    retired_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    objects = PlanPriceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "kind", "interval", "currency"], condition=Q(retired_at=None), name="plan_price_current_once"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="plan_price_positive"),
            models.CheckConstraint(condition=Q(currency__in=sorted(CURRENCIES)), name="plan_price_currency_known"),
            models.CheckConstraint(condition=Q(archived_at=None) | ~Q(retired_at=None), name="plan_price_archived_when_retired"),
        ]
        triggers = [pgtrigger.ReadOnly(name="immutable", fields=["plan", "kind", "interval", "amount", "currency"])]

    def __str__(self) -> str:
        return f"{self.money} {self.get_interval_display().lower()}"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    def values(self) -> dict[str, Any]:
        return {"kind": self.kind, "interval": self.interval, "amount": self.amount, "currency": self.currency}
