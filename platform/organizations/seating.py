"""Seats that an organization pays for: asked here, answered by billing, which registers in AppConfig.ready.

A seat is taken by an active member or a pending invitation in a role that counts. Until somebody answers, no seat is counted.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from audit.actor import Actor
from core.money import Money


@dataclass(frozen=True, slots=True)
class SeatPreview:
    """What one more in a role would mean. is_counted: whether it takes a seat; used, included, bought: seats as they are now.

    price: of one more seat for a whole period, None where none has to be bought; due_now: its share of the running period.
    """

    is_counted: bool = False
    used: int = 0
    included: int = 0
    bought: int = 0
    price: Money | None = None
    due_now: Money | None = None

    @property
    def sentence(self) -> str:
        if not self.is_counted:
            return "This role takes no seat that the organization pays for."
        taken = f"It takes a seat that the organization pays for: {self.used} used, {self.included} included, {self.bought} bought."
        if self.price is None:
            return f"{taken} A seat is free."
        share = f" ({self.due_now} for the rest of this period)" if self.due_now else ""
        return f"{taken} One more seat costs {self.price}{share}."


class Seating(Protocol):
    """Called with the organization's row locked, inside the transaction that changes the members. holder_id: of the invitation or the
    membership that has the seat."""

    def preview(self, *, organization_id: UUID, role: str) -> SeatPreview: ...

    def reserve(self, *, organization_id: UUID, role: str, holder_id: UUID, by: Actor) -> None:
        """The holder's row is written already. Raises a DomainError where the organization has no seat for it, which takes that back."""

    def release(self, *, organization_id: UUID, role: str, holder_id: UUID, by: Actor) -> None:
        """The holder's row has ended already, or has another role."""


class _Uncounted:
    def preview(self, *, organization_id: UUID, role: str) -> SeatPreview:
        return SeatPreview()

    def reserve(self, *, organization_id: UUID, role: str, holder_id: UUID, by: Actor) -> None:
        """No seat is counted."""

    def release(self, *, organization_id: UUID, role: str, holder_id: UUID, by: Actor) -> None:
        """No seat is counted."""


_answers: list[Seating] = []


def register(answer: Seating) -> None:
    """Called once, from AppConfig.ready. Raises RuntimeError the second time."""
    if _answers:
        raise RuntimeError("two answers to organizations.seating")
    _answers.append(answer)


def _answer() -> Seating:
    return _answers[0] if _answers else _Uncounted()


def preview(*, organization_id: UUID, role: str) -> SeatPreview:
    return _answer().preview(organization_id=organization_id, role=role)


def reserve(*, organization_id: UUID, role: str, holder_id: UUID, by: Actor) -> None:
    """Raises what the answer raises where there is no seat for it."""
    _answer().reserve(organization_id=organization_id, role=role, holder_id=holder_id, by=by)


def release(*, organization_id: UUID, role: str, holder_id: UUID, by: Actor) -> None:
    _answer().release(organization_id=organization_id, role=role, holder_id=holder_id, by=by)
