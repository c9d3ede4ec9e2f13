"""Every clock-driven task, in one table. `manage.py sync_schedules` makes django-q2's schedules agree with it.

A schedule only writes a Job row (core.jobs.enqueue_scheduled), in the queue of its task and by a worker of that queue: a queue that
stands still takes no other queue's clock with it. django-q2 looks at its schedules every 30 seconds.
"""

from dataclasses import dataclass

from croniter import croniter
from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule as Row

from core import jobs

RUNNER = "core.jobs.enqueue_scheduled"
EVERY_MINUTE = "* * * * *"


@dataclass(frozen=True, slots=True)
class Schedule:
    """task: dotted name of a registered task; cron: five fields, UTC; owner: the app that answers for it."""

    name: str
    task: str
    cron: str
    owner: str
    if_missed: str


SCHEDULES: tuple[Schedule, ...] = (
    Schedule("jobs-sweep", "core.jobs.sweep", EVERY_MINUTE, "core", "Work whose queue message was lost waits until the next run."),
    Schedule(
        "invitations-overdue",
        "organizations.invitation_answers.expire_overdue",
        "*/15 * * * *",
        "organizations",
        "An invitation whose time is over keeps its seat until the next run; its link opens nothing all the same.",
    ),
    Schedule(
        "organizations-anonymise",
        "organizations.closing.anonymise_due",
        "10 4 * * *",
        "organizations",
        "What names a closed organization is kept a day longer.",
    ),
    Schedule(
        "organization-exports-expire",
        "organizations.exports.expire_overdue",
        "25 4 * * *",
        "organizations",
        "The file of an export is kept a day longer; its link opens nothing all the same.",
    ),
    Schedule(
        "admin-offers-overdue",
        "organizations.admin_offers.expire_overdue",
        "20 * * * *",
        "organizations",
        "An offer whose time is over is shown as open until the next run; it cannot be accepted all the same.",
    ),
    Schedule(
        "invitation-files-purge",
        "organizations.invitation_files.purge",
        "45 3 * * *",
        "organizations",
        "Addresses from files of people to invite are kept a day longer.",
    ),
    Schedule("jobs-purge", "core.jobs.purge", "40 3 * * *", "core", "Jobs that are done are kept a day longer."),
    Schedule(
        "refunds-in-flight",
        "billing.sweeps.refunds_in_flight",
        EVERY_MINUTE,
        "billing",
        "A refund whose answer or webhook was lost stays in flight; the next run finds it.",
    ),
    Schedule(
        "missing-fees",
        "billing.sweeps.missing_fees",
        "*/5 * * * *",
        "billing",
        "A Stripe fee whose webhook was lost is booked later; the Stripe balance differs until then.",
    ),
    Schedule(
        "open-checkouts",
        "billing.sweeps.open_checkouts",
        EVERY_MINUTE,
        "billing",
        "A payment whose webhook was lost is confirmed later; an abandoned Checkout page keeps its seat longer.",
    ),
    Schedule(
        "payouts-under-way",
        "billing.payout_sweeps.payouts_under_way",
        EVERY_MINUTE,
        "billing",
        "A payout whose answer or webhook was lost waits; the next run finds it.",
    ),
    Schedule(
        "disputes-under-way",
        "billing.dispute_sweeps.disputes_under_way",
        "*/5 * * * *",
        "billing",
        "An answer to a dispute, or the bank's decision, whose message was lost is found later; mind the day it is due.",
    ),
    Schedule(
        "accounts-stale",
        "billing.payout_sweeps.stale_accounts",
        "25 * * * *",
        "billing",
        "A connected account whose webhook was lost shows what was known the day before.",
    ),
    Schedule(
        "stripe-balances",
        "billing.stripe_balances.read_all",
        "*/10 * * * *",
        "billing",
        "What Stripe holds is shown as of the last reading; approving a payout goes by it.",
    ),
    Schedule(
        "payouts-weekly",
        "billing.payout_schedule.file_weekly",
        "0 6 * * 1",
        "billing",
        "Weekly payouts are asked for a week later, unless somebody asks by hand.",
    ),
    Schedule(
        "payouts-monthly",
        "billing.payout_schedule.file_monthly",
        "0 6 1 * *",
        "billing",
        "Monthly payouts are asked for a month later, unless somebody asks by hand.",
    ),
    Schedule(
        "documents-due",
        "billing.sweeps.documents_due",
        "*/5 * * * *",
        "billing",
        "A receipt or credit note whose task was lost is issued later, with a later date.",
    ),
    Schedule(
        "plans-ending",
        "billing.access.end_due",
        "0 2 * * *",
        "billing",
        "A trial or a grace period that is over goes on for a day; the next run ends it.",
    ),
    Schedule(
        "plans-notices",
        "billing.access_emails.send_notices",
        "5 2 * * *",
        "billing",
        "A notice that a trial ends is sent a day late, with the days that are left by then.",
    ),
    Schedule(
        "subscriptions-stale",
        "billing.subscription_sync.refresh_stale",
        "35 * * * *",
        "billing",
        "A subscription whose webhook was lost is shown, and counts, as it was the day before.",
    ),
    Schedule(
        "invoice-fees",
        "billing.invoices.missing_fees",
        "*/10 * * * *",
        "billing",
        "Stripe's fee of an invoice is booked later; the Stripe balance differs until then.",
    ),
    Schedule(
        "plan-changes",
        "billing.plan_changes.release_due",
        "*/15 * * * *",
        "billing",
        "A smaller plan that waits for the period's end may be billed at the larger plan's price once more.",
    ),
    Schedule(
        "usage-periods",
        "entitlements.periods.roll_due",
        "5 * * * *",
        "entitlements",
        "A counter whose month is over is shown as it was; making something starts it over by itself.",
    ),
    Schedule(
        "usage-counts",
        "events.usage_counts.reconcile",
        "10 2 * * *",
        "events",
        "A counter of events that is off is found and corrected a day later.",
    ),
    Schedule(
        "usage-warnings",
        "billing.usage_emails.send_warnings",
        "*/5 * * * *",
        "billing",
        "A mail that a plan is used up to 80, 90 or 100 % goes out later.",
    ),
    Schedule(
        "plans-unpushed",
        "billing.plan_push.push_missing",
        "50 * * * *",
        "billing",
        "A plan or price whose task was lost stays unknown to Stripe, and cannot be bought at it.",
    ),
    Schedule(
        "inbox-stuck",
        "billing.webhooks.replay.sweep_stuck",
        EVERY_MINUTE,
        "billing",
        "A stored webhook whose worker died is worked on later.",
    ),
    Schedule(
        "inbox-missed",
        "billing.webhooks.replay.sweep_missed",
        "*/10 * * * *",
        "billing",
        "A webhook that never came is fetched later; it is looked for six hours back.",
    ),
    Schedule(
        "sessions", "accounts.session_lifetime.purge", "10 3 * * *", "accounts", "Ended sessions, refused already, are kept a day longer."
    ),
    Schedule(
        "throttles", "public_api.throttling.purge", "*/15 * * * *", "public_api", "Windows of rate limits that are over are kept longer."
    ),
    Schedule(
        "idempotency", "public_api.idempotency.purge", "20 * * * *", "public_api", "Remembered answers are kept longer than their day."
    ),
    Schedule(
        "registration-holds",
        "registrations.holds.sweep",
        EVERY_MINUTE,
        "registrations",
        "A place that was not paid or confirmed in time stays held longer; the next run lets it go.",
    ),
    Schedule(
        "verdicts", "registrations.verdicts.sweep", "*/10 * * * *", "registrations", "Who earned what is shown by the old rule longer."
    ),
    Schedule(
        "attendance-files", "registrations.attendance_files.purge", "50 3 * * *", "registrations", "Lines of files are kept a day longer."
    ),
    Schedule(
        "events-clock",
        "events.clock.tick",
        EVERY_MINUTE,
        "events",
        "An event is shown as coming or live after it is not; registration looks at the times themselves.",
    ),
    Schedule(
        "reconciliation",
        "billing.reconciliation.runs.nightly",
        "15 3 * * *",
        "billing",
        "Differences between Stripe and the books are found a day later; nothing else depends on it.",
    ),
    Schedule(
        "ledger-invariants",
        "ledger.invariant_runs.run",
        "30 2 * * *",
        "ledger",
        "A violated rule of the books is seen a day later; nothing else depends on it.",
    ),
)


@transaction.atomic
def sync(table: tuple[Schedule, ...] = SCHEDULES) -> dict[str, int]:
    """django-q2's schedules are exactly the table; how many were added, changed and removed. Repeatable, safe beside running workers.

    Raises ValueError where an entry names no registered task or no cron expression.
    """
    known = jobs.registered()
    for entry in table:
        if entry.task not in known:
            raise ValueError(f"schedule {entry.name}: there is no task {entry.task}")
        if not croniter.is_valid(entry.cron):
            raise ValueError(f"schedule {entry.name}: {entry.cron!r} is no cron expression")
    rows = {row.name: row for row in Row.objects.select_for_update().order_by("pk")}
    gone = [row.pk for row in Row.objects.exclude(pk__in=[rows[entry.name].pk for entry in table if entry.name in rows])]
    removed, _ = Row.objects.filter(pk__in=gone).delete()
    done = [_put(rows.get(entry.name), entry, queue=known[entry.task].queue) for entry in table]
    return {"added": done.count("added"), "changed": done.count("changed"), "removed": removed}


def _put(row: Row | None, entry: Schedule, *, queue: str) -> str:
    wanted = {
        "func": RUNNER,
        "args": repr((entry.task,)),
        "kwargs": repr({"q_options": {"save": False}}),  # the Job row is the record of the run
        "schedule_type": Row.CRON,
        "cron": entry.cron,
        "cluster": queue,
        "repeats": -1,
    }
    if row is None:
        Row.objects.create(name=entry.name, **wanted)
        return "added"
    if all(getattr(row, field) == value for field, value in wanted.items()):
        return "kept"
    for field, value in wanted.items():
        setattr(row, field, value)
    row.next_run = row.calculate_next_run(timezone.now())
    row.save()
    return "changed"
