"""`make gaps`: runs the tests that carry a promised row (`@pytest.mark.gap("1.3")`, `@pytest.mark.rule("S3")`), one line a row."""

import sys
from collections import Counter
from collections.abc import Iterator

import pytest

_SECTIONS = {1: 8, 2: 12, 3: 4, 4: 3, 5: 4, 6: 3, 7: 4, 8: 4, 9: 8, 10: 4}
GAPS = tuple(f"{section}.{row}" for section, rows in _SECTIONS.items() for row in range(1, rows + 1))
RULES = tuple(f"{letter}{number}" for letter, last in (("S", 26), ("M", 18), ("C", 24)) for number in range(1, last + 1))


def rows_of(item: pytest.Item) -> Iterator[str]:
    """The rows that a test carries. Raises ValueError for one that does not exist."""
    for known, name in ((GAPS, "gap"), (RULES, "rule")):
        for mark in item.iter_markers(name):
            for row in mark.args:
                if row not in known:
                    raise ValueError(f"{item.nodeid} carries {name} {row!r}, which does not exist")
                yield row


class Tally:
    """A pytest plugin: keeps the tests that carry a row, and counts how they end."""

    def __init__(self) -> None:
        self.rows: dict[str, set[str]] = {}
        self.passed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        carrying, other = [], []
        for item in items:
            self.rows[item.nodeid] = set(rows_of(item))
            (carrying if self.rows[item.nodeid] else other).append(item)
        items[:] = carrying
        config.hook.pytest_deselected(items=other)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.update(self.rows[report.nodeid])
        elif report.when == "call" and report.passed:
            self.passed.update(self.rows[report.nodeid])

    def lines(self) -> Iterator[str]:
        for row in (*GAPS, *RULES):
            passed, failed = self.passed[row], self.failed[row]
            yield f"{row}: {passed} passed, {failed} failed" if passed or failed else f"{row}: none"


def main(arguments: list[str]) -> int:
    tally = Tally()
    outcome = pytest.main(["--quiet", "--no-header", *arguments], plugins=[tally])
    sys.stdout.write("\n".join(tally.lines()) + "\n")
    return 1 if tally.failed else int(outcome)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
