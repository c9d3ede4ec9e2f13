"""Rows by who may see them, and the questions asked of them."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q, Sum

from audit.actor import Actor
from organizations.permissions import Permission
from organizations.scoping import scoped

if TYPE_CHECKING:
    from billing.models import (
        BalanceTransaction,
        BillingAccount,
        ConnectedAccount,
        Discrepancy,
        Dispute,
        DisputeFile,
        DisputeResponse,
        Document,
        FeeSchedule,
        InboundEvent,
        Invoice,
        Payment,
        PayoutRequest,
        PayoutStatement,
        Plan,
        PlanAccess,
        PlanChange,
        PlanPrice,
        ReconciliationPart,
        ReconciliationPeriod,
        ReconciliationRun,
        Refund,
        SeatAccount,
        SeatDrift,
        StripeBalance,
        StripeCommand,
        Subscription,
        TaxRate,
        Transfer,
        TransferReversal,
    )


# Subscriptions that Stripe bills, or tries to: at most one for each organization.
LIVE = ("trialing", "active", "past_due", "unpaid", "paused")
# Disputes that hold money back and are not in the books as lost.
_UNDECIDED = ("warning_needs_response", "warning_under_review", "needs_response", "under_review")


class PaymentQuerySet(models.QuerySet["Payment"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYMENT_VIEW, responsible="responsible_id")

    def fee_missing(self, *, before: datetime) -> Self:
        return self.filter(stripe_fee=None, paid_at__lt=before).order_by("paid_at")

    def open_disputes(self, organization_id: UUID) -> Any:
        """The organization's payments with disputes that nobody has decided: `open_disputes` is what they hold, minor units."""
        undecided = Q(disputes__status__in=_UNDECIDED)
        held = self.filter(undecided, organization_id=organization_id).only("currency", "earned", "release_at")
        return held.annotate(open_disputes=Sum("disputes__amount", filter=undecided))


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


class PlanQuerySet(models.QuerySet["Plan"]):
    def visible_to(self, by: Actor) -> Self:
        """Every row of the catalogue is the platform's; what is offered is public, by `offered`."""
        return self if by.sees_all else self.none()

    def offered(self) -> Self:
        return self.filter(is_active=True).order_by("position", "pk")

    def unpushed(self) -> Self:
        """Plans that Stripe has not heard all of."""
        prices = self.model._meta.get_field("prices").related_model._default_manager.filter(plan_id=models.OuterRef("pk"))
        waiting = prices.filter(Q(stripe_price_id=None) | Q(archived_at=None, retired_at__isnull=False))
        return self.filter(Q(pushed_version__lt=models.F("version")) | models.Exists(waiting)).order_by("pk")


class PlanPriceQuerySet(models.QuerySet["PlanPrice"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()

    def current(self) -> Self:
        """What new subscribers pay."""
        return self.filter(retired_at=None)


class PlanAccessQuerySet(models.QuerySet["PlanAccess"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.SUBSCRIPTION_VIEW)

    def trials_over(self, at: datetime) -> Self:
        return self.filter(state="trial", trial_ends_at__lte=at).order_by("trial_ends_at")

    def graces_over(self, at: datetime) -> Self:
        return self.filter(state="grace", grace_ends_at__lte=at).order_by("grace_ends_at")

    def trials_ending(self, before: datetime) -> Self:
        return self.filter(state="trial", trial_ends_at__lt=before).select_related("organization", "plan").order_by("pk")

    def in_grace(self) -> Self:
        """Nobody pays, and no subscription at Stripe is left that could be paid late."""
        behind = Q(organization__subscriptions__status__in=LIVE)
        return self.filter(state="grace").exclude(behind).select_related("organization", "plan").order_by("pk")


class BillingAccountQuerySet(models.QuerySet["BillingAccount"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.SUBSCRIPTION_VIEW)

    def card_ending(self, since: date, until: date) -> Self:
        """Accounts that pay a subscription by a card whose last day is between the two."""
        rows = self.filter(card_expires_on__gte=since, card_expires_on__lte=until, subscriptions__status__in=LIVE)
        return rows.select_related("organization").order_by("pk")


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.SUBSCRIPTION_VIEW)

    def live(self) -> Self:
        """At most one for each organization: Stripe bills it, or tries to."""
        return self.filter(status__in=self.model.LIVE)

    def stale(self, before: datetime) -> Self:
        return self.filter(ended_at=None, asked_at__lt=before).exclude(status="incomplete_expired").order_by("asked_at")


class SeatAccountQuerySet(models.QuerySet["SeatAccount"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.SUBSCRIPTION_VIEW)

    def waiting(self, since: datetime) -> Self:
        """Changes that Stripe has not taken, made before that moment."""
        return self.exclude(version=F("pushed_version"), failure_reason="").filter(changed_at__lt=since)


class SeatDriftQuerySet(models.QuerySet["SeatDrift"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()

    def open(self) -> Self:
        return self.filter(state="open")


class PlanChangeQuerySet(models.QuerySet["PlanChange"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.SUBSCRIPTION_VIEW, organization="subscription__organization_id")

    def due(self, at: datetime) -> Self:
        return self.filter(state="scheduled", due_at__lte=at).order_by("due_at")


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.SUBSCRIPTION_VIEW)

    def fee_missing(self) -> Self:
        return self.filter(status="paid", amount_paid__gt=0, stripe_fee=None).order_by("pk")


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYMENT_VIEW, organization="payment__organization_id", responsible="payment__responsible_id")


class ConnectedAccountQuerySet(models.QuerySet["ConnectedAccount"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.CONNECT_VIEW)


class StripeBalanceQuerySet(models.QuerySet["StripeBalance"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()


class PayoutRequestQuerySet(models.QuerySet["PayoutRequest"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYOUT_VIEW)

    def open(self) -> Self:
        """Asked for and not yet out of the organization's earnings: at most one for each organization and currency."""
        return self.filter(state__in=self.model.OPEN)


class TransferQuerySet(models.QuerySet["Transfer"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYOUT_VIEW, organization="account__organization_id")


class TransferReversalQuerySet(models.QuerySet["TransferReversal"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYOUT_VIEW, organization="transfer__account__organization_id")


class BalanceTransactionQuerySet(models.QuerySet["BalanceTransaction"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()

    def after(self, cursor: str) -> Self:
        """Oldest first, from behind the cursor "<created_at>|<id>" on; all of them where it is empty."""
        rows = self.order_by("created_at", "id")
        if not cursor:
            return rows
        moment, _, key = cursor.partition("|")
        at = datetime.fromisoformat(moment)
        return rows.filter(created_at__gte=at).exclude(created_at=at, id__lte=int(key))


class ReconciliationRunQuerySet(models.QuerySet["ReconciliationRun"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()

    def under_way(self) -> Self:
        return self.filter(state__in=["queued", "running"])


class ReconciliationPartQuerySet(models.QuerySet["ReconciliationPart"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()


class ReconciliationPeriodQuerySet(models.QuerySet["ReconciliationPeriod"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()


class DiscrepancyQuerySet(models.QuerySet["Discrepancy"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()


class PayoutStatementQuerySet(models.QuerySet["PayoutStatement"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYOUT_VIEW)


class DisputeFileQuerySet(models.QuerySet["DisputeFile"]):
    def visible_to(self, by: Actor) -> Self:
        payment = "dispute__payment__"
        return scoped(self, by, Permission.PAYMENT_VIEW, organization=f"{payment}organization_id", responsible=f"{payment}responsible_id")


class DisputeResponseQuerySet(models.QuerySet["DisputeResponse"]):
    def visible_to(self, by: Actor) -> Self:
        payment = "dispute__payment__"
        return scoped(self, by, Permission.PAYMENT_VIEW, organization=f"{payment}organization_id", responsible=f"{payment}responsible_id")

    def failed_last(self) -> bool:
        """Whether the newest answer was refused by Stripe."""
        return self.order_by("-pk").values_list("state", flat=True).first() == "failed"

    def on_their_way(self) -> Self:
        return self.filter(state__in=["requested", "sending", "unknown"])


class DocumentQuerySet(models.QuerySet["Document"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PAYMENT_VIEW, responsible="payment__responsible_id")
