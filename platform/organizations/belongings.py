"""What an organization and its members have in the apps above: asked here, answered by each app that has some, in AppConfig.ready.

Hosted things go to a successor when a member goes; a closing organization asks what stands in the way, and what it takes along.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from audit.actor import Actor


@dataclass(frozen=True, slots=True)
class Held:
    """So many of something that a member answers for. what: in the plural, such as "events"."""

    what: str
    count: int

    def __str__(self) -> str:
        return f"{self.count} {self.what if self.count != 1 else self.what.removesuffix('s')}"


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why an organization cannot be closed now: a code for programs, a sentence that says what to do."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV file of the export; rows are read as they are written."""

    name: str
    header: Sequence[str]
    rows: Iterable[Sequence[Any]]


class Belongings(Protocol):
    """Called with the organization's row locked, inside the transaction that ends the membership or closes the organization."""

    def held(self, *, organization_id: UUID, user_id: UUID) -> list[Held]: ...

    def hand_over(self, *, organization_id: UUID, from_user_id: UUID, to_user_id: UUID, by: Actor) -> None:
        """All that the one answers for is the other's from now on; what happened before stays told as it was."""

    def blockers(self, *, organization_id: UUID, at: datetime) -> list[Blocker]: ...

    def archive(self, *, organization_id: UUID, at: datetime, by: Actor) -> None:
        """Nothing of it is public or can be bought any more. The organization is still active; nothing blocks."""

    def export(self, *, organization_id: UUID) -> list[Table]: ...


_answers: dict[str, Belongings] = {}


def register(app: str, answer: Belongings) -> None:
    """Called once by each app, from AppConfig.ready. Raises RuntimeError the second time."""
    if app in _answers:
        raise RuntimeError(f"two answers to organizations.belongings by {app!r}")
    _answers[app] = answer


def answered_by() -> frozenset[str]:
    return frozenset(_answers)


def held(*, organization_id: UUID, user_id: UUID) -> list[Held]:
    """What the member answers for, nothing that is none."""
    found = [one for answer in _answers.values() for one in answer.held(organization_id=organization_id, user_id=user_id)]
    return [one for one in found if one.count]


def hand_over(*, organization_id: UUID, from_user_id: UUID, to_user_id: UUID, by: Actor) -> None:
    for answer in _answers.values():
        answer.hand_over(organization_id=organization_id, from_user_id=from_user_id, to_user_id=to_user_id, by=by)


def blockers(*, organization_id: UUID, at: datetime) -> list[Blocker]:
    return [one for answer in _answers.values() for one in answer.blockers(organization_id=organization_id, at=at)]


def archive(*, organization_id: UUID, at: datetime, by: Actor) -> None:
    for answer in _answers.values():
        answer.archive(organization_id=organization_id, at=at, by=by)


def export(*, organization_id: UUID) -> list[Table]:
    return [table for answer in _answers.values() for table in answer.export(organization_id=organization_id)]
