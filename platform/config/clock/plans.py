"""What plans and subscriptions do by the clock, and the counters that they limit."""

from config.clock import Schedule

SCHEDULES: tuple[Schedule, ...] = (
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
)
