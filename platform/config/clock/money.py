"""What moves and watches money: refunds, checkouts, payouts, disputes, fees, webhooks, the books."""

from config.clock import EVERY_MINUTE, Schedule

SCHEDULES: tuple[Schedule, ...] = (
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
