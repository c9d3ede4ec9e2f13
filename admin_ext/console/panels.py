"""Tables of related objects below the fields of one object."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Panel:
    """rows: cells that are text or safe HTML (console.columns); empty: what belongs here; more_url: the list with all of them."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]] = field(default_factory=list)
    empty: str = "None."
    more_url: str | None = None
