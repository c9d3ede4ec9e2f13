"""The edges of the desk's work: what is refused, what is asked twice, and what Stripe does not know."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from audit.actor import Actor
from billing import refund_sync
from billing.gateway.base import GatewayBusy, GatewayRefused
from billing.models import Discrepancy, ReconciliationPart, ReconciliationRun
from billing.reconciliation import discrepancies, fixing, importing, refetching, runs, stepping
from billing.reconciliation.accounts import StripeAccount
from billing.reconciliation.matching import Pair, Side
from core.errors import InvalidInput, NotFound, PermissionRefused
from core.jobs import RetryLater
from core.models import Job
from sandbox.stripe.server import Sandbox
from tests.billing.reconciliation.conftest import Desk
from tests.billing.reconciliation.test_differences import amount_changed, load_movement, movement_of, paid_unheard
from tests.draining import drain
from tests.factories.billing import SYSTEM, finance, paid_payment, payment_at_stripe, pending_payment, requested_refund

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]
WHY = "Agreed with the bank's letter"
State = Discrepancy.State


@pytest.fixture
def found(desk: Desk, sandbox: Sandbox) -> Discrepancy:
    """A charge whose amount at Stripe is another."""
    amount_changed(sandbox, "USD")
    desk.run()
    return desk.only()


class TestFixing:
    @pytest.mark.parametrize(
        ("account", "owner"),
        [("nonsense", ""), ("organizer_payable", ""), ("write_off", ""), ("stripe_balance", ""), ("platform_fees", "x")],
    )
    def test_refuses_an_account_that_money_cannot_belong_to(self, found: Discrepancy, account: str, owner: str) -> None:
        with pytest.raises(InvalidInput):
            fixing.adjust(discrepancy_id=found.pk, account=account, owner=owner, reason=WHY, by=finance())
        assert Discrepancy.objects.get().state == State.OPEN

    def test_needs_a_person_a_reason_and_a_difference(self, found: Discrepancy) -> None:
        with pytest.raises(PermissionRefused):
            fixing.explain(discrepancy_id=found.pk, reason=WHY, by=Actor.system("tests"))
        with pytest.raises(InvalidInput, match="Write the reason"):
            fixing.explain(discrepancy_id=found.pk, reason=" x ", by=finance())
        with pytest.raises(NotFound):
            fixing.explain(discrepancy_id=uuid4(), reason=WHY, by=finance())

    def test_is_done_once(self, found: Discrepancy) -> None:
        fixing.explain(discrepancy_id=found.pk, reason=WHY, by=finance())
        with pytest.raises(fixing.AlreadySettled, match="explained already"):
            fixing.explain(discrepancy_id=found.pk, reason=WHY, by=finance())
        fixing.write_off(discrepancy_id=found.pk, reason=WHY, by=finance())
        with pytest.raises(fixing.AlreadySettled):
            fixing.refetch(discrepancy_id=found.pk, by=finance())
        refetching.import_from_stripe(discrepancy_id=found.pk)
        refetching.book_bank_movement(discrepancy_id=found.pk)
        assert refetching.check_again(discrepancy_id=found.pk, why="late") is True
        assert Discrepancy.objects.get().state == State.WRITTEN_OFF

    def test_asks_stripe_only_about_what_it_can_read(self, desk: Desk, sandbox: Sandbox) -> None:
        load_movement(sandbox, "adjustment", -70, "USD")
        desk.run()
        with pytest.raises(fixing.NothingToAsk):
            fixing.refetch(discrepancy_id=desk.only().pk, by=finance())

    def test_leaves_open_what_stripe_still_says(self, desk: Desk, found: Discrepancy) -> None:
        desk.fix(fixing.refetch)
        assert Discrepancy.objects.get().state == State.OPEN

    def test_of_what_is_missing_at_stripe_compares_by_our_name(self, desk: Desk, sandbox: Sandbox) -> None:
        sandbox.control.remove_movement(movement_of(payment_at_stripe(sandbox)))
        desk.run()
        desk.fix(fixing.refetch)
        assert desk.only().state == State.OPEN


class TestExplained:
    def test_reopens_when_a_side_changes(self, found: Discrepancy) -> None:
        fixing.explain(discrepancy_id=found.pk, reason=WHY, by=finance())
        row = Discrepancy.objects.get()
        now = timezone.now()
        pair = Pair(row.about, Side(1, 0, "USD", now, now), None, row_id=row.balance_transaction_id)
        assert discrepancies._bring_up_to_date(row, pair, Discrepancy.Kind.AMOUNT) is True
        assert row.state == State.OPEN


class TestContradictions:
    def test_are_refunds_whose_own_state_rules_the_movement_out(self) -> None:
        payment = paid_payment()
        failed, settled = requested_refund(payment, 100), requested_refund(payment, 200)
        refund_sync.fail(refund_id=failed.pk, attempt=1, why="no", at=timezone.now(), by=SYSTEM)
        names = [f"refund:{failed.pk}", f"refund:{settled.pk}", f"refund:{settled.pk}:reversal", "txn_1"]
        assert discrepancies._contradicted([Pair(name, None, None) for name in names]) == {f"refund:{failed.pk}"}

    def test_suspense_takes_no_movement_of_nothing(self, desk: Desk, sandbox: Sandbox) -> None:
        load_movement(sandbox, "adjustment", 0, "USD")
        desk.run()
        assert not Discrepancy.objects.filter(is_suspended=True).exists()

    def test_suspense_is_not_posted_where_nothing_would_be(self, desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(discrepancies.entries, "to_suspense", lambda *_: [])
        load_movement(sandbox, "adjustment", -70, "USD")
        desk.run()
        assert not Discrepancy.objects.get().is_suspended


class TestRefetching:
    def test_reads_nothing_where_stripe_was_never_told(self, sandbox: Sandbox) -> None:
        refetching._read_payment(f"payment:{pending_payment().pk}", "")
        refetching._read_refund(f"refund:{requested_refund(paid_payment(), 100).pk}", "")

    def test_reads_by_the_ids_that_ours_know(self, sandbox: Sandbox) -> None:
        payment = payment_at_stripe(sandbox)
        refetching._read_payment(f"payment:{payment.pk}", "")
        refund = requested_refund(payment, 100)
        drain()
        refetching._read_refund(f"refund:{refund.pk}", "")
        assert payment.refunds.get().state == "succeeded"

    def test_imports_no_refund_of_a_charge_that_is_not_ours(self, sandbox: Sandbox) -> None:
        sandbox.control.load(
            [{"type": "payment", "suffix": "foreign", "amount": 5000, "currency": "usd", "created": int(timezone.now().timestamp()) - 60}]
        )
        made = sandbox.control.refund_from_dashboard("ch_foreign", amount=500)
        refetching._import_refund(made["id"])

    def test_waits_for_stripe_and_takes_its_no(self) -> None:
        def busy() -> None:
            raise GatewayBusy("Slow down.")

        def refused() -> None:
            raise GatewayRefused("No such refund.")

        with pytest.raises(RetryLater):
            refetching._asked(busy)
        refetching._asked(refused)


class TestRuns:
    def test_are_one_at_a_time_and_gone_on_with(self, sandbox: Sandbox) -> None:
        run = runs.start(by=finance())
        with pytest.raises(runs.AlreadyUnderWay):
            runs.start(by=finance())
        with pytest.raises(NotFound):
            runs.go_on(run_id=uuid4(), by=finance())
        drain()
        assert runs.go_on(run_id=run.pk, by=finance()).state == ReconciliationRun.State.DONE
        assert runs.begin(run_id=uuid4()) is False

    def test_failed_ones_wait_for_the_one_under_way(self, sandbox: Sandbox) -> None:
        failed = runs.start(by=finance())
        part = failed.parts.get()
        drain_to_failure(failed, part)
        runs.start(by=finance())
        with pytest.raises(runs.AlreadyUnderWay):
            runs.go_on(run_id=failed.pk, by=finance())

    def test_are_started_by_the_night_and_taken_up_when_they_stand_still(self, sandbox: Sandbox) -> None:
        runs.nightly()
        run = ReconciliationRun.objects.get()
        queued = Job.objects.count()
        runs.nightly()
        assert Job.objects.count() == queued
        ReconciliationPart.objects.update(moved_at=timezone.now() - timedelta(hours=1))
        runs.nightly()
        assert (Job.objects.count(), ReconciliationRun.objects.get().pk) == (queued + 1, run.pk)

    def test_give_other_work_its_turn(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runs, "SECONDS", -1.0)
        run = runs.start(by=finance())
        runs.work(run_id=run.pk)
        assert Job.objects.filter(name__endswith="runs.work").count() == 2

    def test_close_what_agrees_again_in_portions(self, desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stepping, "CLOSED_AT_ONCE", 1)
        monkeypatch.setattr(stepping, "BATCH", 1)
        lost = [paid_unheard(sandbox, "USD") for _ in range(2)]
        desk.run()
        assert len(desk.live()) == 2
        for payment in lost:
            refetching._read_payment(f"payment:{payment.pk}", f"ch_u{payment.pk.hex}")
        desk.run()
        assert desk.live() == []


def drain_to_failure(run: ReconciliationRun, part: ReconciliationPart) -> None:
    """The run fails, as where Stripe refuses its account."""
    assert runs.begin(run_id=run.pk)
    stepping.fail_part(part=part, error="This account is gone.")
    stepping.fail_part(part=part, error="once more changes nothing")
    runs.finish(run_id=run.pk)
    assert ReconciliationRun.objects.get(pk=run.pk).state == "failed"


class TestImporting:
    def test_of_an_empty_page_writes_nothing(self, sandbox: Sandbox) -> None:
        importing.store(StripeAccount("", None), [])


def test_ids_are_read_from_names() -> None:
    key = UUID("01a20726-d476-7057-a519-d392dd1d103d")
    assert discrepancies._keys([f"payment:{key}", "txn_1"], "payment") == [key]
