"""A worker that dies in the middle of a bulk refund: another goes on, and every row is done exactly once."""

import csv
import io

import pytest
from django.db import connection

from admin_ext import bulk_kinds
from admin_ext.console import bulk_results, bulk_runs
from admin_ext.models import BulkItem, BulkRun
from audit.actor import StaffGroup
from billing.models import Payment, Refund
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.faults.books import assert_whole, refund_posts
from tests.faults.test_worker import payment_locked, somebody_waits_for_a_lock
from tests.processes import kill_group, until, worker
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("9.8"), pytest.mark.rule("M10")]
ROWS = SIZES.bulk_fault_rows
State = BulkItem.State


def done(run: BulkRun) -> int:
    return run.items.filter(state=State.DONE).count()


def is_over(run: BulkRun) -> bool:
    return BulkRun.objects.filter(pk=run.pk, state=BulkRun.State.DONE).exists()


def result(run: BulkRun) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(bulk_results.lines(run)).removeprefix("\ufeff"))))


class TestKillMinusNine:
    def test_in_the_middle_of_a_bulk_refund_leaves_every_row_done_once(self, sandbox: Sandbox) -> None:
        event, by = flows.open_event(capacity=ROWS), flows.staff(StaffGroup.FINANCE)
        payments = [flows.bought(sandbox, event) for _ in range(ROWS)]
        flows.settle(sandbox)
        rows = Payment.objects.visible_to(by).order_by("pk")
        run = bulk_runs.freeze(kind=bulk_kinds.REFUND_PAYMENTS.name, rows=rows, as_staff=True, by=by)
        bulk_runs.describe(run_id=run.pk, values={"how_much": "rest", "reason": "event_cancelled"}, by=by)
        bulk_runs.plan(run_id=run.pk)
        bulk_runs.confirm(run_id=run.pk, by=by)
        middle = payments[ROWS // 2]

        with payment_locked(middle), worker("bulk") as child:
            until(somebody_waits_for_a_lock, "the worker has come to the middle row")
            kill_group(child)
        until(lambda: not somebody_waits_for_a_lock(), "PostgreSQL has noticed")
        assert done(run) == Refund.objects.count() == ROWS // 2, "what was done stays done, the row in hand is not"
        assert {row["state"] for row in result(run)} == {"Done", "Planned"}

        bulk_runs.go_on(run_id=run.pk, by=by)
        with worker("bulk"):
            until(lambda: is_over(run), "another worker does the rest", seconds=60 + ROWS / 5)

        assert [row["state"] for row in result(run)] == ["Done"] * ROWS
        assert len({row["id"] for row in result(run)}) == ROWS
        flows.settle(sandbox)
        assert len(refund_posts(sandbox)) == len({post["idempotency_key"] for post in refund_posts(sandbox)}) == ROWS
        middle = Payment.objects.get(pk=middle.pk)
        assert_whole(middle, refunds=[middle.amount])
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), count(DISTINCT payment_id) FROM billing_refund WHERE state = 'succeeded'")
            assert cursor.fetchone() == (ROWS, ROWS)
