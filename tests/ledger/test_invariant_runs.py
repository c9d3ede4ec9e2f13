from collections.abc import Iterator

import pytest
import structlog
from django.db import ProgrammingError, transaction

from ledger import invariant_runs, invariants
from ledger.models import InvariantRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> dict[str, invariants.Invariant]:
    """The registered rules, replaced by an empty table for this test."""
    table: dict[str, invariants.Invariant] = {}
    monkeypatch.setattr(invariants, "_invariants", table)
    return table


def _broken() -> Iterator[str]:
    yield "The books are off by 1."


def _holds() -> Iterator[str]:
    yield from ()


class TestRun:
    def test_keeps_what_every_rule_found(self, rules: dict[str, invariants.Invariant]) -> None:
        invariants.register("broken", "Never holds.", _broken, owner="finance", mend="Look at it.")
        invariants.register("holds", "Always holds.", _holds, owner="finance", mend="Look at it.")

        with structlog.testing.capture_logs() as logs:
            invariant_runs.run()

        kept = InvariantRun.objects.get()
        assert (kept.rules, kept.violations) == (2, {"broken": ["The books are off by 1."]})
        assert str(kept).endswith(": 1 of 2 rules broken")
        assert kept.public_id.startswith("inv_")
        assert str(kept).endswith(": 1 of 2 rules broken")
        assert kept.public_id.startswith("inv_")
        assert [(line["log_level"], line["invariant"]) for line in logs] == [("error", "broken")]

    def test_says_nothing_where_all_rules_hold(self, rules: dict[str, invariants.Invariant]) -> None:
        invariants.register("holds", "Always holds.", _holds, owner="finance", mend="Look at it.")

        with structlog.testing.capture_logs() as logs:
            invariant_runs.run()

        assert InvariantRun.objects.get().violations == {}
        assert logs == []

    def test_leaves_a_record_that_nobody_can_change(self, rules: dict[str, invariants.Invariant]) -> None:
        invariant_runs.run()

        with pytest.raises(ProgrammingError, match="Cannot update or delete"), transaction.atomic():
            InvariantRun.objects.update(rules=0)
