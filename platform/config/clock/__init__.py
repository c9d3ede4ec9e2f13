"""What one line of the table of clock-driven tasks says; the lines stand beside this, by what they are about."""

from dataclasses import dataclass

EVERY_MINUTE = "* * * * *"


@dataclass(frozen=True, slots=True)
class Schedule:
    """task: dotted name of a registered task; cron: five fields, UTC; owner: the app that answers for it."""

    name: str
    task: str
    cron: str
    owner: str
    if_missed: str
