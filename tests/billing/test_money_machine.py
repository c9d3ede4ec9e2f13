"""Sales, refunds, disputes and payouts of several organizations in three currencies, in any order, with anything going wrong between us
and Stripe: the books balance after every step, and once nothing is on its way they are Stripe's, account by account."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing import payout_approval, payout_requests, refunds, stripe_balances
from billing.models import ConnectedAccount, InboundEvent, Payment, PayoutRequest
from billing.webhooks import processing, replay
from core.errors import DomainError
from core.money import payout_step, step
from organizations.models import Organization
from tests.billing.bank import AT_ONCE, Bank
from tests.billing.trading import UNITS, Clock, Market, assert_books_are_stripes, assert_books_whole, available
from tests.conftest import hear_of_accounts, point_at
from tests.factories.billing import finance
from tests.sizes import SIZES, SOAK

CARDS = (AT_ONCE, "4242424242424242", "4000000000007726", "4000000000005126")
FAULTS = ("reset_after", "reset_before", "rate_limit", "lock_timeout", "stored_500")
CALLS = ("/v1/refunds", "/v1/transfers", "/v1/payouts")
PICK = st.integers(0, 99)
SHARE = st.integers(1, 100)
CURRENCY = st.sampled_from(list(UNITS))
State = PayoutRequest.State
DECIDABLE = (State.REQUESTED, State.APPROVED, State.ON_HOLD, State.FAILED)
UNDECIDED = ("warning_needs_response", "warning_under_review", "needs_response", "under_review")
type Rows = list[dict[str, Any]]


class Trade(RuleBasedStateMachine):
    """`bank` and `begin`, which empties the stand-in, are put in by the test."""

    bank: Bank
    begin: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block._from_testcase = True  # type: ignore[attr-defined]  # the test's own, so that outside calls are let through
        self.block.__enter__()
        self.clock = Clock()
        type(self).begin()
        self.market, self.control = Market(self.bank, self.clock), self.bank.control
        self.organizations: list[Organization] = []

    def teardown(self) -> None:
        try:
            self.reckon()
        finally:
            self.clock.stop()
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)
            self.control.clear_faults()

    @initialize(
        fee=st.lists(st.sampled_from(Organization.RefundFeePolicy.values), min_size=2, max_size=2),
        dispute=st.permutations(Organization.DisputePolicy.values),
    )
    def open_shops(self, fee: list[str], dispute: list[str]) -> None:
        policies = [{"refund_fee_policy": one, "dispute_policy": other} for one, other in zip(fee, dispute, strict=True)]
        self.organizations = self.market.open(*policies)
        self.ask_for_payout(who=0, currency="USD", share=50, then="send")

    @staticmethod
    def one[T](rows: list[T], pick: int) -> T:
        return rows[pick % len(rows)]

    @staticmethod
    def payouts(*states: str) -> list[PayoutRequest]:
        return list(PayoutRequest.objects.filter(state__in=states).order_by("id"))

    # buyers

    @rule(who=PICK, currency=CURRENCY, units=st.integers(1, 60), card=st.sampled_from(CARDS), days=st.none() | st.sampled_from([0.5, 2, 8]))
    def sell(self, who: int, currency: str, units: int, card: str, days: float | None) -> None:
        released_in = None if days is None else timedelta(days=days)
        self.market.sell(self.one(self.organizations, who), currency, units, card=card, released_in=released_in)

    @rule(pick=PICK, share=SHARE)
    def refund(self, pick: int, share: int) -> None:
        payment = self.one(list(Payment.objects.filter(amount_captured__gt=0).order_by("id")), pick)
        rest, unit = refunds.refundable(payment).amount, step(payment.currency)
        given: dict[str, Any] = {"payment_id": payment.pk, "reason": "other", "by": finance(), "source": "console"}
        if rest == 0 or payment.amount_disputed:
            with pytest.raises((refunds.NothingToRefund, refunds.PaymentDisputed)):
                refunds.request(amount=unit, **given)
            return
        with pytest.raises(refunds.RefundExceedsBalance):
            refunds.request(amount=rest + unit, **given)
        refunds.request(amount=max(unit, rest * share // 100 // unit * unit), **given)

    @rule(pick=PICK, share=SHARE, comes_back=st.booleans())
    def refund_at_stripe(self, pick: int, share: int, comes_back: bool) -> None:
        """Somebody refunds in Stripe's dashboard, or a refund comes back days after it succeeded."""
        rows = self.market.at_stripe("refund", "pending", "requires_action", "succeeded") if comes_back else []
        if rows:
            self.control.fail_refund(self.one(rows, pick)["id"])
        elif charges := self.undisputed():
            charge = self.one(charges, pick)
            unit = step(charge["currency"].upper())
            rest = charge["amount"] - charge["amount_refunded"]
            self.control.refund_from_dashboard(charge["id"], amount=max(unit, rest * share // 100 // unit * unit))

    def undisputed(self) -> Rows:
        charges = self.market.at_stripe("charge", "succeeded")
        return [row for row in charges if not row["refunded"] and not row["disputed"]]

    # their banks

    @rule(pick=PICK, inquiry=st.booleans())
    def dispute(self, pick: int, inquiry: bool) -> None:
        if charges := self.undisputed():
            self.control.open_dispute(self.one(charges, pick)["id"], inquiry=inquiry)

    @rule(pick=PICK, won=st.booleans())
    def decide(self, pick: int, won: bool) -> None:
        """A dispute is won, and its money reinstated, or lost; an inquiry is let go, or becomes a dispute."""
        if undecided := self.market.at_stripe("dispute", *UNDECIDED):
            dispute = self.one(undecided, pick)
            endings = ("warning_closed", "escalate") if dispute["status"].startswith("warning") else ("won", "lost")
            self.control.decide_dispute(dispute["id"], endings[0] if won else endings[1])

    # payouts

    @rule(who=PICK, currency=CURRENCY, share=st.integers(20, 100), then=st.sampled_from(["wait", "approve", "send"]))
    def ask_for_payout(self, who: int, currency: str, share: int, then: str) -> None:
        organization, unit = self.one(self.organizations, who), payout_step(currency)
        given: dict[str, Any] = {"organization_id": organization.pk, "currency": currency, "by": finance(), "source": "console"}
        with transaction.atomic():
            try:
                payout = payout_requests.request(amount=None, **given)
            except DomainError:
                return  # nothing there, owed, restricted, or one is under way: which of them is other tests' matter
            amount = payout.amount * share // 100 // unit * unit
            if payout_requests.minimum(currency).amount <= amount < payout.amount:
                payout_requests.cancel(payout_request_id=payout.pk, by=finance())
                payout = payout_requests.request(amount=amount, **given)
        if then != "wait":
            self.approve(payout)
        if then == "send":
            self.bank.work()

    @rule(pick=PICK)
    def decide_on_payout(self, pick: int) -> None:
        """Approve it, hold it, let it go on, or try one again that failed."""
        if not (decidable := self.payouts(*DECIDABLE)):
            return
        payout = self.one(decidable, pick)
        if payout.state == State.ON_HOLD:
            payout_approval.release(payout_request_id=payout.pk, by=finance())
        elif payout.state == State.APPROVED:
            payout_approval.hold(payout_request_id=payout.pk, why="A question.", by=finance())
        else:
            self.approve(payout)

    def approve(self, payout: PayoutRequest) -> None:
        """Stripe's balance as it is now is known to whoever approves."""
        for account_id in (None, payout.account_id):
            stripe_balances.read(account_id=account_id)
        most = available(payout)
        decide = payout_approval.approve if payout.state == State.REQUESTED else payout_approval.retry
        try:
            decide(payout_request_id=payout.pk, by=finance())
        except payout_requests.ExceedsAvailable:
            assert payout.amount > most
        except (payout_requests.NegativeBalance, payout_requests.PayoutsNotUsable, payout_requests.PayoutAlreadyOpen):
            return
        else:
            assert payout.amount <= most

    @rule(pick=PICK)
    def bank_sends_back(self, pick: int) -> None:
        """Before it was paid, or days after; our rows need not know either yet."""
        if found := self.at_banks():
            payout, account = self.one(found, pick)
            self.control.fail_payout(payout, account=account)

    def at_banks(self) -> list[tuple[str, str]]:
        """(payout, account) of all that a bank may still refuse or send back."""
        found: list[tuple[str, str]] = []
        for account in ConnectedAccount.objects.order_by("id").values_list("stripe_account_id", flat=True):
            rows = self.market.at_stripe(f"{account}/payout", "pending", "in_transit", "paid")
            found += [(row["id"], account or "") for row in rows]
        return found

    # the line between us, and time

    @rule(kind=st.sampled_from(FAULTS), path=st.sampled_from(CALLS), did_it=st.booleans())
    def line_breaks(self, kind: str, path: str, did_it: bool) -> None:
        self.control.fault(kind, method="POST", path=path, work=did_it)

    @rule(mode=st.sampled_from(["duplicate", "reorder", "late", "lost", "bad_signature"]), count=st.integers(1, 4))
    def webhooks_go_astray(self, mode: str, count: int) -> None:
        self.control.delivery(mode, count=count, seconds=3600)

    @rule(pick=PICK, papers=st.sampled_from([None, "restricted", "complete"]))
    def seldom(self, pick: int, papers: str | None) -> None:
        """An event of any age is replayed; an account lacks papers, or has them again."""
        if papers is not None:
            account = ConnectedAccount.objects.get(organization=self.one(self.organizations, pick)).stripe_account_id or ""
            self.control.account(account, papers, currencies=[each.lower() for each in UNITS])
        elif rows := list(InboundEvent.objects.filter(state__in=["processed", "ignored", "dead"]).order_by("id")):
            event = self.one(rows, pick)
            refusal = nullcontext() if processing.is_handled(event) else pytest.raises(replay.EventNotHandled)
            with refusal:
                replay.replay(event_id=event.pk, by=finance())

    @rule(hours=st.sampled_from([0.1, 1, 25, 50, 200]))
    def time_passes(self, hours: float) -> None:
        """Money becomes available, payouts arrive, earnings are released, Stripe forgets keys."""
        self.market.pass_time(timedelta(hours=hours))
        if hours > 100:
            self.reckon()

    @rule()
    def work(self) -> None:
        self.bank.work()

    def reckon(self) -> None:
        self.market.run_dry()
        assert_books_whole()
        assert_books_are_stripes()

    @invariant()
    def books_are_whole(self) -> None:
        assert_books_whole()

    @invariant()
    def stripe_did_each_attempt_once(self) -> None:
        kinds = {"refund": "refund_id", "transfer": "transfer_id", "transfer_reversal": "reversal_id"}
        made: Rows = [row for kind in kinds for row in self.bank.sandbox.world.store.select(kind)]
        for account in ConnectedAccount.objects.values_list("stripe_account_id", flat=True):
            made += self.bank.sandbox.world.store.select(f"{account}/payout")
        keys = [tuple(sorted(row["metadata"].items())) for row in made if row["metadata"]]
        assert len(keys) == len(set(keys))


@pytest.mark.gap("2.1")
@pytest.mark.gap("2.2")
@pytest.mark.gap("6.2")
@pytest.mark.gap("9.2")
@pytest.mark.gap("9.8")
@pytest.mark.rule("M8")
@pytest.mark.rule("M9")
@pytest.mark.django_db
def test_every_account_agrees_with_stripe_whatever_happens(bank: Bank, settings: Any) -> None:
    def begin() -> None:
        bank.control.reset()
        point_at(bank.sandbox, settings)
        hear_of_accounts(bank.sandbox, settings)

    Trade.bank, Trade.begin = bank, staticmethod(begin)
    size = hypothesis_settings(
        max_examples=SIZES.trade_examples,
        stateful_step_count=SIZES.trade_steps,
        deadline=None,
        phases=[
            phase for phase in Phase if SOAK or phase != Phase.shrink
        ],  # a step costs a tenth of a second: short runs are told as they are
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Trade, settings=size)
