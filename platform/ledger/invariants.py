"""Named rules that must always hold. Apps register theirs; the console's page and the nightly task run them all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger import balances

type Check = Callable[[], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """check yields one sentence for each violation, nothing where the rule holds. owner: who looks after it; mend: what to do."""

    name: str
    rule: str
    check: Check
    owner: str
    mend: str


_invariants: dict[str, Invariant] = {}


def register(name: str, rule: str, check: Check, *, owner: str, mend: str) -> None:
    """Called from AppConfig.ready. Raises RuntimeError where the name is taken."""
    if name in _invariants:
        raise RuntimeError(f"two invariants called {name!r}")
    _invariants[name] = Invariant(name, rule, check, owner, mend)


def registered() -> list[Invariant]:
    return sorted(_invariants.values(), key=lambda invariant: invariant.name)


def violations() -> dict[str, list[str]]:
    """Sentences by invariant; an invariant that holds has an empty list."""
    return {invariant.name: list(invariant.check()) for invariant in registered()}


def trial_balance_is_zero() -> Iterator[str]:
    for currency, total in balances.totals().items():
        if total:
            yield f"The books are off by {total} minor units of {currency}."
