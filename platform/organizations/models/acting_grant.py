"""Staff in an organization's place: for how long, and why."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.models import BaseModel
from organizations.models.organization import Organization
from organizations.querysets import ActingGrantQuerySet


class ActingGrant(BaseModel):
    """One person of the platform may act in one organization's console until expires_at, or until ended."""

    public_prefix = "act"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(max_length=2000)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = ActingGrantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=Q(ended_at=None), name="acting_grant_one_open"),
            models.CheckConstraint(condition=~Q(reason=""), name="acting_grant_reason"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="acting_grant_expires"),
        ]
        indexes = [models.Index(fields=["organization", "-id"], name="acting_grant_organization")]

    def __str__(self) -> str:
        return f"{self.user} for {self.organization}"

    def is_open(self, *, at: datetime) -> bool:
        return self.ended_at is None and self.expires_at > at
