"""Every class of difference, made at the stand-in or in the books: found once, nothing else with it, and gone once it is fixed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing import payments
from billing.gateway.selection import gateway
from billing.models import BalanceTransaction, Discrepancy, Payment
from billing.reconciliation import fixing
from ledger import balances
from ledger.chart import PLATFORM_BANK, RECONCILIATION_SUSPENSE, STRIPE_FEES
from sandbox.stripe.server import Sandbox
from tests.billing.reconciliation.conftest import Desk
from tests.factories.billing import SYSTEM, again, payment_at_stripe, pending_payment

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]
Kind, State = Discrepancy.Kind, Discrepancy.State
FEES = {"USD": 175, "JPY": 175, "KWD": 0}


def movement_of(payment: Payment) -> str:
    return again(payment).stripe_balance_transaction_id or ""


def paid_unheard(sandbox: Sandbox, currency: str, *, state: str = "pending") -> Payment:
    """Paid at Stripe while nothing of it reached us; state: what became of it here."""
    payment = pending_payment(currency=currency)
    record = {
        "type": "payment",
        "suffix": f"u{payment.pk.hex}",
        "amount": payment.amount,
        "currency": currency.lower(),
        "created": int(timezone.now().timestamp()) - 60,
        "metadata": {"payment_id": str(payment.pk)},
    }
    sandbox.control.load([record])
    if state == "expired":
        payments.expire(payment=payment, at=timezone.now(), by=SYSTEM)
    return payment


def load_movement(sandbox: Sandbox, kind: str, amount: int, currency: str, **more: Any) -> str:
    suffix = f"m{kind}{abs(amount)}{currency.lower()}"
    created = int(timezone.now().timestamp()) - 60
    record = {"type": "balance_transaction", "suffix": suffix, "kind": kind, "amount": amount, "currency": currency.lower()}
    sandbox.control.load([{**record, "created": created, **more}])
    return f"txn_{suffix}"


# What is made different, and the net difference (Stripe's less ours) that it makes.


def payment_lost(sandbox: Sandbox, currency: str) -> dict[str, int]:
    payment = paid_unheard(sandbox, currency)
    return {currency: net_at_stripe(sandbox, payment)}


def payment_expired(sandbox: Sandbox, currency: str) -> dict[str, int]:
    payment = paid_unheard(sandbox, currency, state="expired")
    return {currency: net_at_stripe(sandbox, payment)}


def net_at_stripe(sandbox: Sandbox, payment: Payment) -> int:
    page = gateway().balance_transactions(account="", since=None, after="")
    return next(found.amount - found.fee for found in page.movements if found.claim == f"payment:{payment.pk}")


def movement_removed(sandbox: Sandbox, currency: str) -> dict[str, int]:
    payment = payment_at_stripe(sandbox, currency=currency)
    sandbox.control.remove_movement(movement_of(payment))
    return {currency: -(payment.amount - (again(payment).stripe_fee or 0))}


def amount_changed(sandbox: Sandbox, currency: str) -> dict[str, int]:
    sandbox.control.change_movement(movement_of(payment_at_stripe(sandbox, currency=currency)), amount=4900)
    return {currency: -100}


def fee_changed(sandbox: Sandbox, currency: str) -> dict[str, int]:
    payment = payment_at_stripe(sandbox, currency=currency)
    sandbox.control.change_movement(movement_of(payment), fee=(again(payment).stripe_fee or 0) + 40)
    return {currency: -40}


def currency_changed(sandbox: Sandbox, currency: str) -> dict[str, int]:
    payment = payment_at_stripe(sandbox, currency=currency)
    sandbox.control.change_movement(movement_of(payment), currency="eur", amount=4300, fee=150)
    return {"EUR": 4150, currency: -(payment.amount - (again(payment).stripe_fee or 0))}


def refunded_at_stripe(sandbox: Sandbox, currency: str) -> dict[str, int]:
    payment = payment_at_stripe(sandbox, currency=currency)
    sandbox.control.refund_from_dashboard(payment.stripe_charge_id or "", amount=2000)
    return {currency: -2000}


def paid_out_at_stripe(sandbox: Sandbox, currency: str) -> dict[str, int]:
    load_movement(sandbox, "payout", -3000, currency)
    return {currency: -3000}


def disputed_unheard(sandbox: Sandbox, currency: str) -> dict[str, int]:
    payment = payment_at_stripe(sandbox, currency=currency)
    sandbox.control.open_dispute(payment.stripe_charge_id or "")
    return {currency: -payment.amount - 1500}


@dataclass(frozen=True)
class Case:
    make: Callable[[Sandbox, str], dict[str, int]]
    kind: Kind
    fix: Callable[..., Any]
    how: dict[str, Any]
    state: State = State.FIXED


WHY = {"reason": "Agreed with the bank's letter"}
CASES = {
    "missing here": Case(payment_lost, Kind.MISSING_HERE, fixing.refetch, {}),
    "missing dispute": Case(disputed_unheard, Kind.MISSING_HERE, fixing.refetch, {}),
    "status": Case(payment_expired, Kind.STATUS, fixing.refetch, {}),
    "missing at Stripe": Case(movement_removed, Kind.MISSING_AT_STRIPE, fixing.write_off, WHY, State.WRITTEN_OFF),
    "amount": Case(amount_changed, Kind.AMOUNT, fixing.adjust, {"account": "platform_fees", **WHY}),
    "fee": Case(fee_changed, Kind.FEE, fixing.adjust, {"account": "platform_fees", **WHY}),
    "currency": Case(currency_changed, Kind.CURRENCY, fixing.write_off, WHY, State.WRITTEN_OFF),
    "external refund": Case(refunded_at_stripe, Kind.EXTERNAL, fixing.import_external, {}),
    "external payout": Case(paid_out_at_stripe, Kind.EXTERNAL, fixing.import_external, {}),
    "adjusted against Stripe's fees": Case(paid_out_at_stripe, Kind.EXTERNAL, fixing.adjust, {"account": "stripe_fees", **WHY}),
}


class TestEveryClass:
    @pytest.mark.gap("9.7")
    @pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
    @pytest.mark.parametrize("case", CASES.values(), ids=CASES)
    def test_is_found_once_and_fixed_to_the_unit(self, desk: Desk, business: Any, sandbox: Sandbox, case: Case, currency: str) -> None:
        business(currency)
        injected = case.make(sandbox, currency)

        first = desk.run()
        found = desk.only()
        assert (found.kind, found.state, found.differences) == (case.kind, State.OPEN, injected)
        assert desk.residuals(first) == injected
        second = desk.run()
        assert desk.only().pk == found.pk
        assert (desk.only().found_in_id, desk.only().seen_in_id) == (first.pk, second.pk)

        desk.fix(case.fix, **case.how)

        closed = Discrepancy.objects.get()
        assert (closed.pk, closed.state) == (found.pk, case.state)
        assert desk.residuals(desk.run()) == {}
        assert desk.live() == []
        assert Discrepancy.objects.count() == 1
        assert balances.balances(RECONCILIATION_SUSPENSE).get(currency, 0) == 0

    def test_is_absent_where_both_sides_agree(self, desk: Desk, business: Any) -> None:
        for currency in ("USD", "JPY", "KWD"):
            business(currency)

        run = desk.run()

        assert not Discrepancy.objects.exists()
        assert desk.residuals(run) == {}
        part = run.parts.get()
        assert (part.imported, part.checked, part.found) == (6, 6, 0)
        assert BalanceTransaction.objects.filter(about="").count() == 0


class TestTiming:
    def test_is_what_is_younger_than_a_quarter_of_an_hour_and_no_residual(self, desk: Desk, sandbox: Sandbox) -> None:
        payment = paid_unheard(sandbox, "USD")
        run = desk.run(later=timedelta())
        found = desk.only()
        assert (found.kind, desk.residuals(run)) == (Kind.TIMING, {})
        assert run.parts.get().residuals[0]["timing"] == net_at_stripe(sandbox, payment)

        desk.run()

        assert (desk.only().pk, desk.only().kind) == (found.pk, Kind.MISSING_HERE)

    def test_ends_by_itself_when_the_other_side_follows(self, desk: Desk, sandbox: Sandbox) -> None:
        payment = paid_unheard(sandbox, "USD")
        desk.run(later=timedelta())
        desk.fix(fixing.refetch)
        assert desk.live() == []
        assert again(payment).state == Payment.State.SUCCEEDED


class TestUnknownTypes:
    def test_go_to_suspense_until_somebody_says_what_they_were(self, desk: Desk, business: Any, sandbox: Sandbox) -> None:
        business("USD")
        name = load_movement(sandbox, "stripe_fee", -500, "USD")

        assert desk.residuals(desk.run()) == {}
        found = desk.only()
        assert (found.kind, found.about, found.is_suspended) == (Kind.MISSING_HERE, name, True)
        assert balances.balance(RECONCILIATION_SUSPENSE, "USD") == 500
        fees = balances.balance(STRIPE_FEES, "USD")
        desk.run()
        assert desk.only().pk == found.pk

        desk.fix(fixing.adjust, account="stripe_fees", reason="Stripe's monthly fee for reports")

        assert (balances.balance(RECONCILIATION_SUSPENSE, "USD"), balances.balance(STRIPE_FEES, "USD")) == (0, fees + 500)
        assert desk.residuals(desk.run()) == {}
        assert desk.live() == []

    def test_cannot_be_explained_away(self, desk: Desk, sandbox: Sandbox) -> None:
        load_movement(sandbox, "adjustment", -70, "USD")
        desk.run()
        with pytest.raises(fixing.MoneyInSuspense):
            desk.fix(fixing.explain, reason="The card network's share")
        assert desk.only().state == State.OPEN


class TestImports:
    def test_of_a_payout_put_the_money_into_the_bank(self, desk: Desk, sandbox: Sandbox) -> None:
        load_movement(sandbox, "payout", -3000, "USD")
        desk.run()
        desk.fix(fixing.import_external)
        assert balances.balance(PLATFORM_BANK, "USD") == 3000

    def test_are_refused_for_what_was_not_made_at_stripe(self, desk: Desk, sandbox: Sandbox) -> None:
        amount_changed(sandbox, "USD")
        desk.run()
        with pytest.raises(fixing.NothingToAsk):
            desk.fix(fixing.import_external)
