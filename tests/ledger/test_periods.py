"""Closed periods: nothing is booked into one, whoever writes; what comes late is booked now and keeps its moment."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger import periods, posting
from ledger.chart import PLATFORM_FEES, REFUNDS_IN_FLIGHT, STRIPE_BALANCE, Account
from ledger.models import ClosedPeriod, LedgerEntry, LedgerTransaction
from ledger.posting import Entry

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]
ENDS_AT = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = ENDS_AT - timedelta(seconds=1)


def fact(reference: str, occurred_at: datetime, *, currency: str = "USD", account: Account = STRIPE_BALANCE) -> LedgerTransaction:
    entries = [Entry(account, 100), Entry(PLATFORM_FEES, -100)]
    return posting.post(reference=reference, description="A fact", currency=currency, entries=entries, occurred_at=occurred_at)


@pytest.fixture(autouse=True)
def closed() -> None:
    with transaction.atomic():
        periods.hold_still()
        periods.close(STRIPE_BALANCE, "USD", ends_at=ENDS_AT)


class TestPost:
    def test_books_a_late_fact_now_and_keeps_its_moment(self) -> None:
        made = fact("late", BEFORE)
        assert made.happened_at == BEFORE
        assert timezone.now() - made.occurred_at < timedelta(minutes=1)

    @pytest.mark.parametrize(
        ("currency", "account", "occurred_at"),
        [
            ("USD", STRIPE_BALANCE, ENDS_AT),
            ("JPY", STRIPE_BALANCE, BEFORE),
            ("USD", REFUNDS_IN_FLIGHT, BEFORE),
            ("USD", Account("connected_balance", "f4a7b2b8-4a4f-4b43-8b8e-000000000000"), BEFORE),
        ],
    )
    def test_leaves_other_months_currencies_and_accounts_alone(self, currency: str, account: Account, occurred_at: datetime) -> None:
        made = fact("other", occurred_at, currency=currency, account=account)
        assert (made.occurred_at, made.happened_at) == (occurred_at, None)


class TestDatabase:
    def write(self, first: str) -> None:
        """Two entries past `posting`, with a moment in the closed period."""
        header = LedgerTransaction(reference="raw", description="Raw", currency="USD", occurred_at=BEFORE)
        pair = ((first, 5), ("platform_fees", -5))
        with transaction.atomic():
            header.save()
            LedgerEntry.objects.bulk_create(
                LedgerEntry(transaction=header, account=name, amount=amount, currency="USD") for name, amount in pair
            )

    def test_refuses_entries_in_a_closed_period_whoever_writes(self) -> None:
        with pytest.raises(IntegrityError, match="closed period"):
            self.write("stripe_balance")
        assert not LedgerTransaction.objects.exists()

    def test_lets_entries_be_that_move_no_closed_account(self) -> None:
        self.write("stripe_fees")
        assert LedgerEntry.objects.count() == 2

    def test_never_opens_a_period_again(self) -> None:
        for change in (ClosedPeriod.objects.all().delete, lambda: ClosedPeriod.objects.update(ends_at=BEFORE)):
            with pytest.raises(Exception, match="Cannot update or delete"), transaction.atomic():
                change()
        assert ClosedPeriod.objects.count() == 1
