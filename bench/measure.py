"""Figures of one row: limit and product by turns, the median of what came out."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from bench.bed import Bed

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Round:
    """So many units in so many seconds, with the CPU time of web, worker and PostgreSQL."""

    units: int
    seconds: float
    cpu: float

    @property
    def per_second(self) -> float:
        return self.units / self.seconds

    @property
    def cpu_ms(self) -> float:
        return self.cpu * 1000 / self.units


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table; all in words, since rows are counted in different units."""

    work: str
    limit: str
    product: str
    ratio: str
    cpu: str
    queries: str
    reach: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Clock:
    seconds = 0.0
    cpu = 0.0


@contextmanager
def clock(bed: Bed, *processes: int) -> Iterator[Clock]:
    """Wall and CPU time (PostgreSQL and the processes given) of the block, known on leaving."""
    found = Clock()
    cpu, started = bed.cpu(*processes), time.perf_counter()
    yield found
    found.seconds, found.cpu = time.perf_counter() - started, bed.cpu(*processes) - cpu


def by_turns(limit: Callable[[int], Round], product: Callable[[int], Round], rounds: int = ROUNDS) -> tuple[list[Round], list[Round]]:
    """Each is called with the number of the round, one after the other, so that both see the same machine."""
    pairs = [(limit(number), product(number)) for number in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def median(values: list[float]) -> float:
    return statistics.median(values)


def per_second(rounds: list[Round]) -> str:
    return f"{median([one.per_second for one in rounds]):,.0f}/s"


def ratio(limit: list[Round], product: list[Round]) -> str:
    return f"{median([b.per_second / a.per_second for a, b in zip(limit, product, strict=True)]):.0%}"


def cpu_ms(rounds: list[Round]) -> str:
    return f"{median([one.cpu_ms for one in rounds]):.2f}"


def rate_result(work: str, *, limit: list[Round], product: list[Round], queries: int | str, reach: str) -> Result:
    """The usual row: units a second on both sides."""
    return Result(
        work,
        per_second(limit),
        per_second(product),
        ratio(limit, product),
        f"{cpu_ms(product)} (limit {cpu_ms(limit)})",
        str(queries),
        reach,
    )


def queries_of(step: Callable[[], object]) -> int:
    """Statements that one step sends in this process; BEGIN and COMMIT are not counted, savepoints are."""
    from django.db import connection  # noqa: PLC0415  settings exist only once the bed is made

    count = 0

    def counting(execute: Any, sql: Any, parameters: Any, many: Any, context: Any) -> Any:
        nonlocal count
        count += 1
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(counting):
        step()
    return count
