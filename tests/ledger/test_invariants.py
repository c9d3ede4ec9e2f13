"""Named rules that must always hold."""

from collections.abc import Iterator

import pgtrigger
import pytest
from django.db import connection

from ledger import invariants
from tests.ledger.test_posting import post


@pytest.fixture
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "_invariants", {})


@pytest.mark.usefixtures("_registry")
class TestRegister:
    def test_refuses_a_name_twice(self) -> None:
        invariants.register("one", "One.", lambda: iter(()), owner="finance", mend="Look at it.")
        with pytest.raises(RuntimeError, match="two invariants called 'one'"):
            invariants.register("one", "Another.", lambda: iter(()), owner="finance", mend="Look at it.")

    def test_lists_them_by_name_with_their_violations(self) -> None:
        def broken() -> Iterator[str]:
            yield "Broken."

        invariants.register("two", "Two.", broken, owner="finance", mend="Look at it.")
        invariants.register("one", "One.", lambda: iter(()), owner="finance", mend="Look at it.")

        assert [invariant.rule for invariant in invariants.registered()] == ["One.", "Two."]
        assert invariants.violations() == {"one": [], "two": ["Broken."]}


@pytest.mark.django_db
class TestTrialBalance:
    def test_holds_after_postings(self) -> None:
        post("payment:1")
        post("payment:2", currency="EUR")
        assert list(invariants.trial_balance_is_zero()) == []

    def test_names_the_currency_that_is_off(self) -> None:
        post("payment:1", currency="EUR")
        with connection.cursor() as cursor:  # damage that only someone with the database's password can do
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            with pgtrigger.ignore():
                cursor.execute("UPDATE ledger_ledgerentry SET amount = amount + 7 WHERE account = 'platform_fees'")
        assert list(invariants.trial_balance_is_zero()) == ["The books are off by 7 minor units of EUR."]
