"""Organizations that sell in several currencies, are disputed and paid out: our side, Stripe's and the bank's, on one clock."""

from datetime import datetime, timedelta
from typing import Any

import time_machine
from django.db import connection
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django_q.models import OrmQ

from billing import checkout, dispute_sweeps, payout_invariants, payout_sweeps, stripe_balances, sweeps
from billing import invariants as rules
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, Dispute, FeeSchedule, Payment, PayoutRequest, Refund
from billing.webhooks import replay
from core.jobs import RetryLater
from ledger import balances
from ledger.chart import STRIPE_BALANCE, connected_balance, organizer_payable
from organizations.models import Organization
from sandbox.stripe import deliveries
from tests.billing.bank import AT_ONCE, Bank
from tests.factories.billing import payment_at_stripe, pending_payment, priced
from tests.factories.organizations import OrganizationFactory

# A price's unit, minor units: a payout's minimum is a fifth of ten of them, and each is a multiple of the currency's step.
UNITS = {"USD": 500, "JPY": 500, "KWD": 5000}
# What the clock does in production, every few minutes.
SWEEPS = (
    replay.sweep_missed,
    replay.sweep_stuck,
    sweeps.refunds_in_flight,
    sweeps.missing_fees,
    sweeps.open_checkouts,
    dispute_sweeps.disputes_under_way,
    payout_sweeps.payouts_under_way,
    payout_sweeps.stale_accounts,
    stripe_balances.read_all,
)
IN_THE_BOOKS = (
    rules.refunded_within_captured,
    rules.refunds_in_flight_match,
    rules.disputes_held_match,
    payout_invariants.earned_matches,
    payout_invariants.payouts_in_transit_match,
    payout_invariants.transferred_matches,
    payout_invariants.payouts_within_available,
)


class Clock:
    """One for us and the stand-in, which runs in this process; it only goes forward. at: when it begins, now unless given."""

    def __init__(self, at: datetime | None = None) -> None:
        self._journey = time_machine.travel(at or timezone.now(), tick=True)
        self._traveller = self._journey.start()

    def forward(self, by: timedelta) -> None:
        if by > timedelta():
            self._traveller.shift(by)

    def stop(self) -> None:
        self._journey.stop()


class Market:
    """`bank` is Stripe. Everything is paid for on Stripe's page, and webhooks bring it here; nothing has arrived when a method returns."""

    def __init__(self, bank: Bank, clock: Clock) -> None:
        self.bank, self.clock, self.control = bank, clock, bank.control

    def open(self, *policies: dict[str, str]) -> list[Organization]:
        """An organization for each pair of policies, paid out in every currency, with something sold in two of them."""
        self.control.settings(balance_transaction_delay=60.0)  # by the clock above alone, and not while a test happens to be slow
        for currency, unit in UNITS.items():
            FeeSchedule.objects.create(currency=currency, service_basis_points=1000, service_fixed=unit // 5)
        made = []
        for policy in policies:
            organization = OrganizationFactory.create(refund_approval_limits=dict.fromkeys(UNITS, 10**9), **policy)
            self.bank.account(organization, *UNITS)
            for currency in ("USD", "KWD" if made else "JPY"):
                quote = priced(organization, 60 * UNITS[currency], currency)
                payment_at_stripe(self.bank.sandbox, card=AT_ONCE, organization=organization, quote=quote)
            made.append(organization)
        self.bank.work()
        return made

    def sell(self, organization: Organization, currency: str, units: int, *, card: str, released_in: timedelta | None) -> None:
        quote = priced(organization, units * UNITS[currency], currency)
        release_at = None if released_in is None else timezone.now() + released_in
        payment = pending_payment(organization=organization, quote=quote, release_at=release_at)
        checkout.open(payment_id=payment.pk)
        self.control.pay(payment.checkout_sessions.get().stripe_session_id or "", card=card)

    def at_stripe(self, kind: str, *statuses: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.bank.sandbox.world.store.select(kind, newest_first=False)
        return [row for row in found if row["status"] in statuses]

    # time

    def pass_time(self, by: timedelta) -> None:
        """The clock's own tasks run before and after: in production they run all the while."""
        self.sweep()
        self.clock.forward(by)
        self.sweep()

    def sweep(self) -> None:
        for task in SWEEPS:
            try:
                task()
            except RetryLater:
                continue  # the clock comes round again
        self.bank.work()

    def run_dry(self) -> None:
        """Everything that is on its way has arrived, whatever went wrong on the line: the clock goes on until nothing waits."""
        self.control.delivery()
        self.control.clear_faults()
        self.control.release()
        self._until_nothing_waits()
        self.pass_time(timedelta(hours=7))  # by then every sweep asks Stripe again
        self._until_nothing_waits()

    def _until_nothing_waits(self) -> None:
        for _ in range(100):
            self.bank.work()
            waits = [found for found in (self._next_message(), self._next_delivery()) if found is not None]
            if not waits:
                return
            self.clock.forward(min(waits) - timezone.now() + timedelta(seconds=1))
        raise AssertionError("something never gets done")

    @staticmethod
    def _next_message() -> datetime | None:
        found: datetime | None = OrmQ.objects.order_by("lock").values_list("lock", flat=True).first()
        return found

    def _next_delivery(self) -> datetime | None:
        world = self.bank.sandbox.world
        with world.lock:
            at = deliveries.next_try_at(world)
        return None if at is None else datetime.fromtimestamp(at, timezone.get_current_timezone())


def available(payout: PayoutRequest) -> int:
    """What the payout may take at this moment, minor units, counted row by row: the books' and Stripe's, whichever is less."""
    organization, currency, now = payout.organization, payout.currency, timezone.now()
    free = -balances.balance(organizer_payable(organization.pk), currency)
    for payment in Payment.objects.filter(organization=organization, currency=currency):
        disputed = sum(row.amount for row in payment.disputes.all() if row.status in Dispute.OPEN)
        is_reserved = payment.release_at is not None and payment.release_at > now and payment.paid_at is not None
        free -= max(payment.earned if is_reserved else 0, disputed)
    others = PayoutRequest.objects.filter(state="approved", currency=currency).exclude(organization=organization)
    platform, connected = (gateway().holdings(account=account).get(currency) for account in (None, payout.account.stripe_account_id))
    at_stripe = max(0, (platform.available if platform else 0) - sum(row.amount for row in others))
    return min(free, at_stripe + max(0, connected.available if connected else 0))


def assert_books_whole() -> None:
    """What must hold at every moment, whatever is on its way."""
    connection.check_constraints()  # the ledger's deferred trigger speaks now, and not at a commit that a test never makes
    assert not any(balances.totals().values())
    for rule in IN_THE_BOOKS:
        assert list(rule()) == [], rule.__name__
    ours = Sum("refunds__amount", filter=~Q(refunds__source=Refund.Source.EXTERNAL) & ~Q(refunds__state__in=Refund.ENDED_WITHOUT_MONEY))
    for payment in Payment.objects.annotate(ours=Coalesce(ours, 0)):
        assert 0 <= payment.amount_refunded <= payment.amount_captured
        assert payment.ours <= payment.amount_captured


def assert_books_are_stripes() -> None:
    """Nothing is on its way any more: every balance at Stripe is the ledger's, the platform's and each account's, to the last unit."""
    held = {currency: amount for currency, amount in gateway().balance().items() if amount}
    assert _nonzero(balances.balances(STRIPE_BALANCE)) == held
    for account in ConnectedAccount.objects.exclude(stripe_account_id=None):
        found = gateway().holdings(account=account.stripe_account_id)
        there = {currency: each.available + each.pending for currency, each in found.items()}
        assert _nonzero(balances.balances(connected_balance(account.organization_id))) == _nonzero(there)


def _nonzero(amounts: dict[str, int]) -> dict[str, int]:
    return {currency: amount for currency, amount in amounts.items() if amount}
