"""Rows by who may see them, and the questions asked of them."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Sum

from audit.actor import Actor
from organizations.permissions import Permission
from organizations.scoping import scoped

if TYPE_CHECKING:
    from billing.models import Dispute, FeeSchedule, InboundEvent, Payment, Refund, StripeCommand, TaxRate


class PaymentQuerySet(models.QuerySet["Payment"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYMENT_VIEW, responsible="responsible_id")

    def fee_missing(self, *, before: datetime) -> Self:
        return self.filter(stripe_fee=None, paid_at__lt=before).order_by("paid_at")


class RefundQuerySet(models.QuerySet["Refund"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYMENT_VIEW, organization="payment__organization_id", responsible="payment__responsible_id")

    def taking_money(self) -> Self:
        """Refunds that took money or still may: everything but failed and cancelled ones."""
        return self.exclude(state__in=["failed", "cancelled"])

    def total(self) -> int:
        return self.aggregate(total=Sum("amount"))["total"] or 0


class StripeCommandQuerySet(models.QuerySet["StripeCommand"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()


class InboundEventQuerySet(models.QuerySet["InboundEvent"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()


class FeeScheduleQuerySet(models.QuerySet["FeeSchedule"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()


class TaxRateQuerySet(models.QuerySet["TaxRate"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYMENT_VIEW, organization="payment__organization_id", responsible="payment__responsible_id")
