"""Payments in line with Stripe, in every order of its words; money that comes late, twice, or in another amount."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import AuditEntry
from billing import payments
from billing.models import Payment, PaymentLine
from core.models import Job
from core.money import Money
from ledger import balances, posting
from ledger.chart import STRIPE_BALANCE, STRIPE_FEES
from ledger.models import LedgerTransaction
from tests.billing.conftest import Shop, Till
from tests.factories.billing import SYSTEM, again, fee_of, intent_for, paid_payment, pending_payment, plain_quote, sale, sync
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import personas

pytestmark = pytest.mark.django_db
WORDS = {
    "requires_action": {"status": "requires_action"},
    "processing": {"status": "processing"},
    "declined": {"status": "requires_payment_method", "error": "Your card was declined."},
}
AFTER = {"requires_action": "requires_action", "processing": "processing", "declined": "failed"}


def ended(payment: Payment, how: str) -> Payment:
    with transaction.atomic():
        getattr(payments, how)(payment=payment, at=timezone.now(), by=SYSTEM)
    return again(payment)


class TestCreate:
    def test_keeps_the_quote_and_freezes_the_terms(self) -> None:
        organization = OrganizationFactory.create(refund_fee_policy="organizer")
        payment = payments.create(
            quote=plain_quote(5000), organization=organization, sale=sale(group="evt_9"), email="zoe@example.org", name="Zoë", user_id=None
        )
        assert (payment.state, payment.due, payment.amount_captured) == ("pending", Money(5000, "USD"), 0)
        assert (payment.group, payment.refund_fee_policy, len(payment.refund_terms)) == ("evt_9", "organizer", 2)
        assert [(str(line), line.amount) for line in payment.lines.all()] == [("Ethics in practice", 5000)]
        assert str(payment) == "50.00 USD from zoe@example.org"
        assert not LedgerTransaction.objects.exists()


class TestCapture:
    @pytest.mark.rule("M7")
    def test_books_tells_audits_and_mails_once(self, shop: Shop) -> None:
        payment, at = pending_payment(), datetime(2026, 3, 1, 9, tzinfo=UTC)
        intent = intent_for(payment, balance_transaction=fee_of(payment), happened_at=at)
        for _ in range(3):
            sync(payment, intent)

        payment = again(payment)
        assert (payment.state, payment.amount_captured, payment.paid_at, payment.stripe_fee) == ("succeeded", 5000, at, 175)
        assert balances.balance(STRIPE_BALANCE, "USD") == 5000 - 175
        assert shop.words() == ["paid"]
        assert AuditEntry.objects.filter(action="payment.succeeded").count() == 1
        assert Job.objects.filter(name="billing.emails.send_receipt").count() == 1

    def test_books_the_fee_whenever_it_comes(self) -> None:
        payment = paid_payment(fee=None)
        assert (payment.stripe_fee, balances.balance(STRIPE_FEES, "USD")) == (None, 0)
        for _ in range(2):
            sync(payment, intent_for(payment, balance_transaction=fee_of(payment)))
        assert (again(payment).stripe_fee, balances.balance(STRIPE_FEES, "USD")) == (175, 175)
        assert posting.posted(f"payment:{payment.pk}:fee")

    def test_is_taken_back_whole_where_the_seller_refuses(self, shop: Shop) -> None:
        payment = pending_payment()
        shop.refuses = RuntimeError("no")
        with pytest.raises(RuntimeError), transaction.atomic():
            sync(payment, intent_for(payment))
        assert (again(payment).state, balances.balance(STRIPE_BALANCE, "USD")) == ("pending", 0)

    @pytest.mark.parametrize("values", [{"amount_received": 4999}, {"amount_received": 5001}, {"currency": "EUR"}])
    def test_books_nothing_where_another_amount_came(self, values: dict[str, Any], shop: Shop) -> None:
        payment = pending_payment()
        with pytest.raises(payments.AmountMismatch) as refused:
            sync(payment, intent_for(payment, **values))
        assert refused.value.due == Money(5000, "USD")
        assert (again(payment).state, shop.told, LedgerTransaction.objects.count()) == ("pending", [], 0)


@pytest.mark.gap("6.2")
@pytest.mark.rule("M5")
class TestSync:
    @pytest.mark.parametrize("order", list(permutations(WORDS)), ids="-".join)
    def test_follows_stripe_in_any_order_to_the_money(self, order: tuple[str, ...], shop: Shop) -> None:
        payment = pending_payment()
        for word in order:
            sync(payment, intent_for(payment, **WORDS[word]))
            sync(payment, intent_for(payment, **WORDS[word]))
            assert again(payment).state == AFTER[word]
        sync(payment, intent_for(payment))
        assert (again(payment).state, again(payment).failure_message) == ("succeeded", "")
        for word in order:
            sync(payment, intent_for(payment, **WORDS[word]))
        assert again(payment).state == "succeeded"
        assert shop.words() == ["paid"]

    def test_keeps_why_it_failed_and_mails_once(self) -> None:
        payment = pending_payment()
        for _ in range(2):
            sync(payment, intent_for(payment, **WORDS["declined"]))
        assert again(payment).failure_message == "Your card was declined."
        assert Job.objects.filter(name="billing.emails.send_payment_failed").count() == 1

    @pytest.mark.parametrize("status", ["requires_payment_method", "requires_confirmation", "canceled", "requires_capture"])
    def test_takes_a_beginning_for_no_failure(self, status: str) -> None:
        payment = pending_payment()
        sync(payment, intent_for(payment, status))
        assert again(payment).state == "pending"

    @pytest.mark.parametrize("how", ["expire", "cancel"])
    def test_lets_no_old_word_reopen_what_ended(self, how: str, shop: Shop) -> None:
        payment = ended(pending_payment(), how)
        for word in WORDS.values():
            sync(payment, intent_for(payment, **word))
        assert again(payment).state == {"expire": "expired", "cancel": "cancelled"}[how]
        assert shop.words() == ["failed"]

    @pytest.mark.rule("M2")
    @pytest.mark.parametrize("how", ["expire", "cancel"])
    def test_takes_late_money(self, how: str, shop: Shop) -> None:
        payment = ended(pending_payment(), how)
        sync(payment, intent_for(payment))
        assert again(payment).state == "succeeded"
        assert shop.words() == ["failed", "paid"]
        assert balances.balance(STRIPE_BALANCE, "USD") == 5000

    @pytest.mark.rule("M4")
    def test_refuses_a_second_charge_and_keeps_the_first(self) -> None:
        payment = paid_payment()
        with pytest.raises(payments.SecondCharge) as refused:
            sync(payment, intent_for(payment, id="pi_second"))
        assert (refused.value.intent_id, again(payment).stripe_payment_intent_id) == ("pi_second", f"pi_{payment.pk}")
        assert balances.balance(STRIPE_BALANCE, "USD") == 5000 - 175
        sync(payment, intent_for(payment, "canceled", id="pi_third"))
        assert again(payment).state == "succeeded"

    def test_moves_to_the_next_sessions_intent(self) -> None:
        payment = pending_payment()
        sync(payment, intent_for(payment, **WORDS["declined"], id="pi_first"))
        sync(payment, intent_for(payment, "processing", id="pi_second"))
        for late in ("canceled", "requires_payment_method"):
            sync(payment, intent_for(payment, late, id="pi_first"))
        assert (again(payment).stripe_payment_intent_id, again(payment).state) == ("pi_second", "processing")


class TestEnd:
    def test_lets_go_of_what_was_held(self, shop: Shop) -> None:
        assert ended(pending_payment(), "expire").state == "expired"
        assert ended(pending_payment(), "cancel").state == "cancelled"
        assert shop.words() == ["failed", "failed"]
        assert set(AuditEntry.objects.values_list("action", flat=True)) == {"payment.expired", "payment.cancelled"}

    def test_can_cancel_what_expired(self) -> None:
        assert ended(ended(pending_payment(), "expire"), "cancel").state == "cancelled"


class TestVisibleTo:
    def test_is_the_organizations_own(self) -> None:
        people = personas()
        payment = paid_payment(organization=people.organization)
        assert payments.locked(payment.pk, people.as_alice) == payment
        assert payments.locked(payment.pk, people.as_charlie) is None


class TestDatabase:
    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"amount": 0}, "payment_amount_positive"),
            ({"amount_captured": -1}, "payment_amounts_not_negative"),
            ({"amount_disputed": -1}, "payment_amounts_not_negative"),
            ({"amount_refunded": 5001}, "payment_refunded_within_captured"),
            ({"currency": "XXX"}, "payment_currency_known"),
            ({"state": "refunded"}, "payment_refunded_is_all"),
            ({"state": "partially_refunded"}, "payment_partially_refunded_is_part"),
            ({"amount_refunded": 1}, "payment_succeeded_is_whole"),
            ({"state": "pending"}, "no move from"),
        ],
    )
    def test_refuses_what_cannot_be(self, values: dict[str, Any], constraint: str) -> None:
        payment = paid_payment()
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Payment.objects.filter(pk=payment.pk).update(**values)

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"position": 0}, "payment_line_position"),
            ({"amount": -1}, "payment_line_sign"),
            ({"kind": "discount"}, "payment_line_sign"),
            ({"kind": "tax"}, "payment_line_tax_jurisdiction"),
        ],
    )
    def test_refuses_a_line_that_cannot_be(self, values: dict[str, Any], constraint: str) -> None:
        payment = pending_payment()
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            PaymentLine.objects.create(**{"payment": payment, "position": 1, "kind": "price", "description": "x", "amount": 1, **values})


@pytest.mark.gap("6.2")
class TestAtStripe:
    """The same over the wire, through Checkout and webhooks."""

    @pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", "ISK"])
    def test_succeeds_in_every_kind_of_currency(self, till: Till, currency: str, books: Callable[[], None]) -> None:
        payment = pending_payment(amount=50_000, currency=currency)
        till.pay(payment)
        till.settle()
        assert (again(payment).state, again(payment).amount_captured) == ("succeeded", 50_000)
        assert again(payment).stripe_fee
        books()

    def test_is_declined_and_paid_with_another_card(self, till: Till, shop: Shop, books: Callable[[], None]) -> None:
        payment = pending_payment()
        assert till.pay(payment, card="4000000000000002")["error"]
        till.work()
        assert (again(payment).state, again(payment).failure_message) == ("failed", "Your card was declined.")
        till.pay(payment)
        till.settle()
        assert again(payment).state == "succeeded"
        assert shop.words() == ["paid"]
        books()

    @pytest.mark.parametrize(("challenge", "state"), [("pass", "succeeded"), ("fail", "failed")])
    def test_asks_the_bank(self, till: Till, challenge: str, state: str) -> None:
        payment = pending_payment()
        till.pay(payment, card="4000002760003184", challenge=challenge)
        till.settle()
        assert again(payment).state == state

    @pytest.mark.parametrize(("succeeds", "state"), [(True, "succeeded"), (False, "failed")])
    def test_waits_for_the_bank(self, till: Till, succeeds: bool, state: str) -> None:
        payment = pending_payment()
        till.pay(payment, outcome="processing_until_settled")
        till.work()
        assert again(payment).state == "processing"
        till.control.settle_payment(again(payment).stripe_payment_intent_id or "", succeeds=succeeds)
        till.settle()
        assert again(payment).state == state

    @pytest.mark.parametrize("mode", ["duplicate", "reorder", "hold"])
    def test_comes_to_the_same_end_however_webhooks_arrive(self, till: Till, mode: str, shop: Shop, books: Callable[[], None]) -> None:
        payment = pending_payment()
        till.control.delivery(mode)
        till.pay(payment)
        till.work()
        till.control.release()
        till.settle()
        till.control.release()
        till.work()
        assert (again(payment).state, shop.words()) == ("succeeded", ["paid"])
        books()
