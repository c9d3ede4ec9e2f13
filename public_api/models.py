"""What the surface itself keeps: answers by Idempotency-Key, and the counters of its limits."""

from django.db import models

from core.public_ids import uuid7


class IdempotentRequest(models.Model):
    """One answered request that creates or moves money. principal: the actor's label, or "anonymous:<address>"."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField()
    principal = models.CharField(max_length=120)
    route = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["principal", "route", "key"], name="idempotent_request_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_request_age")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class Window(models.Model):
    """How often somebody used one scope within one fixed window; shared by every process. Unlogged: losing it forgives, no more."""

    id = models.CharField(primary_key=True, max_length=160)
    hits = models.PositiveIntegerField()
    ends_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["ends_at"], name="window_end")]

    def __str__(self) -> str:
        return self.id
