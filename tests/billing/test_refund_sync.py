"""Stripe's word about refunds, in every order: late, twice, stale, or about refunds that were made elsewhere."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import AuditEntry
from billing import refund_approval, refund_submission, refund_sync, refunds
from billing.gateway.base import GatewayRefund
from billing.models import Payment, Refund
from billing.payout_invariants import earned_matches
from core.models import Job
from ledger import balances, posting
from ledger.chart import REFUNDS_IN_FLIGHT, STRIPE_BALANCE
from ledger.models import LedgerTransaction
from tests.billing.conftest import Shop, Till
from tests.billing.test_refund_books import answer_for, hear, left
from tests.factories.billing import SYSTEM, again, finance, paid_payment, payment_at_stripe, requested_refund
from tests.factories.organizations import OrganizationFactory

pytestmark = pytest.mark.django_db


def postings_of(refund: Refund) -> list[str]:
    found = LedgerTransaction.objects.filter(reference__startswith=f"refund:{refund.pk}").order_by("id")
    return [reference.removeprefix(f"refund:{refund.pk}").removeprefix(":") for reference in found.values_list("reference", flat=True)]


def mails(name: str) -> int:
    return Job.objects.filter(name=f"billing.emails.{name}").count()


def take_in(refund: Refund, answer: GatewayRefund) -> Refund:
    return refund_sync.sync(refund_id=refund.pk, answer=answer, at=timezone.now(), by=SYSTEM)


@pytest.fixture
def refund(db: None) -> Refund:
    return requested_refund(paid_payment(), 2000)


@pytest.mark.gap("1.3")
class TestSettle:
    def test_books_restates_audits_tells_and_mails_once(self, refund: Refund, shop: Shop) -> None:
        for _ in range(3):
            hear(refund, "succeeded")

        payment = again(refund.payment)
        assert (payment.state, payment.amount_refunded) == (Payment.State.PARTIALLY_REFUNDED, 2000)
        assert postings_of(refund) == ["requested", ""]
        assert balances.balance(STRIPE_BALANCE, "USD") == 5000 - 175 - 2000
        assert shop.words() == ["paid", "refunded 2000 of 2000"]
        assert AuditEntry.objects.filter(action="refund.settled").count() == mails("send_refund_receipt") == 1

    def test_waits_with_the_booking_until_stripe_shows_it(self, refund: Refund) -> None:
        hear(refund, "succeeded", booked=False)
        assert (again(refund).state, postings_of(refund)) == ("succeeded", ["requested"])
        hear(refund, "succeeded")
        assert postings_of(refund) == ["requested", ""]
        assert mails("send_refund_receipt") == 1

    def test_is_taken_back_whole_where_the_seller_refuses(self, refund: Refund, shop: Shop) -> None:
        shop.refuses = RuntimeError("no")
        with pytest.raises(RuntimeError), transaction.atomic():
            hear(refund, "succeeded")
        assert (again(refund).state, postings_of(refund), again(refund.payment).amount_refunded) == ("requested", ["requested"], 0)

    @pytest.mark.parametrize("first", ["pending", "requires_action"])
    @pytest.mark.parametrize("last", ["succeeded", "failed", "canceled"])
    def test_follows_whatever_way_stripe_takes(self, refund: Refund, first: str, last: str) -> None:
        other = "requires_action" if first == "pending" else "pending"
        for status in (first, first, other, first):
            hear(refund, status, booked=False)
            assert again(refund).state == status
        hear(refund, last)
        assert again(refund).state == last.replace("canceled", "cancelled")
        assert -balances.balance(REFUNDS_IN_FLIGHT, "USD") == 0

    @pytest.mark.gap("6.2")
    @pytest.mark.parametrize("late", ["pending", "requires_action", "canceled"])
    def test_is_not_undone_by_an_older_word(self, refund: Refund, late: str) -> None:
        hear(refund, "succeeded")
        hear(refund, late)
        assert (again(refund).state, postings_of(refund)) == ("succeeded", ["requested", ""])

    def test_understands_a_webhook_that_overtakes_the_worker(self, refund: Refund) -> None:
        take_in(refund, answer_for(refund, "succeeded"))
        assert again(refund).state == "succeeded"
        refund_submission.submit(refund_id=refund.pk)  # would call Stripe, and there is none here
        assert again(refund).state == "succeeded"

    def test_ignores_a_status_that_it_does_not_know(self, refund: Refund) -> None:
        hear(refund, "resting", booked=False)
        assert again(refund).state == "submitting"


@pytest.mark.gap("1.3")
class TestFail:
    def test_reverses_what_was_requested(self, refund: Refund, shop: Shop) -> None:
        for _ in range(2):
            hear(refund, "failed", booked=False, failure_reason="lost_or_stolen_card")
        assert (again(refund).state, again(refund).failure_reason) == ("failed", "lost_or_stolen_card")
        assert postings_of(refund) == ["requested", "reversal"]
        assert (again(refund.payment).state, left(refund.payment)) == (
            "succeeded",
            {f"organizer_payable:{refund.payment.organization_id}": 5000},
        )
        assert (mails("send_refund_failed"), shop.words()) == (1, ["paid"])

    def test_reverses_days_after_success(self, refund: Refund) -> None:
        hear(refund, "succeeded")
        hear(refund, "failed")
        payment = again(refund.payment)
        assert (payment.state, payment.amount_refunded, again(refund).state) == ("succeeded", 0, "failed")
        assert postings_of(refund) == ["requested", "", "reversal"]
        assert balances.balance(STRIPE_BALANCE, "USD") == 5000 - 175
        assert again(refund).failure_balance_transaction_id == f"txn_{refund.pk}_1_back"
        assert refunds.refundable(payment).amount == 5000

    @pytest.mark.parametrize("settled", [True, False])
    def test_books_the_way_out_before_the_way_back(self, refund: Refund, settled: bool) -> None:
        if settled:
            hear(refund, "succeeded", booked=False)
        hear(refund, "failed")  # with both of Stripe's balance transactions
        assert postings_of(refund) == ["requested", "", "reversal"]
        assert balances.balance(STRIPE_BALANCE, "USD") == 5000 - 175

    def test_stays_failed_whatever_is_said_late(self, refund: Refund) -> None:
        hear(refund, "failed")
        for late in ("succeeded", "pending", "canceled", "failed"):
            hear(refund, late)
        assert (again(refund).state, mails("send_refund_failed"), mails("send_refund_receipt")) == ("failed", 1, 0)

    def test_makes_a_full_refund_partial_again(self) -> None:
        payment = paid_payment()
        first, second = requested_refund(payment, 2000), requested_refund(payment, 3000)
        hear(first, "succeeded")
        hear(second, "succeeded")
        assert again(payment).state == Payment.State.REFUNDED
        hear(first, "failed")
        assert (again(payment).state, again(payment).amount_refunded) == (Payment.State.PARTIALLY_REFUNDED, 3000)
        hear(second, "failed")
        assert (again(payment).state, again(payment).amount_refunded) == (Payment.State.SUCCEEDED, 0)


@pytest.mark.gap("1.3")
class TestCancel:
    def test_reverses_once(self, refund: Refund) -> None:
        hear(refund, "pending", booked=False)
        for _ in range(2):
            hear(refund, "canceled", booked=False)
        assert (again(refund).state, postings_of(refund)) == ("cancelled", ["requested", "reversal"])
        assert AuditEntry.objects.filter(action="refund.cancelled").count() == 1


@pytest.mark.gap("1.3")
@pytest.mark.gap("9.8")
class TestEarlierAttempt:
    def second(self, refund: Refund) -> Refund:
        hear(refund, "failed", booked=False)
        refund_approval.retry(refund_id=refund.pk, by=finance())
        return again(refund)

    @pytest.mark.parametrize("late", ["failed", "canceled"])
    def test_is_given_up_whatever_stripe_says_of_it(self, refund: Refund, late: str) -> None:
        first = answer_for(refund, late, booked=False)
        self.second(refund)
        take_in(refund, first)
        assert (again(refund).state, again(refund).stripe_refund_id) == ("approved", None)

    def test_is_recorded_as_external_where_stripe_refunded_all_the_same(self, refund: Refund) -> None:
        first = answer_for(refund, "succeeded", id="re_first", balance_transaction_id="txn_first")
        self.second(refund)
        hear(refund, "succeeded")
        take_in(refund, first)
        rows = list(refund.payment.refunds.order_by("id"))
        assert [(row.source, row.state, row.stripe_refund_id) for row in rows] == [
            ("console", "succeeded", f"re_{refund.pk}_2"),
            ("external", "succeeded", "re_first"),
        ]
        assert again(refund.payment).amount_refunded == 4000

    def test_is_not_mistaken_for_one_by_odd_metadata(self, refund: Refund) -> None:
        take_in(refund, answer_for(refund, "succeeded", metadata={"refund_id": str(refund.pk), "attempt": "first"}))
        assert again(refund).state == "succeeded"


@pytest.mark.gap("1.3")
@pytest.mark.rule("M9")
class TestExternal:
    def answer(self, payment: Payment, status: str = "succeeded", **values: Any) -> GatewayRefund:
        given = {"id": "re_dash", "amount": 1500, "metadata": {}, "balance_transaction_id": "txn_dash", **values}
        return answer_for(Refund(payment=payment, amount=0, currency="USD"), status, **given)

    def record(self, payment: Payment, answer: GatewayRefund) -> Refund | None:
        return refund_sync.record_external(payment_id=payment.pk, answer=answer, at=timezone.now(), by=SYSTEM)

    def test_is_recorded_booked_and_settled_once(self, shop: Shop) -> None:
        payment = paid_payment()
        for _ in range(2):
            self.record(payment, self.answer(payment))
        found = payment.refunds.get()
        assert (found.source, found.state, found.amount, found.requested_by_id) == ("external", "succeeded", 1500, None)
        assert postings_of(found) == ["requested", ""]
        assert (again(payment).amount_refunded, shop.words()) == (1500, ["paid", "refunded 1500 of 1500"])

    @pytest.mark.parametrize("status", ["failed", "canceled"])
    def test_leaves_out_what_never_moved_money(self, status: str) -> None:
        payment = paid_payment()
        assert self.record(payment, self.answer(payment, status, balance_transaction_id=None)) is None
        assert not payment.refunds.exists()

    def test_records_one_that_went_out_and_came_back(self) -> None:
        payment = paid_payment()
        found = self.record(payment, self.answer(payment, "failed", failure_balance_transaction_id="txn_back"))
        assert found is not None
        assert (again(found).state, postings_of(found)) == ("failed", ["requested", "", "reversal"])
        assert balances.balance(STRIPE_BALANCE, "USD") == 5000 - 175

    def test_follows_a_pending_one_to_its_end(self) -> None:
        payment = paid_payment()
        self.record(payment, self.answer(payment, "pending", balance_transaction_id=None))
        assert payment.refunds.get().state == "pending"
        self.record(payment, self.answer(payment))
        assert payment.refunds.get().state == "succeeded"

    def test_leaves_ours_to_fail_at_stripe(self) -> None:
        payment = paid_payment()
        ours = requested_refund(payment, 5000)
        self.record(payment, self.answer(payment, amount=5000))
        assert refunds.refundable(again(payment)).amount == 0
        hear(ours, "failed", booked=False)
        assert again(payment).state == "refunded"
        assert set(left(payment).values()) == {0}

    @pytest.mark.gap("6.2")
    @pytest.mark.parametrize("amount", [None, 1500])
    def test_arrives_by_webhook_from_stripes_dashboard(self, till: Till, amount: int | None, books: Callable[[], None]) -> None:
        payment = payment_at_stripe(till.sandbox)
        till.control.refund_from_dashboard(payment.stripe_payment_intent_id or "", amount=amount)
        till.settle()
        assert [(row.source, row.state, row.amount) for row in payment.refunds.all()] == [("external", "succeeded", amount or 5000)]
        assert again(payment).state == ("partially_refunded" if amount else "refunded")
        books()


@pytest.mark.gap("6.2")
@pytest.mark.gap("1.3")
class TestAtStripe:
    """The same over the wire."""

    @pytest.mark.parametrize("outcome", ["succeeded", "failed"])
    def test_waits_for_a_pending_refund(self, till: Till, outcome: str, books: Callable[[], None]) -> None:
        payment = payment_at_stripe(till.sandbox)
        till.control.next_refunds("pending")
        refund = requested_refund(payment, 2000)
        till.work()
        assert again(refund).state == Refund.State.PENDING
        stripe_id = again(refund).stripe_refund_id or ""
        (till.control.settle_refund if outcome == "succeeded" else till.control.fail_refund)(stripe_id)
        till.settle()
        assert again(refund).state == outcome
        books()

    @pytest.mark.parametrize("policy", ["platform", "organizer"])
    def test_takes_back_a_refund_that_fails_days_later(self, till: Till, books: Callable[[], None], policy: str) -> None:
        payment = payment_at_stripe(till.sandbox, organization=OrganizationFactory.create(refund_fee_policy=policy))
        earned = again(payment).earned
        refund = requested_refund(payment)
        till.settle()
        assert again(payment).state == "refunded"
        till.control.fail_refund(again(refund).stripe_refund_id or "")
        till.settle()
        assert (again(refund).state, again(payment).state, again(payment).amount_refunded) == ("failed", "succeeded", 0)
        assert again(payment).earned == earned
        assert list(earned_matches()) == []
        books()
        refund_approval.retry(refund_id=refund.pk, by=finance())
        till.settle()
        assert (again(refund).state, again(payment).state) == ("succeeded", "refunded")
        books()

    @pytest.mark.parametrize("mode", ["duplicate", "reorder", "hold", "bad_signature", "stale"])
    def test_comes_to_the_same_end_however_webhooks_arrive(self, till: Till, mode: str, books: Callable[[], None], shop: Shop) -> None:
        payment = payment_at_stripe(till.sandbox)
        till.control.delivery(mode)
        refund = requested_refund(payment, 2000)
        till.work()
        till.control.release()
        till.settle()
        assert again(refund).state == "succeeded"
        assert shop.words() == ["paid", "refunded 2000 of 2000"]
        assert posting.posted(f"refund:{refund.pk}")
        books()

    def test_follows_a_refund_that_is_cancelled_at_stripe(self, till: Till, books: Callable[[], None]) -> None:
        payment = payment_at_stripe(till.sandbox)
        till.control.next_refunds("requires_action")
        refund = requested_refund(payment, 2000)
        till.work()
        assert again(refund).state == Refund.State.REQUIRES_ACTION
        client_of(till).v1.refunds.cancel(again(refund).stripe_refund_id or "")
        till.settle()
        assert (again(refund).state, again(payment).amount_refunded) == ("cancelled", 0)
        books()


def client_of(till: Till) -> Any:
    """Somebody in Stripe's dashboard."""
    return stripe.StripeClient("sk_test_dashboard", base_addresses={"api": till.sandbox.url})


class TestOnce:
    def test_is_held_by_the_database(self) -> None:
        payment = paid_payment()
        hear(requested_refund(payment, 1000), "succeeded")
        other = requested_refund(payment, 1000)
        taken = payment.refunds.get(state="succeeded")
        for column in ("stripe_refund_id", "stripe_balance_transaction_id"):
            with pytest.raises(IntegrityError, match=column), transaction.atomic():
                Refund.objects.filter(pk=other.pk).update(**{column: getattr(taken, column)})
