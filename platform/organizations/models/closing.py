"""The end of an organization, and what it takes along."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models.organization import Organization
from organizations.querysets import OrganizationExportQuerySet


def _bundle_name(export: "OrganizationExport", name: str) -> str:
    return f"exports/{export.pk}/{name}"


class OrganizationExport(FSMModelMixin, BaseModel):
    """A zip of CSV files with what the organization has. key_hash: SHA-256 of the key in the link that is mailed."""

    public_prefix = "oex"

    class State(models.TextChoices):
        QUEUED = "queued"
        READY = "ready"
        FAILED = "failed"
        EXPIRED = "expired"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="exports")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    recipients = models.JSONField(default=list, help_text="Keys of the users whom the link is mailed to.")
    state = StateField(choices=State.choices, default=State.QUEUED)
    key_hash = models.CharField(max_length=64, unique=True)
    bundle = models.FileField(upload_to=_bundle_name, blank=True)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    expires_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)

    objects = OrganizationExportQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="organization_export_of"),
            models.Index(fields=["expires_at"], condition=~Q(state="expired"), name="organization_export_open"),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"Export of {self.organization}"

    @transition(field=state, source=[State.QUEUED, State.FAILED], target=State.READY, operation="organizations.exports.build")
    def make_ready(self, *, at: datetime, size: int) -> None:
        self.ready_at, self.size = at, size

    @transition(field=state, source=State.QUEUED, target=State.FAILED, operation="organizations.exports.fail")
    def fail(self) -> None: ...

    @transition(
        field=state,
        source=[State.QUEUED, State.READY, State.FAILED],
        target=State.EXPIRED,
        operation="organizations.exports.expire_overdue",
    )
    def expire(self) -> None: ...


class OrganizationClosing(FSMModelMixin, BaseModel):
    """One for each organization that was closed. closed: archived, nobody works for it; anonymised: what named it is gone."""

    public_prefix = "ocl"

    class State(models.TextChoices):
        CLOSED = "closed"
        ANONYMISED = "anonymised"

    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="closing")
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True, max_length=2000)
    state = StateField(choices=State.choices, default=State.CLOSED)
    anonymise_after = models.DateTimeField()
    anonymised_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["anonymise_after"], condition=Q(state="closed"), name="organization_closing_due")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"End of {self.organization}"

    @transition(field=state, source=State.CLOSED, target=State.ANONYMISED, operation="organizations.closing.anonymise")
    def anonymise(self, *, at: datetime) -> None:
        self.anonymised_at = at
