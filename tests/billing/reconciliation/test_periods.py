"""Closing a month: refused while anything in it is open, and final."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from audit.models import AuditEntry
from billing.models import Payment, ReconciliationPeriod
from billing.reconciliation import fixing, months, periods
from billing.reconciliation.accounts import PLATFORM
from core.errors import NotFound, PermissionRefused
from ledger import posting
from ledger.chart import PLATFORM_FEES, STRIPE_BALANCE
from ledger.models import ClosedPeriod
from ledger.posting import Entry
from sandbox.stripe.server import Sandbox
from tests.billing.reconciliation.conftest import Desk
from tests.factories.billing import finance, payment_at_stripe, requested_refund
from tests.factories.people import staff

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]


@pytest.fixture
def last_month(sandbox: Sandbox) -> datetime:
    """The 15th of the month before, with a payment on it that both sides know."""
    first = timezone.now().astimezone(UTC).replace(day=1, hour=12, minute=0, second=0, microsecond=0)
    middle = (first - timedelta(days=1)).replace(day=15)
    with time_machine.travel(middle):
        payment_at_stripe(sandbox)
    return middle


def of(moment: datetime) -> ReconciliationPeriod:
    return ReconciliationPeriod.objects.get(starts_on=moment.date().replace(day=1))


def load(desk: Desk, moment: datetime, kind: str = "payout") -> None:
    record = {"type": "balance_transaction", "suffix": kind, "kind": kind, "amount": -100, "currency": "usd"}
    desk.control.load([{**record, "created": int(moment.timestamp())}])


def refused(period: ReconciliationPeriod, **how: Any) -> str:
    with pytest.raises(periods.PeriodNotClosable) as refusal:
        periods.close(period_id=period.pk, by=finance(), **how)
    assert ReconciliationPeriod.objects.get(pk=period.pk).state == "open"
    assert not ClosedPeriod.objects.exists()
    return str(refusal.value)


class TestClose:
    def test_freezes_what_both_sides_held(self, desk: Desk, last_month: datetime) -> None:
        desk.run()
        closed = periods.close(period_id=of(last_month).pk, note="Signed by the auditor", by=(by := finance()))

        assert (closed.state, closed.stripe_closing, closed.books_closing, closed.in_transit) == ("closed", 4825, 4825, 0)
        assert (closed.closed_by_id, closed.note) == (by.user_id, "Signed by the auditor")
        entry = AuditEntry.objects.get(action="period.closed")
        assert (entry.user_id, entry.after["in_transit"], entry.reason) == (by.user_id, 0, "Signed by the auditor")
        with pytest.raises(periods.PeriodNotClosable, match="closed already"):
            periods.close(period_id=closed.pk, by=by)

    def test_is_refused_while_a_difference_is_open(self, desk: Desk, last_month: datetime) -> None:
        load(desk, last_month)
        desk.run()
        assert refused(of(last_month)) == "Settle the open differences first: 1 from before its end."

        desk.fix(fixing.import_external)
        assert "A residual of -1.00 USD" in refused(of(last_month))

        desk.run()
        periods.close(period_id=of(last_month).pk, by=finance())

    def test_is_refused_while_money_lies_in_suspense(self, desk: Desk, last_month: datetime) -> None:
        load(desk, last_month, "stripe_fee")
        assert desk.residuals(desk.run()) == {}
        assert "Settle the open differences first" in refused(of(last_month))

    def test_takes_an_explanation(self, desk: Desk, last_month: datetime) -> None:
        load(desk, last_month)
        desk.run()
        desk.fix(fixing.explain, reason="The first payout, from before our books began")
        assert desk.residuals(desk.run()) == {}

        closed = periods.close(period_id=of(last_month).pk, by=finance())

        assert (closed.stripe_closing, closed.books_closing, closed.in_transit) == (4725, 4825, -100)
        assert desk.residuals(desk.run()) == {}  # also once it lies before what is compared
        assert desk.only().state == "explained"

    def test_does_not_mind_a_difference_of_this_month(self, desk: Desk, last_month: datetime) -> None:
        load(desk, timezone.now() - timedelta(seconds=30))
        run = desk.run()
        assert desk.residuals(run) == {"USD": -100}
        assert periods.close(period_id=of(last_month).pk, by=finance()).in_transit == 0

    def test_is_refused_before_its_end_and_before_an_earlier_one(self, desk: Desk, last_month: datetime) -> None:
        desk.run()
        assert "close it after that day has come" in refused(of(timezone.now()))
        with time_machine.travel(timezone.now() + timedelta(days=40)):
            desk.run()
            assert "Close the earlier period first" in refused(of(timezone.now() - timedelta(days=40)))

    def test_needs_a_run_that_saw_the_whole_of_it(self, desk: Desk, last_month: datetime) -> None:
        with time_machine.travel(last_month + timedelta(days=1)):
            desk.run()
        assert "Run a reconciliation first" in refused(of(last_month))

    def test_is_for_finance_alone(self, desk: Desk, last_month: datetime) -> None:
        desk.run()
        for group in ("support", "auditor"):
            with pytest.raises(PermissionRefused):
                periods.close(period_id=of(last_month).pk, by=staff(group))
        with pytest.raises(NotFound):
            periods.close(period_id=Payment().pk, by=finance())
        assert not ClosedPeriod.objects.exists()


class TestAfterwards:
    def test_a_fact_that_stripe_dates_into_the_closed_month_is_booked_at_its_own_date(self, desk: Desk, last_month: datetime) -> None:
        desk.run()
        periods.close(period_id=of(last_month).pk, by=finance())
        payment = Payment.objects.get()

        made = posting.post(
            reference="dispute:late", description="Late word", currency="USD", occurred_at=last_month,
            entries=[Entry(STRIPE_BALANCE, -5), Entry(PLATFORM_FEES, 5)],
        )  # fmt: skip

        assert made.happened_at == last_month
        assert periods._books_until(PLATFORM, "USD", months.start_of(of(last_month).ends_on)) == 4825
        assert requested_refund(payment, 100).amount == 100

    def test_months_follow_one_another(self, desk: Desk, last_month: datetime) -> None:
        desk.run()
        with time_machine.travel(timezone.now() + timedelta(days=70)):
            desk.run()
        rows = list(ReconciliationPeriod.objects.order_by("starts_on").values_list("starts_on", "ends_on"))
        assert len(rows) >= 4
        assert all(before[1] == after[0] for before, after in itertools.pairwise(rows))
