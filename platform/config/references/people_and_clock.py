"""docs/reference/permissions.md and schedules.md."""

from audit.actor import StaffGroup
from config.references.markdown import code, page, table
from config.schedules import SCHEDULES
from core import jobs
from organizations.models import Role
from organizations.permissions import RULES, Rule


def permissions() -> str:
    head = ("permission", *(role.value for role in Role), *(group.value for group in StaffGroup), "fresh second factor")
    rows = [(code(permission.value), *_cells(rule)) for permission, rule in RULES.items()]
    return page(
        "Permissions",
        "The four roles are an organization's own people, in that organization only; the groups are the platform's staff, everywhere. "
        "“own” means: where the organization says so, only what this person answers for. Systems (webhooks, sweeps) may do all of it.",
        table(head, rows),
    )


def _cells(rule: Rule) -> list[str]:
    narrowed = "yes (own)" if rule.own_only else "yes"
    roles = ["" if role not in rule.roles else narrowed if role == Role.ORGANIZER else "yes" for role in Role]
    groups = ["yes" if group in rule.staff or group == StaffGroup.SUPERUSER else "" for group in StaffGroup]
    return [*roles, *groups, "within 10 minutes" if rule.step_up else ""]


def schedules() -> str:
    known = jobs.registered()
    rows = [
        (entry.name, code(entry.task), code(entry.cron), known[entry.task].queue, entry.owner, entry.if_missed)
        for entry in sorted(SCHEDULES, key=lambda entry: entry.name)
    ]
    return page(
        "Schedules",
        "Everything that the clock starts (`config/schedules.py`). Times are UTC; the clock is looked at every 30 seconds; a missed run is "
        "not made up for, the next one does its work.",
        table(("name", "task", "when", "queue", "owner", "if a run is missed"), rows),
    )
