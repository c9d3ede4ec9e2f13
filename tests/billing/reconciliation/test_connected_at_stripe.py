"""Connected accounts through Stripe itself: the real library and a socket; what transfers and payouts left, and what differs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from audit.actor import Actor
from billing.models import BalanceTransaction, Discrepancy, InboundEvent, PayoutRequest, ReconciliationRun
from billing.reconciliation import fixing, refetching, runs
from billing.webhooks import replay
from ledger import balances
from ledger.chart import connected_balance
from tests.billing.bank import Bank, earned, submitted
from tests.factories.billing import finance
from tests.factories.payouts import approved_payout, now
from tests.sizes import SOAK

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2"), pytest.mark.gap("2.1")]
AMOUNTS = {"USD": 50_000, "JPY": 50_000, "KWD": 150_000}
Kind, State = Discrepancy.Kind, Discrepancy.State


def paid_out(bank: Bank, currency: str) -> PayoutRequest:
    """Earned, transferred, and on its way from the connected account to the bank."""
    payout = submitted(approved_payout(earned(bank, AMOUNTS[currency], currency), currency=currency))
    bank.work()
    return now(payout)


def returned(bank: Bank, payout: PayoutRequest) -> None:
    bank.control.fail_payout(payout.stripe_payout_id or "", account=payout.stripe_account_id)
    bank.work()
    assert now(payout).state == PayoutRequest.State.FAILED


def reconcile(bank: Bank) -> ReconciliationRun:
    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        run = runs.start(by=Actor.system("tests"))
        bank.work()
    run = ReconciliationRun.objects.get(pk=run.pk)
    assert run.state == ReconciliationRun.State.DONE
    return run


def residuals(run: ReconciliationRun) -> dict[tuple[str, str], int]:
    """By account and currency; those without a residual left out."""
    return {(part.account, row["currency"]): row["residual"] for part in run.parts.all() for row in part.residuals if row["residual"]}


def movements(bank: Bank, payout: PayoutRequest, **filters: Any) -> list[tuple[str, str, int]]:
    """(type, reporting category, amount) of the account's movements, newest first, as the header Stripe-Account asks for them."""
    found = bank.client().v1.balance_transactions.list(filters or {}, {"stripe_account": payout.stripe_account_id})  # type: ignore[arg-type]
    return [(each.type, each.reporting_category, each.amount) for each in found.data]


@pytest.mark.parametrize("currency", AMOUNTS)
class TestAgreement:
    def test_of_platform_and_account_over_a_whole_life(self, bank: Bank, currency: str) -> None:
        """Transfer, payout, its return after it was paid, and the next one, which needs no transfer."""
        payout, amount = paid_out(bank, currency), AMOUNTS[currency]
        bank.pass_days(3)
        assert now(payout).state == PayoutRequest.State.PAID
        returned(bank, payout)
        again = submitted(approved_payout(payout.organization, currency=currency))
        bank.work()

        sent, back = ("payout", "payout", -amount), ("payout_failure", "payout_reversal", amount)
        assert sorted(movements(bank, payout)) == sorted([sent, back, sent, ("payment", "charge", amount)])
        assert sorted(movements(bank, payout, type="payout")) == [sent, sent]
        assert movements(bank, payout, source=again.stripe_payout_id) == [sent]
        assert movements(bank, payout, currency=currency.lower(), limit=1) == movements(bank, payout)[:1]

        run = reconcile(bank)
        assert not Discrepancy.objects.exists()
        assert residuals(run) == {}
        assert {part.account: part.checked for part in run.parts.all()} == {"": 3, payout.stripe_account_id: 4}
        assert not BalanceTransaction.objects.filter(about="").exists()
        assert balances.balance(connected_balance(payout.organization_id), currency) == 0


# What is made different in the connected account, and the difference (Stripe's less ours) that it makes.


def movement(bank: Bank, payout: PayoutRequest, kind: str = "payout") -> str:
    params: Any = {"type": kind}
    (found,) = bank.client().v1.balance_transactions.list(params, {"stripe_account": payout.stripe_account_id}).data
    return found.id


def return_lost(bank: Bank, payout: PayoutRequest) -> dict[str, int]:
    """The payout came back, and nothing of it reached us."""
    bank.control.delivery("lost")
    bank.control.fail_payout(payout.stripe_payout_id or "", account=payout.stripe_account_id)
    return {payout.currency: payout.amount}


def removed(bank: Bank, payout: PayoutRequest) -> dict[str, int]:
    bank.control.remove_movement(movement(bank, payout), account=payout.stripe_account_id)
    return {payout.currency: payout.amount}


def changed(bank: Bank, payout: PayoutRequest, **fields: Any) -> None:
    bank.control.change_movement(movement(bank, payout), account=payout.stripe_account_id, **fields)


def amount_changed(bank: Bank, payout: PayoutRequest) -> dict[str, int]:
    changed(bank, payout, amount=-payout.amount + 700)
    return {payout.currency: 700}


def fee_changed(bank: Bank, payout: PayoutRequest) -> dict[str, int]:
    changed(bank, payout, fee=40)
    return {payout.currency: -40}


def currency_changed(bank: Bank, payout: PayoutRequest) -> dict[str, int]:
    changed(bank, payout, currency="eur", amount=-4_300)
    return {"EUR": -4_300, payout.currency: payout.amount}


def paid_out_by_hand(bank: Bank, payout: PayoutRequest) -> dict[str, int]:
    """Somebody at Stripe sent on what had come back."""
    returned(bank, payout)
    params: Any = {"amount": 900, "currency": payout.currency.lower()}
    bank.client().v1.payouts.create(params, {"stripe_account": payout.stripe_account_id})
    bank.work()
    return {payout.currency: -900}


@dataclass(frozen=True)
class Case:
    make: Callable[[Bank, PayoutRequest], dict[str, int]]
    kind: Kind
    fix: Callable[..., Any]
    how: dict[str, Any]


WHY = {"reason": "Agreed with the bank's letter"}
TO_THE_PAYEE = {"account": "organizer_payable", **WHY}
CASES = {
    "missing here": Case(return_lost, Kind.MISSING_HERE, fixing.refetch, {}),
    "missing at Stripe": Case(removed, Kind.MISSING_AT_STRIPE, fixing.write_off, WHY),
    "amount": Case(amount_changed, Kind.AMOUNT, fixing.adjust, TO_THE_PAYEE),
    "fee": Case(fee_changed, Kind.FEE, fixing.adjust, TO_THE_PAYEE),
    "currency": Case(currency_changed, Kind.CURRENCY, fixing.write_off, WHY),
    "external": Case(paid_out_by_hand, Kind.EXTERNAL, fixing.adjust, TO_THE_PAYEE),
}


# Every class in every currency where the sizes are large; else each class in one, and each currency in two classes.
TRIED = [(name, currency) for at, name in enumerate(CASES) for turn, currency in enumerate(AMOUNTS) if SOAK or at % len(AMOUNTS) == turn]


@pytest.mark.gap("9.7")
@pytest.mark.parametrize(("name", "currency"), TRIED)
def test_difference_in_an_account_is_found_once_and_fixed(bank: Bank, name: str, currency: str) -> None:
    payout, case = paid_out(bank, currency), CASES[name]
    injected = case.make(bank, payout)

    first = reconcile(bank)
    found = Discrepancy.objects.get()
    assert (found.kind, found.account, found.differences) == (case.kind, payout.stripe_account_id, injected)
    assert residuals(first) == {(payout.stripe_account_id, currency): amount for currency, amount in injected.items()}
    reconcile(bank)
    assert Discrepancy.objects.get().pk == found.pk

    owner = {"owner": str(payout.organization_id)} if "account" in case.how else {}
    case.fix(discrepancy_id=found.pk, by=finance(), **case.how, **owner)
    bank.work()
    assert residuals(reconcile(bank)) == {}
    assert Discrepancy.objects.get().state not in Discrepancy.LIVE
    assert not any(balances.totals().values())


def test_return_that_was_read_again_is_not_booked_twice(bank: Bank) -> None:
    """Its event arrives after all, when Stripe has been asked already."""
    payout = paid_out(bank, "USD")
    return_lost(bank, payout)
    reconcile(bank)
    fixing.refetch(discrepancy_id=Discrepancy.objects.get().pk, by=finance())
    bank.work()
    assert now(payout).state == PayoutRequest.State.FAILED

    replay.sweep_missed()
    bank.work()
    assert InboundEvent.objects.filter(type="payout.failed", endpoint="connect", state="processed").count() == 1
    assert residuals(reconcile(bank)) == {}
    assert not any(balances.totals().values())


def test_transfer_fetched_back_by_hand_is_read_again(bank: Bank) -> None:
    payout = paid_out(bank, "USD")
    returned(bank, payout)
    transfer = payout.transfers.get()
    bank.control.delivery("lost")
    bank.client().v1.transfers.reversals.create(transfer.stripe_transfer_id or "", {"amount": 700})

    reconcile(bank)
    for row in Discrepancy.objects.filter(account=""):
        assert refetching.is_possible(row) is row.about.startswith("transfer:")
    replay.sweep_missed()
    bank.work()
    assert residuals(reconcile(bank)) == {}
    assert not Discrepancy.objects.filter(state__in=Discrepancy.LIVE).exists()


def test_transfer_that_stripe_lost_stays_a_difference_after_it_was_read(bank: Bank) -> None:
    payout = paid_out(bank, "USD")
    transfers: Any = {"type": "transfer"}
    bank.control.remove_movement(bank.client().v1.balance_transactions.list(transfers).data[0].id)
    reconcile(bank)
    found = Discrepancy.objects.get()
    assert (found.about, found.kind) == (f"transfer:{payout.transfers.get().pk}", Kind.MISSING_AT_STRIPE)

    fixing.refetch(discrepancy_id=found.pk, by=finance())
    bank.work()
    assert Discrepancy.objects.get().state == State.OPEN


def test_payout_without_a_name_at_stripe_is_left_as_it_is(bank: Bank) -> None:
    payout = approved_payout(earned(bank))
    refetching._read_payout(f"payout:{payout.pk}:created", "")
    assert now(payout).state == PayoutRequest.State.APPROVED


def test_account_that_has_left_keeps_nobody_else_waiting_for_missed_events(bank: Bank) -> None:
    gone, staying = paid_out(bank, "USD"), paid_out(bank, "JPY")
    bank.client().v1.accounts.delete(gone.stripe_account_id)
    for payout in (gone, staying):
        PayoutRequest.objects.filter(pk=payout.pk).update(paid_at=timezone.now())
    return_lost(bank, staying)
    assert gone.stripe_account_id != staying.stripe_account_id
    replay.sweep_missed()
    bank.work()
    assert now(staying).state == PayoutRequest.State.FAILED


def test_difference_in_an_account_is_timing_while_it_is_young(bank: Bank) -> None:
    payout = paid_out(bank, "USD")
    return_lost(bank, payout)
    run = runs.start(by=Actor.system("tests"))
    bank.work()

    found = Discrepancy.objects.get()
    assert (found.kind, found.account, residuals(run)) == (Kind.TIMING, payout.stripe_account_id, {})
