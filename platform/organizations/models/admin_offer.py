"""Offers of the admin role from one member to another: nobody becomes an admin without having said yes."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import BaseModel
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models.membership import Membership, Role
from organizations.models.organization import Organization
from organizations.querysets import AdminOfferQuerySet


class AdminOffer(FSMModelMixin, BaseModel):
    """becomes: the role of the one who offers once it is accepted; admin where both stay."""

    public_prefix = "off"

    class State(models.TextChoices):
        PENDING = "pending"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="admin_offers")
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="+", help_text="Whose it will be.")
    offered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    becomes = models.CharField(max_length=20, choices=Role.choices, default=Role.ADMIN)
    state = StateField(choices=State.choices, default=State.PENDING)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = AdminOfferQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["membership"], condition=Q(state="pending"), name="admin_offer_pending_once"),
            models.CheckConstraint(condition=Q(state="pending") | ~Q(ended_at=None), name="admin_offer_ended_at"),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="admin_offer_organization"),
            models.Index(fields=["expires_at"], condition=Q(state="pending"), name="admin_offer_open"),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"Admin role for {self.membership.user}"

    def is_open(self, *, at: datetime) -> bool:
        return self.state == self.State.PENDING and self.expires_at > at

    @transition(field=state, source=State.PENDING, target=State.ACCEPTED, operation="organizations.admin_offers.accept")
    def accept(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=state, source=State.PENDING, target=State.DECLINED, operation="organizations.admin_offers.decline")
    def decline(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=state, source=State.PENDING, target=State.WITHDRAWN, operation="organizations.offer_voiding.void")
    def withdraw(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=state, source=State.PENDING, target=State.EXPIRED, operation="organizations.admin_offers.expire_overdue")
    def expire(self, *, at: datetime) -> None:
        self.ended_at = at
