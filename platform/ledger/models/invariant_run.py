"""What the nightly proof of the books found."""

from django.db import models

from core.models import append_only
from core.public_ids import encode, uuid7


class InvariantRun(models.Model):
    """What one check of every rule found. violations: sentences by rule, broken rules only."""

    public_prefix = "inv"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    ran_at = models.DateTimeField(auto_now_add=True)
    rules = models.PositiveSmallIntegerField(help_text="How many were checked.")
    violations = models.JSONField(default=dict)

    class Meta:
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.ran_at:%Y-%m-%d %H:%M}: {len(self.violations)} of {self.rules} rules broken"

    @property
    def public_id(self) -> str:
        return encode(self.public_prefix, self.id)
