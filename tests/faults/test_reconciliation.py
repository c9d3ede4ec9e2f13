"""A reconciliation that is killed with -9 in the middle, at each of its steps: it goes on where it was, and nothing counts twice."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
import time_machine
from django.utils import timezone

from audit.actor import Actor
from billing.models import BalanceTransaction, Discrepancy, ReconciliationRun
from billing.reconciliation import runs
from ledger.models import LedgerTransaction
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.draining import drain
from tests.factories.billing import finance
from tests.faults.test_worker import somebody_waits_for_a_lock
from tests.processes import database_url, kill_group, process, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("2.2")]
UNKNOWN = 130  # movements of which the books know nothing: more than a page of Stripe's list
WORK = "import django; django.setup(); from uuid import UUID; from billing.reconciliation import runs; runs.work(run_id=UUID('{}'))"
# Whoever holds one of these tables keeps the run at that step.
STEPS = {
    "while a page is stored": "billing_balancetransaction",
    "while differences are written": "billing_discrepancy",
    "while suspense is posted": "ledger_ledgertransaction",
    "while it is concluded": "billing_reconciliationperiod",
}


@contextmanager
def held(table: str) -> Iterator[None]:
    with psycopg.connect(database_url()) as other:
        other.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield


@pytest.fixture
def run(sandbox: Sandbox) -> ReconciliationRun:
    """Under way over a payment that agrees, and movements of which every other one is of an unknown type."""
    flows.paid(sandbox)
    at = int((timezone.now() - timedelta(hours=1)).timestamp())
    one = {"type": "balance_transaction", "amount": -100, "currency": "usd"}
    kinds = ("payout", "stripe_fee")
    sandbox.control.load([{**one, "suffix": f"k{n}", "kind": kinds[n % 2], "created": at + n} for n in range(UNKNOWN)])
    return runs.start(by=Actor.system("tests"))


class TestKillMinusNine:
    @pytest.mark.parametrize("table", STEPS.values(), ids=STEPS)
    def test_leaves_a_run_that_goes_on_and_counts_everything_once(self, run: ReconciliationRun, table: str) -> None:
        with (
            held(table),
            process([sys.executable, "-W", "ignore", "-c", WORK.format(run.pk)], {"DJANGO_SETTINGS_MODULE": "config.settings"}) as child,
        ):
            until(somebody_waits_for_a_lock, "the run has come to that step")
            kill_group(child)
        assert ReconciliationRun.objects.get(pk=run.pk).state == "running"

        with time_machine.travel(timezone.now() + timedelta(minutes=20)):
            runs.go_on(run_id=run.pk, by=finance())
            drain()

        part = run.parts.get()
        assert (part.state, part.checked, part.found) == ("done", UNKNOWN + 1, UNKNOWN)
        assert BalanceTransaction.objects.count() == UNKNOWN + 1
        assert Discrepancy.objects.filter(state="open").count() == Discrepancy.objects.count() == UNKNOWN
        assert LedgerTransaction.objects.filter(reference__endswith=":suspense").count() == UNKNOWN // 2
        assert part.residuals[0]["residual"] == -100 * UNKNOWN // 2
