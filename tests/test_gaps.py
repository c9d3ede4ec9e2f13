"""`make gaps` itself: what it counts, what it prints, what it refuses."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.gaps import GAPS, RULES, Tally, rows_of


def item(name: str, **rows: str) -> pytest.Item:
    """A test that carries these rows: gap="1.3", rule="S3"."""

    def iter_markers(kind: str) -> list[Any]:
        return [SimpleNamespace(args=(rows[kind],))] if kind in rows else []

    return cast("pytest.Item", SimpleNamespace(nodeid=name, iter_markers=iter_markers))


def report(name: str, outcome: str, when: str = "call") -> pytest.TestReport:
    return pytest.TestReport(name, ("", 0, ""), {}, cast("Any", outcome), None, cast("Any", when))


@pytest.fixture
def tally() -> Tally:
    found = Tally()
    config = SimpleNamespace(hook=SimpleNamespace(pytest_deselected=lambda items: None))
    carrying = [item("a", gap="1.3"), item("b", gap="1.3", rule="M9"), item("c", rule="S1")]
    found.pytest_collection_modifyitems(cast("pytest.Config", config), [*carrying, item("d")])
    return found


class TestLines:
    def test_count_each_row_by_itself(self, tally: Tally) -> None:
        for finished in (report("a", "passed"), report("b", "failed"), report("c", "passed")):
            tally.pytest_runtest_logreport(finished)

        lines = set(tally.lines())
        assert {"1.3: 1 passed, 1 failed", "M9: 0 passed, 1 failed", "S1: 1 passed, 0 failed", "2.1: none"} <= lines
        assert len(lines) == len(GAPS) + len(RULES)

    def test_count_a_test_that_could_not_be_set_up_as_failed(self, tally: Tally) -> None:
        tally.pytest_runtest_logreport(report("c", "passed", "teardown"))
        tally.pytest_runtest_logreport(report("c", "failed", "setup"))

        assert "S1: 0 passed, 1 failed" in set(tally.lines())

    def test_know_every_promised_row(self) -> None:
        assert len(GAPS) == 54
        assert len(RULES) == 26 + 18 + 24


class TestRowsOf:
    def test_refuses_a_row_that_nobody_promised(self) -> None:
        with pytest.raises(ValueError, match=r"carries gap '1.9', which does not exist"):
            list(rows_of(item("a", gap="1.9")))

    def test_runs_only_tests_that_carry_one(self, tally: Tally) -> None:
        config = SimpleNamespace(hook=SimpleNamespace(pytest_deselected=lambda items: None))
        items = [item("a"), item("b", rule="C10")]
        tally.pytest_collection_modifyitems(cast("pytest.Config", config), items)

        assert [one.nodeid for one in items] == ["b"]
