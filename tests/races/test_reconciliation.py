"""Runs and closings at once: one run wins, its steps count once, and no posting slips into a month while it is being closed."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connections, transaction
from django.utils import timezone

from audit.actor import Actor
from billing.models import BalanceTransaction, Discrepancy, ReconciliationPart, ReconciliationPeriod, ReconciliationRun
from billing.reconciliation import months, periods, runs
from billing.reconciliation.accounts import PLATFORM
from core.models import Job
from ledger import posting
from ledger.chart import PLATFORM_FEES, STRIPE_BALANCE
from ledger.models import ClosedPeriod
from ledger.posting import Entry
from sandbox.stripe.server import Sandbox
from tests.draining import drain
from tests.factories.billing import finance
from tests.processes import database_url, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("2.2"), pytest.mark.gap("5.3")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]


def payouts(sandbox: Sandbox, count: int, *, created: datetime | None = None) -> None:
    """Movements of which the books know nothing."""
    at = int((created or timezone.now() - timedelta(hours=1)).timestamp())
    one = {"type": "balance_transaction", "kind": "payout", "amount": -100, "currency": "usd"}
    sandbox.control.load([{**one, "suffix": f"p{number}", "created": at + number} for number in range(count)])


class TestRuns:
    def test_started_at_once_are_one(self, sandbox: Sandbox, race: Race) -> None:
        people = [finance() for _ in range(6)]
        results = race(6, lambda number: runs.start(by=people[number]))

        assert sum(isinstance(each, ReconciliationRun) for each in results) == 1
        assert {type(each) for each in results if not isinstance(each, ReconciliationRun)} == {runs.AlreadyUnderWay}
        assert ReconciliationRun.objects.count() == ReconciliationPart.objects.count() == 1
        assert Job.objects.filter(name="billing.reconciliation.runs.work").count() == 1

    def test_worked_on_by_several_workers_take_each_step_once(self, sandbox: Sandbox, race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("billing.reconciliation.stepping.BATCH", 40)
        payouts(sandbox, 230)
        run = runs.start(by=Actor.system("tests"))

        race(4, lambda _number: runs.work(run_id=run.pk))

        part = run.parts.get()
        assert (part.state, part.imported, part.checked, part.found) == ("done", 230, 230, 230)
        assert BalanceTransaction.objects.count() == Discrepancy.objects.count() == 230
        assert part.residuals[0]["residual"] == -23_000


class TestClosing:
    @pytest.fixture
    def period(self, sandbox: Sandbox) -> ReconciliationPeriod:
        payouts(sandbox, 1)
        runs.start(by=Actor.system("tests"))
        drain()
        months.open_new(PLATFORM, until=timezone.now())
        last = timezone.now().astimezone(UTC).date().replace(day=1) - timedelta(days=1)
        return ReconciliationPeriod.objects.create(currency="USD", starts_on=last.replace(day=1), ends_on=last + timedelta(days=1))

    def post(self, period: ReconciliationPeriod) -> None:
        entries = [Entry(STRIPE_BALANCE, 5), Entry(PLATFORM_FEES, -5)]
        at = months.start_of(period.starts_on)
        posting.post(reference="late", description="Late", currency="USD", occurred_at=at, entries=entries)

    def test_is_refused_where_the_books_have_changed_since_the_run(self, period: ReconciliationPeriod) -> None:
        self.post(period)
        with pytest.raises(periods.PeriodNotClosable, match="books of this period have changed"):
            periods.close(period_id=period.pk, by=finance())
        assert not ClosedPeriod.objects.exists()

    def test_waits_for_a_posting_under_way_and_sees_it(self, period: ReconciliationPeriod) -> None:
        by, refusals = finance(), []

        def close() -> None:
            try:
                periods.close(period_id=period.pk, by=by)
            except periods.PeriodNotClosable as refusal:
                refusals.append(str(refusal))
            finally:
                connections.close_all()

        closer = threading.Thread(target=close)
        with transaction.atomic():
            self.post(period)
            closer.start()
            until(somebody_waits, "the closing waits for the posting")
        closer.join()

        assert refusals == ["Run a reconciliation again: the books of this period have changed since the last one."]
        assert not ClosedPeriod.objects.exists()


def somebody_waits() -> bool:
    """Asked over a session of its own: the test's is in a transaction."""
    with psycopg.connect(database_url()) as other:
        row = other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareLock'").fetchone()
    return bool(row and row[0])
