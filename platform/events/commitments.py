"""What an event owes to people already: asked here, answered by the app that registers them (a lower app never names an upper table)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core import checks


@dataclass(frozen=True, slots=True)
class Sold:
    """paid: confirmed places that were paid for; held: places waiting for payment or for an address; confirmed: all confirmed places."""

    paid: int
    held: int
    confirmed: int

    @property
    def seats(self) -> int:
        return self.held + self.confirmed


_answers: list[Callable[[UUID], Sold]] = []


def register(answer: Callable[[UUID], Sold]) -> None:
    """Called once, from AppConfig.ready. Raises RuntimeError the second time."""
    if _answers:
        raise RuntimeError("two answers to events.commitments.sold")
    _answers.append(answer)


def sold(event_id: UUID) -> Sold:
    return _answers[0](event_id)


def check_answered(app_configs: object, **kwargs: Any) -> list[checks.CheckMessage]:
    return [] if _answers else [checks.Error("Nobody answers events.commitments.sold.", id="events.E001")]
