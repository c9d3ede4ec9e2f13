"""The janitor: every state that something is in only on its way, how long it may stay there, and the task that then resolves it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Model, Q
from django.utils import timezone

from admin_ext.console import columns
from admin_ext.console.urls import list_url
from audit.models import AuditEntry
from billing.models import (
    CheckoutSession,
    Dispute,
    DisputeResponse,
    InboundEvent,
    Payment,
    PayoutRequest,
    ReconciliationRun,
    Refund,
    Transfer,
    TransferReversal,
)
from core.models import Job
from organizations.models import OrganizationExport
from registrations.models import Registration

_DONE = 30
HANDS = (
    "billing.documents",
    "billing.reconciliation",
    "billing.reconciliation.refetch",
    "billing.sweep",
    "disputes.submit",
    "disputes.sweep",
    "organizations.exports",
    "payouts.schedule",
    "payouts.submit",
    "payouts.sweep",
    "refunds.submit",
    "registrations.holds",
    "transfers.recover",
    "transfers.submit",
)


@dataclass(frozen=True, slots=True)
class InFlight:
    """states of `model`, counted from `since`; older than `most`, the scheduled task `resolver` looks after them."""

    title: str
    model: type[Model]
    states: Sequence[str]
    most: timedelta
    resolver: str
    since: str = "updated_at"
    field: str = "state"


_MINUTES = {count: timedelta(minutes=count) for count in (2, 5, 10, 15)}
_HOURS = {count: timedelta(hours=count) for count in (1, 6, 24)}
IN_FLIGHT: tuple[InFlight, ...] = (
    InFlight(
        "Refunds being sent",
        Refund,
        ("requested", "approved", "submitting", "unknown"),
        _MINUTES[10],
        "billing.sweeps.refunds_in_flight",
    ),
    InFlight("Refunds at Stripe", Refund, ("pending", "requires_action"), _HOURS[24], "billing.sweeps.refunds_in_flight"),
    InFlight(
        "Payments on their way", Payment, ("processing", "requires_action"), _HOURS[24], "billing.sweeps.open_checkouts", since="checked_at"
    ),
    InFlight("Checkout pages being opened", CheckoutSession, ("opening",), _MINUTES[5], "billing.sweeps.open_checkouts"),
    InFlight("Checkout pages past their end", CheckoutSession, ("open",), _MINUTES[5], "billing.sweeps.open_checkouts", since="expires_at"),
    InFlight("Places held past their time", Registration, ("pending",), _HOURS[1], "registrations.holds.sweep", since="hold_expires_at"),
    InFlight("Payouts being sent", PayoutRequest, ("approved", "transferring"), _HOURS[1], "billing.payout_sweeps.payouts_under_way"),
    InFlight("Payouts on their way to the bank", PayoutRequest, ("in_transit",), _HOURS[24], "billing.payout_sweeps.payouts_under_way"),
    InFlight("Transfers being made", Transfer, ("pending",), _HOURS[1], "billing.payout_sweeps.payouts_under_way"),
    InFlight("Money being fetched back", TransferReversal, ("requested",), _HOURS[1], "billing.payout_sweeps.payouts_under_way"),
    InFlight(
        "Answers to disputes being sent",
        DisputeResponse,
        ("requested", "sending", "unknown"),
        _MINUTES[15],
        "billing.dispute_sweeps.disputes_under_way",
    ),
    InFlight(
        "Disputes with the bank",
        Dispute,
        ("under_review", "warning_under_review"),
        _HOURS[24],
        "billing.dispute_sweeps.disputes_under_way",
        field="status",
    ),
    InFlight(
        "Events waiting to be worked",
        InboundEvent,
        ("received", "failed", "processing"),
        _MINUTES[10],
        "billing.webhooks.replay.sweep_stuck",
        since="run_after",
    ),
    InFlight("Reconciliations", ReconciliationRun, ("queued", "running"), _HOURS[6], "billing.reconciliation.runs.nightly"),
    InFlight("Exports of organizations", OrganizationExport, ("queued",), _HOURS[6], "organizations.exports.sweep", since="created_at"),
    InFlight("Jobs", Job, ("queued", "running"), _MINUTES[15], "core.jobs.sweep", since="run_after"),
)


@dataclass(frozen=True, slots=True)
class Row:
    rule: InFlight
    now: int
    late: int
    oldest: datetime | None
    last_run: datetime | None
    last_state: str
    url: str | None

    @property
    def cells(self) -> list[Any]:
        states = ", ".join(state.replace("_", " ") for state in self.rule.states)
        late = (
            columns.as_badge(f"{self.late:,} too old", columns.DANGER) if self.late else columns.as_badge("None too old", columns.SUCCESS)
        )
        return [
            columns.as_anchor(self.url, self.rule.title) if self.url else self.rule.title,
            states,
            span(self.rule.most),
            f"{self.now:,}",
            late,
            columns.as_moment(self.oldest),
            self.rule.resolver,
            columns.as_moment(self.last_run),
            columns.as_state(self.last_state) if self.last_state else columns.EMPTY,
        ]


def rows(site: str) -> list[Row]:
    """One line for each rule: two counts and an age, and how its resolver last ran."""
    now = timezone.now()
    runs = _last_runs()
    return [_row(rule, site, now, runs) for rule in IN_FLIGHT]


def _row(rule: InFlight, site: str, now: datetime, runs: dict[str, tuple[datetime, str]]) -> Row:
    there: Any = rule.model._default_manager.order_by().filter(**{f"{rule.field}__in": rule.states})
    found = there.aggregate(now=Count("pk"), late=Count("pk", filter=Q(**{f"{rule.since}__lt": now - rule.most})), oldest=Min(rule.since))
    at, state = runs.get(rule.resolver, (None, ""))
    url = list_url(site, rule.model, f"{rule.field}__in={','.join(rule.states)}")
    return Row(rule, found["now"], found["late"], found["oldest"], at, state, url)


def _last_runs() -> dict[str, tuple[datetime, str]]:
    names = {rule.resolver for rule in IN_FLIGHT}
    newest = Job.objects.filter(name__in=names, ids={}).order_by("name", "-pk").distinct("name")
    return {job.name: (job.created_at, job.state) for job in newest}


def done() -> list[AuditEntry]:
    """What the sweeps and the tasks that they queue did last, newest first."""
    first, *others = [AuditEntry.objects.done_by_system(name)[:_DONE] for name in HANDS]
    return list(first.union(*others, all=True).order_by("-id")[:_DONE])


def span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} hours" if minutes > 60 else "1 hour"
