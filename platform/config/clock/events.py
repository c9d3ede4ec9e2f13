"""What happens to events and their registrations by the clock."""

from config.clock import EVERY_MINUTE, Schedule

SCHEDULES: tuple[Schedule, ...] = (
    Schedule(
        "usage-counts",
        "events.usage_counts.reconcile",
        "10 2 * * *",
        "events",
        "A counter of events that is off is found and corrected a day later.",
    ),
    Schedule(
        "registration-holds",
        "registrations.holds.sweep",
        EVERY_MINUTE,
        "registrations",
        "A place that was not paid or confirmed in time stays held longer; the next run lets it go.",
    ),
    Schedule(
        "events-clock",
        "events.clock.tick",
        EVERY_MINUTE,
        "events",
        "An event is shown as coming or live after it is not; registration looks at the times themselves.",
    ),
    Schedule("promo-codes-purge", "promo_codes.purging.purge", "47 3 * * *", "promo_codes", "Files of codes are kept a day longer."),
)
