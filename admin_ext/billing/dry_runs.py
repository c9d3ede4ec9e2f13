"""What a replay would change, in words: the page inside the replay's dialog, and the lines of a bulk run's file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, DateTimeField, Field, ForeignKey, Model
from django_q.models import OrmQ

from admin_ext.console.history import in_words
from admin_ext.console.urls import change_url
from audit.actor import Actor
from audit.models import AuditEntry
from billing.models import PayoutRequest, PayoutStatement, StatementLine, Transfer, TransferReversal
from billing.webhooks.dry_run import DryRun
from billing.webhooks.row_changes import Row, RowChange
from core.models import Job
from core.money import Money
from core.public_ids import encode
from ledger.models import LedgerEntry, LedgerTransaction
from notifications.models import Message
from organizations.permissions import Permission, allows

_NEEDS: dict[type[Model], Permission] = dict.fromkeys(
    (PayoutRequest, PayoutStatement, StatementLine, Transfer, TransferReversal), Permission.PAYOUT_VIEW
)
_OTHERWISE_TOLD = (OrmQ, Job, Message, AuditEntry, LedgerTransaction, LedgerEntry)
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Object:
    """how: new, changed or deleted; fields: (name, before, after)."""

    kind: str
    public_id: str
    url: str | None
    how: str
    fields: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Posting:
    """entries: (account, debit, credit)."""

    reference: str
    description: str
    entries: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """A dry run in words; sentence where there is nothing else to tell, or besides it where the commit would be refused."""

    outcome: str
    sentence: str = ""
    objects: list[Object] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    queued: list[str] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line, for the preview of many."""
        if not self.objects and not self.postings:
            return self.sentence or "Queues work only."
        named = [f"{one.kind} {one.how}" for one in self.objects[:4]]
        more = len(self.objects) - len(named)
        parts = [*named, *([f"{more} more"] if more else [])]
        counted = ((len(self.postings), "ledger transaction"), (len(self.queued), "job or mail"))
        parts += [f"{number} × {what}" for number, what in counted if number]
        return f"{self.sentence} {'; '.join(parts)}".strip()

    def lines(self) -> Iterator[str]:
        """Everything, for a file."""
        if self.sentence:
            yield self.sentence
        for one in self.objects:
            yield f"{one.kind} {one.public_id} {one.how}"
            yield from (f"  {name}: {before} → {after}" for name, before, after in one.fields)
        for posting in self.postings:
            yield f"Posting {posting.reference}: {posting.description}"
            yield from (f"  {account}: {'debit ' + debit if debit else 'credit ' + credit}" for account, debit, credit in posting.entries)
        yield from (f"Queued: {one}" for one in self.queued)
        yield from (f"Audit log: {one}" for one in self.recorded)


def told(run: DryRun, *, site: str, by: Actor) -> Told:
    """site: the console whose pages the objects link to. What the actor may not see is named and no more."""
    of: dict[type[Model], list[RowChange]] = {}
    for change in run.changes:
        of.setdefault(change.model, []).append(change)
    objects = [_object(change, site, by) for change in run.changes if change.model not in _OTHERWISE_TOLD or change.before is not None]
    postings = [_posting(one.after, of.get(LedgerEntry, [])) for one in of.get(LedgerTransaction, []) if one.after]
    mails = [f"Mail to {row['to']}: {row['subject']}" for row in _new(of, Message)]
    jobs = [_job(row) for row in _new(of, Job)]
    bare = len(_new(of, OrmQ)) - len(jobs)
    nudges = [f"{bare} further message{'s' if bare > 1 else ''} to the workers"] if bare > 0 else []
    recorded = [in_words(row["action"]) for row in _new(of, AuditEntry)]
    shown = [one for one in objects if one.kind != OrmQ._meta.verbose_name]
    return Told(run.outcome, run.sentence, shown, postings, [*mails, *jobs, *nudges], recorded)


def _new(of: dict[type[Model], list[RowChange]], model: type[Model]) -> list[Row]:
    return [one.after for one in of.get(model, []) if one.before is None and one.after is not None]


def _job(row: Row) -> str:
    ids = ", ".join(f"{name} {value}" for name, value in row["ids"].items())
    return f"{'Mail' if '.emails.' in row['name'] else 'Job'} {row['name']}{f' ({ids})' if ids else ''}"


def _posting(header: Row, entries: list[RowChange]) -> Posting:
    rows = [one.after for one in entries if one.after and one.after["transaction_id"] == header["id"]]
    return Posting(header["reference"], header["description"], [_entry(row) for row in rows])


def _entry(row: Row) -> tuple[str, str, str]:
    amount, money = row["amount"], str(Money(abs(row["amount"]), row["currency"]))
    name = f"{row['account']}:{row['owner']}" if row["owner"] else row["account"]
    return (name, money, "") if amount > 0 else (name, "", money)


def _object(change: RowChange, site: str, by: Actor) -> Object:
    model = change.model
    kind = str(model._meta.verbose_name).capitalize()
    how = "new" if change.before is None else "deleted" if change.after is None else "changed"
    prefix = getattr(model, "public_prefix", "")
    shown = encode(prefix, change.key) if prefix and isinstance(change.key, UUID) else str(change.key)
    url = change_url(site, model(pk=change.key)) if how == "changed" else None
    if model in _NEEDS and not allows(by, _NEEDS[model]):
        return Object(kind, "(which you may not see)", None, how, [])
    return Object(kind, shown if how != "new" else "", url, how, _fields(change))


def _fields(change: RowChange) -> list[tuple[str, str, str]]:
    by_column: dict[str, Any] = {str(one.column): one for one in change.model._meta.concrete_fields}
    found = []
    for column, before, after in change.fields():
        one = by_column[column]
        if one.primary_key or (before in _EMPTY and after in _EMPTY):
            continue
        found.append((str(one.verbose_name), _value(one, before, change.before), _value(one, after, change.after)))
    return found


def _value(one: "Field[Any, Any]", value: Any, row: Row | None) -> str:
    """The value of a column, as the consoles write it."""
    if row is None or value in _EMPTY:
        return _NONE
    if isinstance(one, DateTimeField):
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(one, BigIntegerField) and row.get("currency"):
        return str(Money(value, row["currency"]))
    if isinstance(one, ForeignKey) and hasattr(one.related_model, "public_prefix"):
        return encode(one.related_model.public_prefix, UUID(str(value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)[:300]
    return (str(value).replace("_", " ") if one.choices else str(value))[:300]
