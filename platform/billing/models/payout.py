"""A payout: asked for by the organization, approved by finance, transferred to its account at Stripe, paid to its bank."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from billing.models.account import ConnectedAccount
from billing.querysets import PayoutRequestQuerySet
from core.models import BaseModel
from core.money import CURRENCIES, Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models import Organization

_OPEN = ["requested", "approved", "on_hold", "transferring", "in_transit"]
_APPROVED = ["approved", "on_hold", "transferring", "in_transit", "paid"]


class PayoutRequest(FSMModelMixin, BaseModel):
    """amount: minor units that leave the organization's earnings for its bank.

    available_at_approval: what it could take at the moment it was approved; the amount is never more, whoever writes. above_limit: a
    second person has to approve. attempt is part of the idempotency key of Stripe's payout: it rises when a person retries after a
    definite failure, or after a look-up found nothing at Stripe; retries counts the former alone, each has postings of its own.
    blocked: why an approved one does not go on by itself.
    """

    public_prefix = "pyt"

    MAY_COME_BACK_FOR = timedelta(days=10)  # a bank returns what it cannot book within five working days

    class State(models.TextChoices):
        REQUESTED = "requested"
        APPROVED = "approved"
        ON_HOLD = "on_hold"
        REJECTED = "rejected"
        CANCELLED = "cancelled"
        TRANSFERRING = "transferring"
        IN_TRANSIT = "in_transit"
        PAID = "paid"
        FAILED = "failed"

    class Source(models.TextChoices):
        CONSOLE = "console"
        API = "api"
        SCHEDULE = "schedule"

    OPEN = tuple(_OPEN)

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="payout_requests")
    account = models.ForeignKey(ConnectedAccount, on_delete=models.PROTECT, related_name="payout_requests")
    state = StateField(choices=State.choices, default=State.REQUESTED)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    source = models.CharField(max_length=10, choices=Source.choices)
    note = models.TextField(blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    above_limit = models.BooleanField(default=False)
    available_at_approval = models.BigIntegerField(null=True)
    request_token = models.CharField(
        max_length=80, null=True, unique=True, help_text="Of the dialog or the request: a second one with it is the same payout."
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    retries = models.PositiveSmallIntegerField(default=0)
    stripe_account_id = models.CharField(max_length=255, blank=True)
    stripe_payout_id = models.CharField(max_length=255, null=True, unique=True)
    lacking = models.BigIntegerField(null=True, help_text="What the connected account lacked when this try began; decided once.")
    blocked = models.CharField(max_length=300, blank=True)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was held, rejected, or failed.")
    approved_at = models.DateTimeField(null=True)
    transfer_began_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True, help_text="When Stripe was first asked for the payout under this attempt.")
    arrives_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="When it was rejected, cancelled, or failed.")

    objects = PayoutRequestQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="payout_organization"),
            models.Index(fields=["state", "-id"], name="payout_state"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organization", "currency"], condition=Q(state__in=_OPEN), name="payout_one_open"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payout_amount_positive"),
            models.CheckConstraint(condition=Q(currency__in=sorted(CURRENCIES)), name="payout_currency_known"),
            models.CheckConstraint(
                condition=Q(available_at_approval=None) | Q(amount__lte=F("available_at_approval")), name="payout_within_available"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=_APPROVED) | ~Q(available_at_approval=None) & ~Q(approved_at=None) & ~Q(approved_by=None),
                name="payout_approved_by_someone",
            ),
            models.CheckConstraint(
                condition=Q(above_limit=False) | Q(approved_by=None) | Q(requested_by=None) | ~Q(approved_by=F("requested_by")),
                name="payout_second_person",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["in_transit", "paid"]) | ~Q(stripe_payout_id=None), name="payout_sent_at_stripe"
            ),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"Payout of {self.money}"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def stripe_key(self) -> str:
        return f"payout-{self.pk}-{self.attempt}"

    def reference(self, fact: str) -> str:
        """The ledger's name for a fact about this payout: "payout:<id>:paid"; a retry adds its number."""
        return ":".join(["payout", str(self.pk), fact, *([f"retry-{self.retries}"] if self.retries else [])])

    def known_to_stripe(self) -> bool:
        return self.stripe_payout_id is not None

    @transition(field=state, source=State.REQUESTED, target=State.APPROVED, operation="billing.payout_approval.approve")
    def approve(self, *, user_id: UUID | None, available: int, at: datetime) -> None:
        self.approved_by_id, self.available_at_approval, self.approved_at = user_id, available, at

    @transition(field=state, source=[State.REQUESTED, State.ON_HOLD], target=State.REJECTED, operation="billing.payout_approval.reject")
    def reject(self, *, at: datetime, why: str) -> None:
        self.ended_at, self.reason, self.blocked = at, why[:500], ""

    @transition(field=state, source=State.REQUESTED, target=State.CANCELLED, operation="billing.payout_requests.cancel")
    def cancel(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=state, source=State.APPROVED, target=State.ON_HOLD, operation="billing.payout_approval.hold")
    def hold(self, *, why: str) -> None:
        self.reason = why[:500]

    @transition(field=state, source=State.ON_HOLD, target=State.APPROVED, operation="billing.payout_approval.release")
    def release(self) -> None:
        self.reason = ""

    @transition(
        field=state, source=[State.APPROVED, State.TRANSFERRING], target=State.TRANSFERRING, operation="billing.payout_submission.begin"
    )
    def begin(self, *, at: datetime, stripe_account_id: str) -> None:
        self.transfer_began_at, self.stripe_account_id, self.blocked = at, stripe_account_id, ""

    def renew_key(self, *, at: datetime) -> None:
        """A new idempotency key for the same payout, after a look-up found nothing under the old one."""
        self.attempt += 1
        self.submitted_at = at

    @transition(
        field=state,
        source=State.TRANSFERRING,
        target=State.IN_TRANSIT,
        conditions=[known_to_stripe],
        operation="billing.payout_sync.sync",
    )
    def move(self, *, arrives_at: datetime | None) -> None:
        self.arrives_at = arrives_at

    @transition(field=state, source=State.IN_TRANSIT, target=State.PAID, operation="billing.payout_sync.settle")
    def pay(self, *, at: datetime) -> None:
        self.paid_at = at

    @transition(
        field=state,
        source=[State.TRANSFERRING, State.IN_TRANSIT, State.PAID],
        target=State.FAILED,
        operation="billing.payout_sync.fail",
    )
    def fail(self, *, at: datetime, why: str) -> None:
        """Also days after it was paid: the bank sent it back."""
        self.ended_at, self.reason, self.paid_at = at, why[:500], None

    @transition(field=state, source=State.FAILED, target=State.APPROVED, operation="billing.payout_approval.retry")
    def retry(self, *, user_id: UUID | None, available: int, at: datetime) -> None:
        self.attempt += 1
        self.retries += 1
        self.approved_by_id, self.available_at_approval, self.approved_at = user_id, available, at
        self.lacking = self.stripe_payout_id = self.transfer_began_at = self.submitted_at = self.arrives_at = self.paid_at = (
            self.ended_at
        ) = None
        self.stripe_account_id = self.reason = self.blocked = ""
