"""What completing an event takes and what it gives: the choices, and what makes a rule impossible. registrations.eligibility evaluates."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

from django.db import models


class Rule(models.TextChoices):
    ALL_SESSIONS = "all_sessions", "Every mandatory session; where none is mandatory, every session"
    PERCENTAGE_OF_SESSIONS = "percentage_of_sessions", "A share of the sessions, in percent"
    MIN_SESSIONS_COUNT = "min_sessions_count", "A number of sessions"
    TOTAL_MINUTES = "total_minutes", "Minutes attended over all sessions"


class Rounding(models.TextChoices):
    DOWN = "down", "Down"
    NEAREST = "nearest", "To the nearest step, half a step up"


HOURS = (60, 50)  # minutes in an hour of credit; 50: NASBA
STEPS = (Decimal("0.20"), Decimal("0.25"), Decimal("0.50"), Decimal("1.00"))


class Sitting(Protocol):
    """A session, saved or not."""

    @property
    def kind(self) -> str: ...
    @property
    def is_published(self) -> bool: ...
    @property
    def is_cancelled(self) -> bool: ...


def countable[S: Sitting](sessions: Iterable[S]) -> list[S]:
    """Those that can count at all: published, not cancelled, not a recording."""
    return [one for one in sessions if one.is_published and not one.is_cancelled and one.kind != "recorded"]


def value_failure(rule: str, value: int | None, countable_sessions: int | None = None) -> str | None:
    """What to do about a value that the rule cannot have; None where it can. countable_sessions: None leaves their number out."""
    if rule == Rule.ALL_SESSIONS:
        return None if value is None else "Leave the value empty; every session is asked for."
    if value is None or value < 1:
        return "Give the rule a value of at least 1."
    if rule == Rule.PERCENTAGE_OF_SESSIONS and value > 100:
        return "Give a share of the sessions from 1 to 100 percent."
    if rule == Rule.MIN_SESSIONS_COUNT and countable_sessions is not None and value > countable_sessions:
        return f"Ask for at most {countable_sessions} sessions; no more can count."
    return None
