"""System checks of what the apps promised each other at start-up."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from config.schedules import SCHEDULES
from core import jobs


@register()
def every_schedule_has_its_task(**_: Any) -> list[CheckMessage]:
    """An entry of the table whose task nobody registered would fail at every tick."""
    return [
        Error(f"Schedule {entry.name!r} names no task: {entry.task}.", hint="Import its module in AppConfig.ready.", id="config.E001")
        for entry in SCHEDULES
        if entry.task not in jobs.registered()
    ]
