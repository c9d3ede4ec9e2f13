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
    """What so many more in a role would mean. is_counted: whether it takes a seat; used, included, bought: seats as they are now.

    missing: how many seats would have to be bought. price: of one more for a whole period (`per` month or year), None where none has to
    be bought, or none can, which `why` says; due_now: what all that are missing add to the next invoice for the running period, as
    Stripe says (is_by_stripe) or by its rule.
    """

    is_counted: bool = False
    used: int = 0
    included: int = 0
    bought: int = 0
    price: Money | None = None
    due_now: Money | None = None
    per: str = ""
    missing: int = 0
    why: str = ""
    is_by_stripe: bool = False

    @property
    def sentence(self) -> str:
        if not self.is_counted:
            return "This role takes no seat that the organization pays for."
        taken = f"It takes a seat that the organization pays for: {self.used} used, {self.included} included, {self.bought} bought."
        if not self.missing:
            return f"{taken} A seat is free."
        if self.price is None:
            return f"{taken} None is free. {self.why}"
        if self.due_now is None or not self.due_now.amount:
            return f"{taken} One more seat costs {self.price} a {self.per}, and nothing before the next period."
        whose = "as Stripe calculates it" if self.is_by_stripe else "by Stripe's rule; Stripe was not asked"
        return f"{taken} One more seat costs {self.price} a {self.per}; {self.due_now} for the rest of this one, {whose}."

    @property
    def for_the_invited(self) -> str:
        """What their seat means to a person who was invited: prices are the organization's business."""
        if not self.is_counted:
            return "This role takes no seat that the organization pays for."
        return "This role takes one of the organization’s seats; it is kept for you."


class Seating(Protocol):
    """Called with the organization's row locked, inside the transaction that changes the members. holder_id: of the invitation or the
    membership that has the seat."""

    def preview(self, *, organization_id: UUID, role: str, count: int = 1, outside: bool = False) -> SeatPreview:
        """The one call without the lock. outside: Stripe may be asked, so no transaction is open."""

    def reserve(self, *, organization_id: UUID, role: str, holder_id: UUID, by: Actor, may_buy: bool = False) -> None:
        """The holder's row is written already. may_buy: whoever asks has seen what one more costs. Raises a DomainError where the
        organization has no seat for it, which takes that back."""

    def release(self, *, organization_id: UUID, role: str, holder_id: UUID, by: Actor) -> None:
        """The holder's row has ended already, or has another role."""


class _Uncounted:
    def preview(self, *, organization_id: UUID, role: str, count: int = 1, outside: bool = False) -> SeatPreview:
        return SeatPreview()

    def reserve(self, *, organization_id: UUID, role: str, holder_id: UUID, by: Actor, may_buy: bool = False) -> None:
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


def preview(*, organization_id: UUID, role: str, count: int = 1, outside: bool = False) -> SeatPreview:
    return _answer().preview(organization_id=organization_id, role=role, count=count, outside=outside)


def reserve(*, organization_id: UUID, role: str, holder_id: UUID, by: Actor, may_buy: bool = False) -> None:
    """Raises what the answer raises where there is no seat for it."""
    _answer().reserve(organization_id=organization_id, role=role, holder_id=holder_id, by=by, may_buy=may_buy)


def release(*, organization_id: UUID, role: str, holder_id: UUID, by: Actor) -> None:
    _answer().release(organization_id=organization_id, role=role, holder_id=holder_id, by=by)
