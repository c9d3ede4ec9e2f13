"""Told upwards when an account's address is proven: whoever keeps things under bare addresses registers in AppConfig.ready."""

from typing import Protocol
from uuid import UUID


class Listener(Protocol):
    def __call__(self, *, user_id: UUID, email: str) -> None:
        """Runs in the transaction that verified the address; repeatable."""


_listeners: list[Listener] = []


def register(listener: Listener) -> None:
    """Raises RuntimeError where it is registered already."""
    if listener in _listeners:
        raise RuntimeError(f"{listener!r} is registered twice")
    _listeners.append(listener)


def announce(*, user_id: UUID, email: str) -> None:
    for listener in _listeners:
        listener(user_id=user_id, email=email)
