"""The audit log: one entry for each operation, written in its transaction, never changed."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from audit.querysets import AuditEntryQuerySet
from core.full_text import Words
from core.models import append_only
from core.public_ids import encode, uuid7


class AuditEntry(models.Model):
    """What was done to which object, by whom, with the values before and after.

    Keys of organizations and people are plain: this app stands below theirs.
    """

    public_prefix = "aud"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    action = models.CharField(max_length=80)
    object_type = models.CharField(max_length=60)
    object_id = models.UUIDField()
    organization_id = models.UUIDField(null=True)
    actor = models.CharField(max_length=120)
    user_id = models.UUIDField(null=True)
    acting_for = models.UUIDField(null=True)
    token_id = models.UUIDField(null=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    ip = models.GenericIPAddressField(null=True)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["object_id", "id"], name="audit_object"),
            models.Index(fields=["organization_id", "-id"], name="audit_organization"),
            models.Index(fields=["user_id", "-id"], name="audit_user"),
            models.Index(fields=["action", "-id"], name="audit_action"),
            models.Index(fields=["actor", "-id"], condition=models.Q(user_id=None), name="audit_system"),
            models.Index(fields=["request_id"], condition=~models.Q(request_id=""), name="audit_request"),
            GinIndex(Words("reason"), name="audit_words"),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return self.action

    @property
    def public_id(self) -> str:
        return encode(self.public_prefix, self.id)
