from collections.abc import Iterator

import pytest

from ledger import invariant_runs, invariants
from tests.admin_ext.conftest import People, sign_in

PAGE = "/staff/ledger/ledgertransaction/invariants/"


def _broken() -> Iterator[str]:
    yield "The books are off by 1."


@pytest.fixture(autouse=True)
def _one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "_invariants", {})
    invariants.register("never", "Never holds.", _broken, owner="finance", mend="Look at it.")


class TestInvariantsPage:
    def test_names_the_rules_before_anybody_checked_them(self, people: People) -> None:
        page = sign_in(people.finance).get(PAGE).content.decode()

        assert "Never holds." in page
        assert "Found" not in page

    def test_shows_what_the_last_nightly_run_found(self, people: People) -> None:
        invariant_runs.run()

        page = sign_in(people.finance).get(PAGE).content.decode()

        assert "Found on " in page
        assert "The books are off by 1." in page

    def test_checks_at_once_when_asked(self, people: People) -> None:
        page = sign_in(people.finance).post(PAGE).content.decode()

        assert "Found now" in page
        assert "The books are off by 1." in page

    def test_is_not_there_for_an_organizer(self, people: People) -> None:
        answer = sign_in(people.alice).get(PAGE)

        assert answer.status_code in (302, 403, 404)
        assert "Never holds." not in answer.content.decode()
