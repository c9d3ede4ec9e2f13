"""What keeps the machinery itself in order: jobs, sessions, throttles, remembered answers."""

from config.clock import EVERY_MINUTE, Schedule

SCHEDULES: tuple[Schedule, ...] = (
    Schedule("jobs-sweep", "core.jobs.sweep", EVERY_MINUTE, "core", "Work whose queue message was lost waits until the next run."),
    Schedule("jobs-purge", "core.jobs.purge", "40 3 * * *", "core", "Jobs that are done are kept a day longer."),
    Schedule(
        "sessions", "accounts.session_lifetime.purge", "10 3 * * *", "accounts", "Ended sessions, refused already, are kept a day longer."
    ),
    Schedule(
        "throttles",
        "public_api.throttling.purge",
        "*/15 * * * *",
        "public_api",
        "Windows of the rate limits that are over are kept longer.",
    ),
    Schedule(
        "idempotency", "public_api.idempotency.purge", "20 * * * *", "public_api", "Remembered answers are kept longer than their day."
    ),
)
