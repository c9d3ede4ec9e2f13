"""Buyers, finance, banks and Stripe in any order: after every step the books balance and no refund goes beyond what was captured."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from billing import invariants, refund_approval, refunds
from billing.gateway.selection import gateway
from billing.models import FeeSchedule, InboundEvent, Payment, Refund, TaxRate
from billing.webhooks import replay
from ledger import balances
from ledger.chart import STRIPE_BALANCE
from organizations.models import Organization
from tests.billing.conftest import Till
from tests.billing.test_refund_books import left
from tests.conftest import point_at
from tests.factories.billing import again, finance, payment_at_stripe, priced
from tests.factories.organizations import OrganizationFactory
from tests.sizes import SIZES

LIMIT = 6000  # minor units; above it a second person is asked
FAULTS = ("reset_after", "reset_before", "rate_limit", "lock_timeout", "stored_500")
SHARE = st.integers(1, 100)
PICK = st.integers(0, 99)


class Money(RuleBasedStateMachine):
    """`till` and `begin`, which empties the stand-in, are put in by the test."""

    till: Till
    begin: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block._from_testcase = True  # type: ignore[attr-defined]  # the test's own, so that outside calls are let through
        self.block.__enter__()
        type(self).begin()
        self.requester, self.approver = finance(), finance()

    def teardown(self) -> None:
        try:
            self.quiet()
        finally:
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)
            self.till.control.clear_faults()

    @initialize(policy=st.sampled_from(Organization.RefundFeePolicy.values))
    def open_shop(self, policy: str) -> None:
        self.organization = OrganizationFactory.create(refund_fee_policy=policy, refund_approval_limits={"USD": LIMIT})
        FeeSchedule.objects.create(currency="USD", service_basis_points=333, service_fixed=7, processing_basis_points=290)
        TaxRate.objects.create(jurisdiction="DE", name="VAT", basis_points=1900, starts_on="2026-01-01")

    def payments(self) -> list[Payment]:
        return list(Payment.objects.order_by("id"))

    def one[T](self, rows: list[T], pick: int) -> T:
        return rows[pick % len(rows)]

    def at_stripe(self, kind: str, *statuses: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.till.sandbox.world.store.select(kind)
        return [row for row in found if row["status"] in statuses]

    @rule(price=st.integers(50, 9000))
    def pay(self, price: int) -> None:
        payment_at_stripe(self.till.sandbox, organization=self.organization, quote=priced(self.organization, price, jurisdiction="DE"))

    @precondition(lambda self: self.payments())
    @rule(pick=PICK, share=SHARE, fault=st.none() | st.sampled_from(FAULTS))
    def request(self, pick: int, share: int, fault: str | None) -> None:
        """Part of the rest, or all of it, with or without something going wrong on the line."""
        payment = self.one(self.payments(), pick)
        rest = refunds.refundable(payment).amount
        if fault:
            self.till.control.fault(fault, method="POST", path="/v1/refunds", work=bool(share % 2))
        given: dict[str, Any] = {"reason": "other", "by": self.requester, "source": "console"}
        if rest == 0 or payment.amount_disputed:
            with pytest.raises((refunds.NothingToRefund, refunds.PaymentDisputed)):
                refunds.request(payment_id=payment.pk, amount=1, **given)
        else:
            with pytest.raises(refunds.RefundExceedsBalance):
                refunds.request(payment_id=payment.pk, amount=rest + 1, **given)
            refunds.request(payment_id=payment.pk, amount=max(1, rest * share // 100), **given)

    @rule(pick=PICK, yes=st.booleans())
    def decide(self, pick: int, yes: bool) -> None:
        waiting = list(Refund.objects.filter(state="awaiting_approval").order_by("id"))
        if not waiting:
            return
        refund = self.one(waiting, pick)
        with pytest.raises(refund_approval.SamePerson):
            refund_approval.approve(refund_id=refund.pk, by=self.requester)
        if not yes:
            refund_approval.reject(refund_id=refund.pk, why="no", by=self.approver)
        elif again(refund.payment).amount_disputed == 0:
            refund_approval.approve(refund_id=refund.pk, by=self.approver)

    @rule(pick=PICK)
    def retry(self, pick: int) -> None:
        failed = [row for row in Refund.objects.filter(state="failed").order_by("id") if row.source != "external"]
        if not failed:
            return
        refund = self.one(failed, pick)
        if again(refund.payment).amount_disputed == 0 and refund.amount <= refunds.refundable(again(refund.payment)).amount:
            refund_approval.retry(refund_id=refund.pk, by=self.approver)

    @rule(outcomes=st.lists(st.sampled_from(["pending", "requires_action", "failed", "succeeded_then_failed"]), min_size=1, max_size=2))
    def stripe_decides_otherwise(self, outcomes: list[str]) -> None:
        self.till.control.next_refunds(*outcomes)

    @rule(pick=PICK)
    def stripe_settles(self, pick: int) -> None:
        if rows := self.at_stripe("refund", "pending", "requires_action"):
            self.till.control.settle_refund(self.one(rows, pick)["id"])

    @rule(pick=PICK)
    def stripe_fails(self, pick: int) -> None:
        """Also days after it succeeded."""
        if rows := self.at_stripe("refund", "pending", "requires_action", "succeeded"):
            self.till.control.fail_refund(self.one(rows, pick)["id"])

    @rule(pick=PICK, share=SHARE)
    def refund_at_stripe(self, pick: int, share: int) -> None:
        if charges := [row for row in self.at_stripe("charge", "succeeded") if not row["refunded"]]:
            charge = self.one(charges, pick)
            rest = charge["amount"] - charge["amount_refunded"]
            self.till.control.refund_from_dashboard(charge["id"], amount=max(1, rest * share // 100))

    @rule(pick=PICK)
    def dispute(self, pick: int) -> None:
        """An inquiry, which moves nothing, opened or let go."""
        if found := self.at_stripe("dispute", "warning_needs_response"):
            self.till.control.decide_dispute(self.one(found, pick)["id"], "warning_closed")
        elif charges := self.at_stripe("charge", "succeeded"):
            self.till.control.open_dispute(self.one(charges, pick)["id"], inquiry=True, amount=1)

    @rule(mode=st.sampled_from(["normal", "duplicate", "reorder", "lost", "bad_signature"]), count=st.integers(1, 3))
    def webhooks_go_astray(self, mode: str, count: int) -> None:
        self.till.control.delivery(mode, count=count)

    @rule(pick=PICK)
    def replay_an_event(self, pick: int) -> None:
        self.till.work()
        if rows := list(InboundEvent.objects.filter(state__in=["processed", "ignored", "dead"]).order_by("id")):
            replay.replay(event_id=self.one(rows, pick).pk, by=self.approver)

    @rule()
    def work(self) -> None:
        self.till.work()

    @invariant()
    def books_balance(self) -> None:
        assert not any(balances.totals().values())
        assert list(invariants.refunded_within_captured()) == []
        assert list(invariants.refunds_in_flight_match()) == []
        for payment in self.payments():
            ours = payment.refunds.exclude(source="external").taking_money().total()
            assert payment.amount_refunded <= payment.amount_captured
            assert ours <= payment.amount_captured

    @invariant()
    def stripe_made_each_attempt_once(self) -> None:
        made = [
            (refund["metadata"].get("refund_id"), refund["metadata"].get("attempt"))
            for refund in self.till.sandbox.world.store.select("refund")
            if refund["metadata"]
        ]
        assert len(made) == len(set(made))

    def quiet(self) -> None:
        """Everything has arrived: our books are Stripe's."""
        self.till.control.delivery("normal")
        self.till.control.clear_faults()
        self.till.settle()
        replay.sweep_missed()
        self.till.settle()
        self.books_balance()
        assert balances.balance(STRIPE_BALANCE, "USD") == gateway().balance().get("USD", 0)
        for payment in self.payments():
            theirs = [amount for status, amount in self.till.refunds(payment) if status == "succeeded"]
            assert sorted(theirs) == sorted(payment.refunds.filter(state="succeeded").values_list("amount", flat=True))
            self.accounts_hold_what_is_left(payment)

    @staticmethod
    def accounts_hold_what_is_left(payment: Payment) -> None:
        if Payment.objects.count() == 1 and payment.state == Payment.State.REFUNDED:
            borne = payment.stripe_fee if payment.refund_fee_policy == "organizer" else 0
            payable, *others = left(payment).values()
            assert (payable, set(others)) == (-(borne or 0), {0})


@pytest.mark.gap("1.3")
@pytest.mark.gap("6.2")
@pytest.mark.gap("9.8")
@pytest.mark.rule("M9")
@pytest.mark.django_db
def test_the_books_hold_whatever_happens(till: Till, settings: Any) -> None:
    def begin() -> None:
        till.control.reset()
        point_at(till.sandbox, settings)

    Money.till, Money.begin = till, staticmethod(begin)
    size = hypothesis_settings(
        max_examples=SIZES.state_machine_examples,
        stateful_step_count=SIZES.state_machine_steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Money, settings=size)
