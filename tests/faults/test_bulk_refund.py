"""A bulk refund as finance lives through it: watched while it runs, its worker killed in the middle, gone on with, counted in the end."""

import csv
import io
import re
from collections import Counter
from decimal import Decimal

import pytest
from django.db.models import Sum
from django.test import Client

from admin_ext.models import BulkItem, BulkRun
from billing import fulfillment
from billing.models import Payment, Refund
from organizations.models import Organization
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.admin_ext import making
from tests.admin_ext.conftest import Nothing, acting, sign_in
from tests.admin_ext.test_bulk import PAYMENTS, now, press, select
from tests.billing.trading import assert_books_are_stripes, assert_books_whole
from tests.draining import drain
from tests.factories.billing import payment_at_stripe, pending_payment, requested_refund
from tests.faults.test_worker import payment_locked, somebody_waits_for_a_lock
from tests.processes import kill_group, until, worker
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("9.8"), pytest.mark.rule("M10")]
ROWS, AMOUNT = SIZES.bulk_refunds, 5_000
SECONDS = 60 + ROWS / 2  # how long workers may take


@pytest.fixture(autouse=True)
def sells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fulfillment._handlers, "test", Nothing())


@pytest.fixture
def sold(sandbox: Sandbox) -> list[Payment]:
    """So many payments; besides, one that was never paid and one whose buyer asked the bank."""
    organization = Organization.objects.create(name="North Clinic", slug="north")
    made = [payment_at_stripe(sandbox, organization=organization, amount=AMOUNT) for _ in range(ROWS)]
    pending_payment(organization=organization, amount=AMOUNT)
    disputed = payment_at_stripe(sandbox, organization=organization, amount=AMOUNT)
    sandbox.control.open_dispute(disputed.stripe_charge_id or "")
    work_off(sandbox)
    Payment.objects.update(purpose="registration")  # what a real worker knows; their places are long gone
    return made


def work_off(sandbox: Sandbox) -> None:
    """Webhooks in, queue empty, until nothing is left; also what Stripe books late."""
    for seconds in (0, 30):
        sandbox.control.advance(seconds)
        while flows.deliver(sandbox) + drain(limit=100 * ROWS):
            pass


def progress(client: Client, run: BulkRun) -> tuple[int, int] | None:
    """(rows done, rows to do) as the page shows them while it waits; None once it is told to load the result."""
    answer = client.get(f"/staff/admin_ext/bulkrun/{run.public_id}/progress/")
    assert answer.status_code == 200
    if answer.headers.get("HX-Refresh") == "true":
        return None
    found = re.search(r"Working: (\d+) of (\d+)", answer.content.decode())
    assert found, answer.content.decode()
    return int(found[1]), int(found[2])


def result(client: Client, run: BulkRun) -> list[dict[str, str]]:
    answer = client.get(f"/staff/admin_ext/bulkrun/{run.public_id}/result.csv")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def on_their_way() -> bool:
    return Refund.objects.filter(state__in=[Refund.State.REQUESTED, Refund.State.SUBMITTING, Refund.State.UNKNOWN]).exists()


def previewed(client: Client, rows: list[Payment]) -> BulkRun:
    run = select(client, PAYMENTS, "payment_refund", rows[:1], select_across="1")
    press(client, run, "describe", how_much="rest", reason="event_cancelled")
    with worker("bulk"):
        until(lambda: now(run).state == BulkRun.State.READY, "the preview is made", seconds=SECONDS)
    return run


def watched(client: Client, run: BulkRun) -> list[tuple[int, int]]:
    """What the page showed until the run was over."""
    shown: list[tuple[int, int]] = []

    def is_over() -> bool:
        found = progress(client, run)
        shown.extend([found] if found else [])
        return found is None

    until(is_over, "the run is over", seconds=SECONDS)
    return shown


class TestBulkRefund:
    def test_is_watched_killed_gone_on_with_and_counted(self, sandbox: Sandbox, sold: list[Payment]) -> None:
        client = sign_in(making.user("finance", groups=("finance",)))
        run = previewed(client, sold)
        by_hand = sold[0]
        flows.submit(requested_refund(by_hand, by=acting(making.user("francis", groups=("finance",)))))
        middle = run.items.filter(state=BulkItem.State.PLANNED).order_by("position")[ROWS // 2]
        press(client, run, "confirm")

        with payment_locked(Payment.objects.get(pk=middle.object_id)), worker("money"), worker("bulk") as child:
            until(lambda: progress(client, run) == (ROWS // 2, ROWS), "the worker has come to the middle row", seconds=SECONDS)
            until(somebody_waits_for_a_lock, "and waits there; the worker for money may have waited for others before", seconds=SECONDS)
            kill_group(child)
        until(lambda: not somebody_waits_for_a_lock(), "PostgreSQL has noticed")
        assert progress(client, run) == (ROWS // 2, ROWS)

        press(client, run, "go_on")
        with worker("money"), worker("bulk"):
            shown = watched(client, run)
            until(lambda: not on_their_way(), "each is at Stripe", seconds=SECONDS)
        assert shown == sorted(shown), "it only ever goes forward"
        self.the_file_says_what_happened(result(client, run), by_hand)

        work_off(sandbox)
        self.every_payment_went_back_once(sandbox)

    @staticmethod
    def the_file_says_what_happened(rows: list[dict[str, str]], by_hand: Payment) -> None:
        assert len(rows) == len({row["id"] for row in rows}) == ROWS + 2
        by_state = Counter(row["state"] for row in rows)
        assert by_state == {"Done": ROWS - 1, "Failed": 1, "Refused": 2}
        moved = sum(Decimal(row["amount"]) for row in rows if row["state"] == "Done")
        asked: int = Refund.objects.exclude(payment=by_hand).aggregate(total=Sum("amount"))["total"]
        assert moved * 100 == asked == (ROWS - 1) * AMOUNT
        reasons = {row["result"] for row in rows if row["state"] != "Done"}
        assert len(reasons) == 3
        assert all(reason.endswith(".") for reason in reasons), "each says why, in a sentence"
        assert [row["id"] for row in rows if row["state"] == "Failed"] == [by_hand.public_id]

    @staticmethod
    def every_payment_went_back_once(sandbox: Sandbox) -> None:
        with sandbox.world.lock:
            theirs = sandbox.world.store.select("refund")
        assert len(theirs) == len({each["charge"] for each in theirs}) == len({each["metadata"]["refund_id"] for each in theirs}) == ROWS
        assert Refund.objects.filter(state="succeeded").values("payment").distinct().count() == Refund.objects.count() == ROWS
        assert_books_whole()
        assert_books_are_stripes()
