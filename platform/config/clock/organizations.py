"""What is done for organizations by the clock."""

from config.clock import Schedule

SCHEDULES: tuple[Schedule, ...] = (
    Schedule(
        "invitations-overdue",
        "organizations.invitation_answers.expire_overdue",
        "*/15 * * * *",
        "organizations",
        "An invitation whose time is over keeps its seat until the next run; its link opens nothing all the same.",
    ),
    Schedule(
        "organizations-anonymise", "organizations.closing.anonymise_due", "10 4 * * *", "organizations", "Its name is kept a day longer."
    ),
    Schedule(
        "organization-exports-expire",
        "organizations.exports.expire_overdue",
        "25 4 * * *",
        "organizations",
        "The file of an export is kept a day longer; its link opens nothing all the same.",
    ),
    Schedule(
        "organization-exports-sweep", "organizations.exports.sweep", "*/5 * * * *", "organizations", "A failed export is told of later."
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
)
