"""The books of refunds: whatever is refunded, fails and is tried again, every account stays within bounds and closes at a full refund."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing import payment_fees, postings, refund_approval, refund_submission, refund_sync, refund_terms, refunds
from billing.gateway.base import GatewayRefund
from billing.models import FeeSchedule, Payment, Refund, TaxRate
from billing.quoting import Quote, QuoteLine
from core.money import Money
from ledger import balances
from ledger.chart import REFUNDS_IN_FLIGHT, STRIPE_BALANCE, STRIPE_FEES, organizer_payable
from ledger.models import LedgerTransaction
from tests.factories.billing import SYSTEM, again, fee_of, finance, intent_for, paid_payment, priced, requested_refund, sync
from tests.factories.organizations import OrganizationFactory
from tests.sizes import SIZES


def answer_for(refund: Refund, status: str, *, booked: bool = True, **values: Any) -> GatewayRefund:
    """What Stripe would say of this attempt."""
    name = f"{refund.pk}_{refund.attempt}"
    return GatewayRefund(
        **{
            "id": f"re_{name}",
            "status": status,
            "amount": refund.amount,
            "currency": refund.currency,
            "charge_id": None,
            "payment_intent_id": None,
            "metadata": {"refund_id": str(refund.pk), "attempt": str(refund.attempt)},
            "balance_transaction_id": f"txn_{name}" if booked else None,
            "failure_balance_transaction_id": f"txn_{name}_back" if booked and status == "failed" else None,
            **values,
        }
    )


def hear(refund: Refund, status: str, **values: Any) -> Refund:
    """Submit the refund if need be, and take in Stripe's word about it."""
    refund_submission.begin(refund_id=refund.pk, at=timezone.now())
    return refund_sync.sync(refund_id=refund.pk, answer=answer_for(again(refund), status, **values), at=timezone.now(), by=SYSTEM)


def left(payment: Payment) -> dict[str, int]:
    """What every account of the payment still holds, credits positive."""
    parts = postings.earnings(payment, list(payment.lines.order_by("position")))
    return {str(account): -balances.balance(account, payment.currency) for account, _ in parts}


@pytest.mark.django_db
class TestEarnings:
    def test_take_tax_that_the_price_holds_from_fees_too(self) -> None:
        organization = OrganizationFactory.create()
        FeeSchedule.objects.create(currency="EUR", service_basis_points=1000)
        TaxRate.objects.create(jurisdiction="DE", name="VAT", basis_points=1900, inclusive=True, starts_on="2026-01-01")
        payment = paid_payment(organization=organization, quote=priced(organization, 11_900, "EUR", jurisdiction="DE"))

        assert payment.amount == 13_090
        assert left(payment) == {f"organizer_payable:{organization.pk}": 10_000, "platform_fees": 1000, "tax_payable:DE": 2090}

    def test_add_up_several_lines_of_one_account(self) -> None:
        lines = (
            QuoteLine("price", "Ticket", 1000),
            QuoteLine("tax", "State", 70, jurisdiction="US"),
            QuoteLine("tax", "City", 30, jurisdiction="US"),
            QuoteLine("service_fee", "Fee", 5),
            QuoteLine("service_fee", "Fee", 6),
        )
        payment = paid_payment(quote=Quote(lines, Money(1111, "USD"), ""))
        assert left(payment) == {f"organizer_payable:{payment.organization_id}": 1000, "platform_fees": 11, "tax_payable:US": 100}


PARTS = st.lists(st.integers(1, 400), min_size=1, max_size=3)
ACTIONS = st.lists(st.tuples(st.sampled_from(["request", "settle", "fail", "cancel", "retry", "reject"]), st.integers(0, 999)), max_size=14)


@contextmanager
def taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def act(payment: Payment, by: Any, action: str, number: int) -> None:
    """One step on the payment, where the state of things allows it."""
    rows = list(payment.refunds.order_by("id"))
    rest = refunds.refundable(payment).amount
    if action == "request":
        if rest:
            requested_refund(payment, 1 + number % rest, by=by)
        return
    allowed = {
        "settle": ["requested"],
        "fail": ["requested", "succeeded", "approved"],
        "cancel": ["requested"],
        "retry": ["failed"],
        "reject": [],
    }[action]
    rows = [row for row in rows if row.state in allowed]
    if not rows:
        return
    refund = rows[number % len(rows)]
    if action == "retry":
        if refund.amount <= rest:
            refund_approval.retry(refund_id=refund.pk, by=by)
    else:
        hear(refund, {"settle": "succeeded", "fail": "failed", "cancel": "canceled"}[action], booked=bool(number % 3))


@pytest.mark.gap("9.7")
@pytest.mark.rule("M9")
@pytest.mark.django_db
class TestShares:
    @hypothesis_settings(max_examples=SIZES.hypothesis_examples, deadline=None)
    @given(parts=PARTS, actions=ACTIONS, policy=st.sampled_from(["platform", "organizer"]), fee=st.integers(0, 40))
    def test_stay_within_bounds_and_close_at_a_full_refund(
        self, parts: list[int], actions: list[tuple[str, int]], policy: str, fee: int
    ) -> None:
        with taken_back():
            by, organization = finance(), OrganizationFactory.create(refund_fee_policy=policy)
            kinds = [("price", ""), ("service_fee", ""), ("tax", "DE")]
            lines = tuple(QuoteLine(kind, kind, part, jurisdiction=where) for (kind, where), part in zip(kinds, parts, strict=False))
            quote = Quote(lines, Money(sum(parts), "USD"), "")
            payment = paid_payment(organization=organization, quote=quote, fee=fee)
            whole = left(payment)

            for action, number in actions:
                act(again(payment), by, action, number)
                self.check(payment, whole)

            for refund in payment.refunds.filter(state__in=["requested", "approved", "submitting"]):
                hear(refund, "succeeded")
            if rest := refunds.refundable(again(payment)).amount:
                hear(requested_refund(payment, rest, by=by), "succeeded")
            self.check(payment, whole)
            assert again(payment).state == Payment.State.REFUNDED
            borne = fee if policy == "organizer" else 0
            assert left(payment) == {**dict.fromkeys(whole, 0), f"organizer_payable:{organization.pk}": -borne}

    @staticmethod
    def check(payment: Payment, whole: dict[str, int]) -> None:
        payment = again(payment)
        live = payment.refunds.taking_money().total()
        now, fee = left(payment), (payment.stripe_fee or 0) - balances.balance(STRIPE_FEES, "USD")
        now[f"organizer_payable:{payment.organization_id}"] += fee  # what the organization bears of Stripe's fee is not a share
        assert sum(now.values()) == payment.amount - live
        assert all(0 <= now[account] <= whole[account] for account in whole)
        flying = payment.refunds.taking_money().filter(stripe_balance_transaction_id=None).total()
        assert -balances.balance(REFUNDS_IN_FLIGHT, "USD") == flying
        assert not any(balances.totals().values())
        assert payment.amount_refunded == payment.refunds.filter(state="succeeded").total() <= payment.amount_captured
        assert fee == 0 or payment.refund_fee_policy == "organizer"
        assert fee == postings_share(payment)

    def test_close_where_a_refund_made_at_stripe_overtook_ours(self) -> None:
        quote = Quote(
            (QuoteLine("price", "p", 6), QuoteLine("service_fee", "s", 6), QuoteLine("tax", "t", 2, "attendee", "DE")), Money(14, "USD"), ""
        )
        payment = paid_payment(quote=quote, fee=None)
        hear(requested_refund(payment, 3), "succeeded")
        ours = requested_refund(payment, 5)
        external = answer_for(ours, "succeeded", id="re_dashboard", amount=11, metadata={}, balance_transaction_id="txn_dashboard")
        refund_sync.record_external(payment_id=payment.pk, answer=external, at=timezone.now(), by=SYSTEM)
        hear(ours, "failed", booked=False)

        assert again(payment).state == Payment.State.REFUNDED
        assert set(left(payment).values()) == {0}
        assert balances.balance(STRIPE_BALANCE, "USD") == 0


def postings_share(payment: Payment) -> int:
    """The part of Stripe's fee that the organization has to bear by now, as a person would reckon it."""
    if payment.refund_fee_policy != "organizer" or not payment.stripe_fee:
        return 0
    return (2 * payment.stripe_fee * payment.amount_refunded + payment.amount_captured) // (2 * payment.amount_captured)


@pytest.mark.django_db
class TestFeePolicy:
    @pytest.mark.parametrize(("policy", "borne_by_us", "payable"), [("platform", 175, 0), ("organizer", 0, 175), ("attendee", 0, 0)])
    def test_says_who_bears_the_fee_that_stripe_keeps(self, policy: str, borne_by_us: int, payable: int) -> None:
        organization = OrganizationFactory.create(refund_fee_policy=policy)
        payment = paid_payment(organization=organization)
        offer = refunds.offer(payment, at=timezone.now())
        refund = refunds.request(payment_id=payment.pk, amount=None, reason="other", by=finance(), source="console")
        hear(refund, "succeeded")

        assert (offer.percent, offer.by_terms.amount) == (100, 4825 if policy == "attendee" else 5000)
        kept = 175 if policy == "attendee" else 0
        assert balances.balance(STRIPE_FEES, "USD") == borne_by_us + kept
        assert balances.balance(organizer_payable(organization.pk), "USD") == payable - kept
        assert not any(balances.totals().values())

    def test_passes_the_fee_on_however_late_it_comes(self) -> None:
        organization = OrganizationFactory.create(refund_fee_policy="organizer")
        payment = paid_payment(organization=organization, fee=None)
        for amount in (1000, 1000):
            hear(requested_refund(payment, amount), "succeeded")
        assert balances.balance(STRIPE_FEES, "USD") == 0

        intent = intent_for(payment, balance_transaction=fee_of(payment))
        sync(payment, intent)
        sync(payment, intent)  # Stripe repeats itself
        assert balances.balance(STRIPE_FEES, "USD") == 175 - 70
        assert LedgerTransaction.objects.filter(reference__endswith=":fee").count() == 1 + 2

    def test_takes_it_back_when_the_refund_fails_after_all(self) -> None:
        organization = OrganizationFactory.create(refund_fee_policy="organizer")
        payment = paid_payment(organization=organization)
        first, second = requested_refund(payment, 2500), requested_refund(payment, 2500)
        hear(first, "succeeded")
        hear(second, "succeeded")
        assert balances.balance(STRIPE_FEES, "USD") == 0

        hear(first, "failed")
        assert balances.balance(STRIPE_FEES, "USD") == 175 - 88
        refund_approval.retry(refund_id=first.pk, by=finance())
        hear(first, "succeeded")
        assert balances.balance(STRIPE_FEES, "USD") == 0
        assert balances.balance(organizer_payable(organization.pk), "USD") == 175

    def test_passes_on_no_share_that_rounds_to_nothing(self) -> None:
        payment = paid_payment(organization=OrganizationFactory.create(refund_fee_policy="organizer"), fee=1)
        refund = requested_refund(payment, 1)
        hear(refund, "succeeded")
        assert balances.balance(STRIPE_FEES, "USD") == 1
        assert not LedgerTransaction.objects.filter(reference=refund.reference("fee")).exists()

    def test_books_no_fee_of_zero(self) -> None:
        payment = paid_payment(fee=0)
        assert payment.stripe_fee == 0
        assert not LedgerTransaction.objects.filter(reference=f"payment:{payment.pk}:fee").exists()

    def test_leaves_a_converted_balance_transaction_to_reconciliation(self) -> None:
        payment = paid_payment(fee=None)
        sync(payment, intent_for(payment, balance_transaction=fee_of(payment, currency="EUR")))
        assert again(payment).stripe_fee is None
        assert balances.balances(STRIPE_FEES) == {}

    def test_waits_for_the_money(self) -> None:
        payment = Payment(state=Payment.State.PENDING)
        payment_fees.book(payment=payment, found=fee_of(payment), at=timezone.now(), by=SYSTEM)
        assert payment.stripe_fee is None


@pytest.mark.gap("1.3")
@pytest.mark.django_db
class TestTermsByDefault:
    @pytest.mark.parametrize(("days", "first", "then"), [(30, 5000, None), (3, 2500, 1500), (1, None, None)])
    def test_give_what_was_frozen_less_what_went_before(self, days: int, first: int | None, then: int | None) -> None:
        payment = paid_payment(starts_in=timedelta(days=days, hours=1))
        if then is not None:
            requested_refund(payment, 1000)
            first = then
        ask = {"payment_id": payment.pk, "amount": None, "reason": "requested_by_customer", "by": finance(), "source": "api"}
        if first is None:
            with pytest.raises(refunds.NothingToRefund, match="terms"):
                refunds.request(**ask)
            assert not payment.refunds.exists()
        else:
            assert refunds.request(**ask).amount == first

    def test_are_those_of_the_purchase(self) -> None:
        payment = paid_payment(terms=[{"hours_before": 0, "percent": 20}])
        assert refunds.offer(payment, at=timezone.now()).by_terms == Money(1000, "USD")
        assert again(payment).refund_terms != refund_terms.DEFAULT_TERMS
