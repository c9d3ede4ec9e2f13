"""Double entry that PostgreSQL itself holds: balanced, one currency a transaction, append-only, sealed to the moment it was written."""

import pgtrigger
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from core.full_text import Words
from core.models import append_only
from core.public_ids import encode, uuid7
from ledger.chart import CHART
from ledger.querysets import LedgerEntryQuerySet, LedgerTransactionQuerySet

_RAISE = "USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT"
_BALANCED = f"""
    PERFORM 1 FROM ledger_ledgerentry WHERE transaction_id = NEW.transaction_id
        HAVING sum(amount) <> 0 OR count(DISTINCT currency) <> 1 OR count(*) < 2;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % is not balanced', NEW.transaction_id {_RAISE} = 'ledger_balanced';
    END IF;
    RETURN NULL;
"""
_HAS_ENTRIES = f"""
    IF NOT EXISTS (SELECT 1 FROM ledger_ledgerentry WHERE transaction_id = NEW.id) THEN
        RAISE EXCEPTION 'ledger transaction % has no entries', NEW.id {_RAISE} = 'ledger_has_entries';
    END IF;
    RETURN NULL;
"""
_NOT_IN_A_CLOSED_PERIOD = f"""
    IF EXISTS (
        SELECT 1 FROM ledger_closedperiod p JOIN ledger_ledgertransaction t ON t.id = NEW.transaction_id
        WHERE p.account = NEW.account AND p.owner = NEW.owner AND p.currency = NEW.currency AND t.occurred_at < p.ends_at
    ) THEN
        RAISE EXCEPTION 'ledger transaction % lies in a closed period', NEW.transaction_id {_RAISE} = 'ledger_period_open';
    END IF;
    RETURN NEW;
"""
_SEALED = f"""
    PERFORM 1 FROM ledger_ledgertransaction
        WHERE id = NEW.transaction_id AND xact = pg_current_xact_id()::text::bigint AND currency = NEW.currency;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger transaction % is sealed or of another currency', NEW.transaction_id {_RAISE} = 'ledger_sealed';
    END IF;
    RETURN NEW;
"""


class CurrentTransactionId(models.Func):
    """PostgreSQL's id of the transaction that writes; entries may join a header only inside it."""

    template = "pg_current_xact_id()::text::bigint"
    output_field = models.BigIntegerField()


class LedgerTransaction(models.Model):
    """One fact about money, under a reference that can be used once ("payment:<id>")."""

    public_prefix = "ltx"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reference = models.CharField(max_length=120, unique=True)
    description = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    organization_id = models.UUIDField(null=True)
    occurred_at = models.DateTimeField(help_text="When it happened at Stripe or by a person's decision.")
    happened_at = models.DateTimeField(null=True, help_text="The same, where that lies in a closed period and occurred_at is later.")
    posted_at = models.DateTimeField(auto_now_add=True)
    xact = models.BigIntegerField(db_default=CurrentTransactionId(), editable=False)

    objects = LedgerTransactionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization_id", "-id"], name="ledger_organization"),
            models.Index(fields=["occurred_at"], name="ledger_occurred"),
            GinIndex(Words("description"), name="ledger_words"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="has_entries",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                func=_HAS_ENTRIES,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def public_id(self) -> str:
        return encode(self.public_prefix, self.id)


class LedgerEntry(models.Model):
    """amount: minor units of the transaction's currency; a debit is positive, a credit negative."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries")
    account = models.CharField(max_length=40)
    owner = models.CharField(max_length=40, blank=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [
            models.Index(fields=["account", "owner", "currency"], include=["amount"], name="ledger_balance"),
            models.Index(  # reconciliation walks what moved a Stripe balance, and only that
                fields=["account", "owner", "transaction"],
                condition=models.Q(account__in=["stripe_balance", "connected_balance"]),
                name="ledger_moves_stripe",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=~models.Q(amount=0), name="ledger_entry_not_zero"),
            models.CheckConstraint(condition=models.Q(account__in=sorted(CHART)), name="ledger_account_in_chart"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="balanced",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                func=_BALANCED,
            ),
            pgtrigger.Trigger(name="sealed", level=pgtrigger.Row, when=pgtrigger.Before, operation=pgtrigger.Insert, func=_SEALED),
            pgtrigger.Trigger(
                name="period_open",
                level=pgtrigger.Row,
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Q(new__account__in=["stripe_balance", "connected_balance"]),
                func=_NOT_IN_A_CLOSED_PERIOD,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return f"{self.account}:{self.owner}" if self.owner else self.account
