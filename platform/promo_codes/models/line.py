"""What is kept for some time only: lines of files of codes, and how often somebody tried codes."""

from django.conf import settings
from django.db import models

from core.models import BaseModel
from organizations.models import Organization
from promo_codes.querysets import PromoCodeLineQuerySet


class PromoCodeLine(BaseModel):
    """One line of a file of codes, as it was typed: kept until the file was worked, and forgotten some days after.

    batch: the same for all lines of one file; cells: column -> what was typed there.
    """

    public_prefix = "prl"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    batch = models.UUIDField()
    line = models.PositiveIntegerField()
    cells = models.JSONField(default=dict)

    objects = PromoCodeLineQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "line"], name="promo_code_line_once")]
        indexes = [models.Index(fields=["created_at"], name="promo_code_line_created")]

    def __str__(self) -> str:
        return f"Line {self.line}: {self.cells.get('code') or 'no code'}"


class TryWindow(models.Model):
    """id: who tried codes, and in which minute."""

    id = models.CharField(primary_key=True, max_length=160)
    hits = models.PositiveIntegerField()
    ends_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["ends_at"], name="promo_try_window_end")]

    def __str__(self) -> str:
        return self.id
