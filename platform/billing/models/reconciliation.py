"""Reconciliation: runs over accounts, and the differences that they find."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.models.balance_transaction import BalanceTransaction
from billing.querysets import DiscrepancyQuerySet, ReconciliationPartQuerySet, ReconciliationRunQuerySet
from core.models import BaseModel
from core.money import CURRENCIES
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition

_RUNS, _STEPS = "billing.reconciliation.runs.", "billing.reconciliation.stepping."
_KEPT = "billing.reconciliation.discrepancies."


class ReconciliationRun(FSMModelMixin, BaseModel):
    """One comparison of Stripe's balance transactions with the ledger, over the platform's account and all others; one at a time."""

    public_prefix = "rec"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    UNDER_WAY = (State.QUEUED, State.RUNNING)

    state = StateField(choices=State.choices, default=State.QUEUED)
    scope = models.CharField(max_length=10, default="all", editable=False)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = ReconciliationRunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope"], condition=Q(state__in=["queued", "running"]), name="reconciliation_one_under_way")
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"Reconciliation of {self.created_at:%Y-%m-%d %H:%M} UTC"

    @property
    def is_under_way(self) -> bool:
        return self.state in self.UNDER_WAY

    @transition(field=state, source=State.QUEUED, target=State.RUNNING, operation=_RUNS + "begin")
    def begin(self, *, at: datetime) -> None:
        self.started_at = self.started_at or at

    @transition(field=state, source=State.RUNNING, target=State.DONE, operation=_RUNS + "finish")
    def finish(self, *, at: datetime) -> None:
        self.finished_at = at

    @transition(field=state, source=State.RUNNING, target=State.FAILED, operation=_RUNS + "finish")
    def fail(self, *, at: datetime) -> None:
        self.finished_at = at

    @transition(field=state, source=State.FAILED, target=State.QUEUED, operation=_RUNS + "go_on")
    def go_on(self) -> None:
        self.finished_at = None


class ReconciliationPart(FSMModelMixin, models.Model):
    """One account's share of a run: import, then both directions of the comparison, each from its cursor on.

    since: movements before it lie in closed periods. snapshot: what of the ledger had been committed when the comparison began;
    everything is compared with that, however long it takes. residuals: once done, per currency {"currency", "stripe", "books",
    "timing", "explained", "residual"} in minor units; the residual is what waiting and explanations leave of stripe less books.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        IMPORTING = "importing"
        CHECKING_STRIPE = "checking_stripe", "Checking Stripe's side"
        CHECKING_BOOKS = "checking_books", "Checking our side"
        DONE = "done"
        FAILED = "failed"

    OPEN = (State.WAITING, State.IMPORTING, State.CHECKING_STRIPE, State.CHECKING_BOOKS)

    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="parts")
    account = models.CharField(max_length=255, blank=True)
    organization_id = models.UUIDField(null=True, help_text="Whose account it is; none for the platform's own.")
    state = StateField(choices=State.choices, default=State.WAITING)
    cursor = models.CharField(max_length=255, blank=True)
    since = models.DateTimeField(null=True)
    import_since = models.DateTimeField(null=True)
    newest_at = models.DateTimeField(null=True)
    snapshot = models.TextField(blank=True)
    cut_at = models.DateTimeField(null=True, help_text="When the snapshot was taken.")
    imported = models.PositiveBigIntegerField(default=0)
    to_check = models.PositiveBigIntegerField(default=0)
    checked = models.PositiveBigIntegerField(default=0)
    checked_books = models.PositiveBigIntegerField(default=0)
    found = models.PositiveBigIntegerField(default=0)
    residuals = models.JSONField(default=list)
    moved_at = models.DateTimeField(auto_now=True, help_text="When it last made progress.")
    error = models.TextField(blank=True)

    objects = ReconciliationPartQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "account"], name="reconciliation_part_once")]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return self.account or "Platform"

    @transition(field=state, source=State.WAITING, target=State.IMPORTING, operation=_STEPS + "begin_part")
    def begin(self) -> None:
        self.error = ""

    @transition(field=state, source=State.IMPORTING, target=State.CHECKING_STRIPE, operation=_STEPS + "imported")
    def check_stripe(self, *, at: datetime, snapshot: str, to_check: int) -> None:
        self.cut_at, self.snapshot, self.to_check, self.cursor = at, snapshot, to_check, ""

    @transition(field=state, source=State.CHECKING_STRIPE, target=State.CHECKING_BOOKS, operation=_STEPS + "check_stripe")
    def check_books(self) -> None:
        self.cursor = ""

    @transition(field=state, source=State.CHECKING_BOOKS, target=State.DONE, operation=_STEPS + "check_books")
    def finish(self) -> None:
        self.cursor = ""

    @transition(field=state, source=[State.WAITING, State.IMPORTING], target=State.FAILED, operation=_STEPS + "fail_part")
    def fail(self, *, error: str) -> None:
        self.error = error[:4000]

    @transition(field=state, source=State.FAILED, target=State.WAITING, operation=_RUNS + "go_on")
    def try_again(self) -> None:
        self.error = ""


class Discrepancy(FSMModelMixin, BaseModel):
    """One thing on which Stripe and the ledger differ. their_…: Stripe's balance transactions; our_…: the ledger; null where one side
    has nothing. amount: gross, fee: what Stripe kept, minor units of that side's currency.

    about: the ledger reference both are compared by, or Stripe's txn_… where nothing here is known of it; at most one open or explained
    row each. is_posted: a ledger transaction stands under its name. is_suspended: what Stripe moved lies in reconciliation_suspense.
    """

    public_prefix = "dif"

    class State(models.TextChoices):
        OPEN = "open"
        EXPLAINED = "explained"
        FIXED = "fixed"
        WRITTEN_OFF = "written_off"

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here", "Missing here"
        MISSING_AT_STRIPE = "missing_at_stripe", "Missing at Stripe"
        AMOUNT = "amount", "Another amount"
        FEE = "fee", "Another fee"
        CURRENCY = "currency", "Another currency"
        STATUS = "status", "Another status"
        TIMING = "timing", "Not there yet"
        EXTERNAL = "external", "Made at Stripe"

    LIVE = (State.OPEN, State.EXPLAINED)

    account = models.CharField(max_length=255, blank=True)
    organization_id = models.UUIDField(null=True, help_text="Whose account it is; none for the platform's own.")
    about = models.CharField(max_length=255)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    state = StateField(choices=State.choices, default=State.OPEN)
    balance_transaction = models.ForeignKey(BalanceTransaction, null=True, on_delete=models.PROTECT, related_name="discrepancies")
    their_amount = models.BigIntegerField(null=True)
    their_fee = models.BigIntegerField(null=True)
    their_currency = models.CharField(max_length=3, blank=True)
    our_amount = models.BigIntegerField(null=True)
    our_fee = models.BigIntegerField(null=True)
    our_currency = models.CharField(max_length=3, blank=True)
    happened_at = models.DateTimeField(help_text="At Stripe; in the books where Stripe has nothing.")
    found_in = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="+")
    seen_in = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="discrepancies")
    is_posted = models.BooleanField(default=False)
    is_suspended = models.BooleanField(default=False)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True)

    objects = DiscrepancyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "discrepancies"
        indexes = [
            models.Index(fields=["account", "about"], name="discrepancy_about"),
            models.Index(fields=["state", "-id"], name="discrepancy_state"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["account", "about"], condition=Q(state__in=["open", "explained"]), name="discrepancy_once"),
            models.CheckConstraint(condition=~Q(their_amount=None) | ~Q(our_amount=None), name="discrepancy_has_a_side"),
            models.CheckConstraint(
                condition=Q(their_currency__in=["", *sorted(CURRENCIES)], our_currency__in=["", *sorted(CURRENCIES)]),
                name="discrepancy_currency_known",
            ),
            models.CheckConstraint(condition=Q(state="open") | ~Q(reason=""), name="discrepancy_closed_with_a_reason"),
            models.CheckConstraint(condition=~Q(state="written_off") | ~Q(closed_by=None), name="discrepancy_written_off_by_a_person"),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.about}"

    @property
    def differences(self) -> dict[str, int]:
        """Stripe's net less the ledger's, per currency, minor units; currencies in which both agree left out."""
        found: dict[str, int] = {}
        if self.their_amount is not None:
            found[self.their_currency] = self.their_amount - (self.their_fee or 0)
        if self.our_amount is not None:
            found[self.our_currency] = found.get(self.our_currency, 0) - self.our_amount + (self.our_fee or 0)
        return {currency: amount for currency, amount in found.items() if amount}

    @transition(field=state, source=State.OPEN, target=State.EXPLAINED, operation="billing.reconciliation.fixing.explain")
    def explain(self, *, at: datetime) -> None:
        self.closed_at = at

    @transition(field=state, source=State.EXPLAINED, target=State.OPEN, operation=_KEPT + "keep")
    def reopen(self) -> None:
        """The difference is another than the one that was explained."""
        self.closed_at = self.closed_by = None
        self.reason = ""

    @transition(field=state, source=[State.OPEN, State.EXPLAINED], target=State.FIXED, operation=_KEPT + "fixed")
    def fix(self, *, at: datetime) -> None:
        self.closed_at = at

    @transition(
        field=state, source=[State.OPEN, State.EXPLAINED], target=State.WRITTEN_OFF, operation="billing.reconciliation.fixing.write_off"
    )
    def write_off(self, *, at: datetime) -> None:
        self.closed_at = at
