"""Organizations own everything that is sold or issued."""

import secrets

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from core.full_text import Words
from core.models import BaseModel
from organizations.querysets import OrganizationQuerySet

HEX_COLOR = RegexValidator(r"^#[0-9a-f]{6}\Z", "Write the colour as # and six digits or small letters a to f, such as #1f4fd8.")


def _logo_name(organization: "Organization", name: str) -> str:
    """A name that tells nothing and cannot be guessed; what the person called the file is not used."""
    return f"logos/{secrets.token_urlsafe(24)}.png"


class Organization(BaseModel):
    """refund_approval_limits: {currency: minor units}; a refund above it waits for a second person. Not named: the platform's limit."""

    public_prefix = "org"

    class Kind(models.TextChoices):
        PERSONAL = "personal"
        TEAM = "team"

    class OrganizerScope(models.TextChoices):
        OWN = "own", "Only events they host"
        ALL = "all", "All events of the organization"

    class RefundFeePolicy(models.TextChoices):
        """Who bears Stripe's processing fee, which Stripe keeps on a refund."""

        PLATFORM = "platform"
        ORGANIZER = "organizer"
        ATTENDEE = "attendee"

    class DisputePolicy(models.TextChoices):
        """Who bears a dispute that is lost, its fee included."""

        ORGANIZER = "organizer"
        PLATFORM = "platform"

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.TEAM)
    country = models.CharField(max_length=2, default="US")
    description = models.TextField(blank=True)
    website = models.URLField(max_length=300, blank=True)
    is_public = models.BooleanField("public profile", default=False, help_text="Shown in the directory, with its upcoming public events.")
    brand_color = models.CharField(
        "brand colour", max_length=7, blank=True, validators=[HEX_COLOR], help_text="Such as #1f4fd8; shown on the public profile."
    )
    logo = models.FileField(upload_to=_logo_name, blank=True, editable=False)
    legal_name = models.CharField(max_length=200, blank=True, help_text="As it stands on receipts; the name above where this is empty.")
    address = models.TextField(max_length=500, blank=True, help_text="Postal address on receipts, one line each.")
    tax_id = models.CharField("tax id", max_length=40, blank=True, help_text="VAT, GST or other tax number on receipts.")
    is_active = models.BooleanField(default=True)
    organizer_scope = models.CharField(max_length=5, choices=OrganizerScope.choices, default=OrganizerScope.ALL)
    payout_hold_days = models.PositiveSmallIntegerField(default=3)
    refund_fee_policy = models.CharField(max_length=10, choices=RefundFeePolicy.choices, default=RefundFeePolicy.PLATFORM)
    dispute_policy = models.CharField(max_length=10, choices=DisputePolicy.choices, default=DisputePolicy.ORGANIZER)
    refund_approval_limits = models.JSONField(default=dict, blank=True)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="organization_country_iso"),
            models.CheckConstraint(condition=Q(brand_color="") | Q(brand_color__regex=r"^#[0-9a-f]{6}$"), name="organization_color_hex"),
        ]
        indexes = [
            GinIndex(Words("name"), name="organization_words"),
            models.Index(fields=["name", "id"], condition=Q(is_active=True, is_public=True), name="organization_public"),
        ]

    def __str__(self) -> str:
        return self.name
