"""How Stripe's answers and refusals are translated, and what is kept of each call."""

import json
import sys
from typing import Any

import pgtrigger
import pytest
import stripe
from django.apps import apps
from django.db import transaction
from django.utils import timezone

from billing import commands, fulfillment, invariants
from billing.fulfillment import Fulfillment
from billing.gateway import answers
from billing.gateway.base import GatewayBusy, GatewayError, GatewayIntent, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.gateway.stripe_gateway import StripeGateway, _translated
from billing.models import Payment, Refund, StripeCommand
from core.outside_calls import OutsideCallInTransaction
from ledger import invariants as ledger_invariants
from ledger import posting
from ledger.chart import PLATFORM_FEES, STRIPE_BALANCE
from ledger.invariants import registered, violations
from ledger.posting import Entry
from notifications.models import Message
from organizations import belongings, seating
from tests.billing.conftest import Shop, Till
from tests.billing.test_refund_books import hear
from tests.factories.billing import again, finance, intent_for, paid_payment, payment_at_stripe, pending_payment, requested_refund
from tests.factories.people import personas

pytestmark = pytest.mark.django_db


class TestTranslated:
    @pytest.mark.gap("9.8")
    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (None, None, GatewayUnknown),
            (400, "amount_too_large", GatewayRefused),
            (401, None, GatewayRefused),
            (402, "card_declined", GatewayRefused),
            (404, "resource_missing", GatewayRefused),
            (409, None, GatewayBusy),
            (409, "idempotency_key_in_use", GatewayBusy),
            (400, "lock_timeout", GatewayBusy),
            (429, "rate_limit", GatewayBusy),
            (429, None, GatewayBusy),
            (500, None, GatewayUnknown),
            (503, None, GatewayUnknown),
        ],
    )
    def test_tells_no_from_not_now_from_unknown(self, status: int | None, code: str | None, kind: type[GatewayError]) -> None:
        error = stripe.StripeError("No.", http_status=status)
        error.code = code
        found = _translated(error)
        assert (type(found), found.code) == (kind, code or "")
        assert getattr(found, "answered", None) == ((status or 0) >= 500 if kind is GatewayUnknown else None)

    @pytest.mark.parametrize("error", [json.JSONDecodeError("cut", "", 0), OSError("gone")])
    def test_takes_an_answer_cut_short_for_none(self, till: Till, error: Exception) -> None:
        def call() -> None:
            raise error

        with pytest.raises(GatewayUnknown):
            StripeGateway()._ask(call)


class TestGateway:
    def test_is_patient_for_workers_only(self, till: Till, settings: Any) -> None:
        settings.STRIPE_NETWORK_RETRIES = 2
        gateway.cache_clear()
        till.control.fault("reset_before", method="GET", count=2)
        assert not any(gateway().balance().values())
        till.control.fault("reset_before", method="GET")
        with pytest.raises(GatewayUnknown):
            gateway(patient=False).retrieve_intent("pi_x")
        assert gateway() is gateway()

    @pytest.mark.rule("M10")
    def test_refuses_every_call_inside_a_transaction(self, till: Till) -> None:
        calls: list[Any] = [
            lambda: gateway().balance(),
            lambda: gateway().retrieve_intent("pi_x"),
            lambda: gateway().retrieve_refund("re_x"),
            lambda: gateway().retrieve_dispute("du_x"),
            lambda: gateway().retrieve_checkout_session("cs_x"),
            lambda: gateway().create_refund({}, key="k"),
            lambda: gateway().create_checkout_session({}, key="k"),
            lambda: gateway().expire_checkout_session("cs_x", key="k"),
            lambda: list(gateway().refunds_of("pi_x")),
            lambda: list(gateway().events_since(timezone.now())),
        ]
        for call in calls:
            with transaction.atomic(), pytest.raises(OutsideCallInTransaction):
                call()
        assert till.control.requests(path="/v1/refunds") == []

    def test_pages_through_long_lists(self, till: Till) -> None:
        payment = payment_at_stripe(till.sandbox, amount=50_000)
        for _ in range(101):
            till.control.refund_from_dashboard(payment.stripe_payment_intent_id or "", amount=1)
        assert len(list(gateway().refunds_of(payment.stripe_payment_intent_id or ""))) == 101
        assert len([event for event in gateway().events_since(timezone.now()) if '"refund.created"' in event.body]) <= 101

    def test_adds_up_available_and_pending_by_currency(self, till: Till) -> None:
        payment_at_stripe(till.sandbox, amount=5000)
        payment_at_stripe(till.sandbox, amount=7000, currency="JPY", card="4000000000000077")
        found = gateway().balance()
        assert found == {"USD": 5000 - 175, "JPY": found["JPY"]}
        assert 6000 < found["JPY"] < 7000


class Bare:
    """An object of Stripe's with the fields that a test names, and no others."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class TestAnswers:
    def test_read_an_intent_whose_charge_is_not_expanded_or_absent(self) -> None:
        given = {"id": "pi_1", "status": "processing", "amount_received": None, "currency": "usd", "metadata": None, "created": 7}
        for charge in ("ch_1", None):
            found = answers.intent(Bare(**given, latest_charge=charge, last_payment_error=None))
            assert (found.charge_id, found.amount_received, found.currency, found.balance_transaction) == (charge, 0, "USD", None)
            assert found.happened_at is not None
            assert found.error == ""

    def test_read_an_error_without_words(self) -> None:
        intent = Bare(
            id="pi_1",
            status="requires_payment_method",
            amount_received=0,
            currency="usd",
            metadata=None,
            created=None,
            latest_charge=Bare(id="ch_1", created=None, balance_transaction="txn_1"),
            last_payment_error=Bare(message=None),
        )
        found = answers.intent(intent)
        assert (found.charge_id, found.balance_transaction, found.error, found.happened_at) == ("ch_1", None, "", None)

    def test_read_a_dispute_without_a_due_day(self) -> None:
        given = {"id": "du_1", "status": "won", "amount": 1, "currency": "usd", "reason": "general", "charge": "", "payment_intent": ""}
        found = answers.dispute(Bare(**given, evidence_details=None, created=None, balance_transactions=None))
        assert (found.charge_id, found.payment_intent_id, found.due_by) == ("", None, None)
        assert (found.submission_count, found.opened_at, found.movements) == (0, None, ())


class TestCommands:
    def made(self, **values: Any) -> StripeCommand:
        subject = pending_payment()
        return commands.prepare(
            **{"operation": "x.create", "key": "x-1", "parameters": {"a": 1}, "subject": subject, "organization_id": None, **values}
        )

    def test_keep_the_parameters_of_the_first_call(self) -> None:
        first = self.made()
        assert self.made(parameters={"a": 2}) == first
        assert StripeCommand.objects.get().parameters == {"a": 1}
        assert first.public_id.startswith("cmd_")

    @pytest.mark.gap("9.8")
    @pytest.mark.parametrize(
        ("error", "state", "stored"),
        [
            (GatewayRefused("no", code="c"), "failed", False),
            (GatewayBusy("later"), "unknown", False),
            (GatewayUnknown("lost"), "unknown", False),
            (GatewayUnknown("500", answered=True), "unknown", True),
        ],
    )
    def test_keep_how_it_ended(self, error: GatewayError, state: str, stored: bool) -> None:
        command = self.made()

        def call(parameters: dict[str, Any], key: str) -> Any:
            assert StripeCommand.objects.get().state == "sent"
            raise error

        with pytest.raises(type(error)):
            commands.perform(command, call)
        kept = StripeCommand.objects.get()
        assert (kept.state, kept.calls, commands.has_stored_error(kept)) == (state, 1, stored)
        assert str(error) in kept.error

    def test_are_called_again_after_success_and_keep_it(self) -> None:
        command = self.made()
        for _ in range(2):
            assert commands.perform(command, lambda parameters, key: intent_for(Payment(amount=1, currency="USD")))
        with pytest.raises(GatewayRefused):
            commands.perform(command, self.refuse)
        with pytest.raises(GatewayBusy):
            commands.perform(command, self.be_busy)
        kept = StripeCommand.objects.get()
        assert (kept.state, kept.calls, kept.error) == ("succeeded", 1, "")

    @staticmethod
    def refuse(parameters: dict[str, Any], key: str) -> GatewayIntent:
        raise GatewayRefused("no")

    @staticmethod
    def be_busy(parameters: dict[str, Any], key: str) -> GatewayIntent:
        raise GatewayBusy("later")

    def test_are_seen_by_staff_only(self) -> None:
        self.made()
        assert StripeCommand.objects.visible_to(finance()).count() == 1
        assert StripeCommand.objects.visible_to(personas().as_alice).count() == 0


class TestFulfillment:
    def test_has_one_handler_for_each_purpose(self, shop: Shop) -> None:
        with pytest.raises(RuntimeError, match="two fulfillment handlers for 'test'"):
            fulfillment.register("test", shop)
        assert "test" in fulfillment.purposes()
        assert fulfillment.handler_for("test") is shop
        with pytest.raises(KeyError):
            fulfillment.handler_for("nothing")

    def test_can_be_registered_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fulfillment, "_handlers", {})
        handler: Fulfillment = Shop()
        fulfillment.register("mugs", handler)
        assert fulfillment.purposes() == {"mugs"}
        payment = Payment(responsible_id=None)
        assert handler.responsible(payment) is None


class TestInvariants:
    def test_hold_after_the_main_line(self, till: Till) -> None:
        payment = payment_at_stripe(till.sandbox)
        requested_refund(payment, 2000)
        till.settle()
        assert {name for name, found in violations().items() if not found} >= {
            "trial_balance", "refunded_within_captured", "refunds_in_flight", "stripe_balance",
        }  # fmt: skip
        assert {invariant.name for invariant in registered()} >= {"stripe_balance", "trial_balance"}

    def test_name_the_payment_that_does_not_agree(self) -> None:
        payment = paid_payment()
        hear(requested_refund(payment, 2000), "succeeded")
        assert list(invariants.refunded_within_captured()) == []
        with pgtrigger.ignore():
            Payment.objects.filter(pk=payment.pk).update(amount_refunded=1999)
        assert list(invariants.refunded_within_captured()) == [f"{payment.public_id}: refunds and what was captured do not agree."]

    def test_name_what_the_books_hold_in_flight_too_much(self) -> None:
        payment = paid_payment()
        requested_refund(payment, 2000)
        assert list(invariants.refunds_in_flight_match()) == []
        Refund.objects.create(payment=payment, amount=300, currency="USD", reason="other", source="api")
        assert list(invariants.refunds_in_flight_match()) == ["The books hold -3.00 USD more in flight than the refunds do."]

    def test_name_what_stripe_has_and_we_have_not(self, till: Till, settings: Any) -> None:
        payment_at_stripe(till.sandbox)
        entries = [Entry(STRIPE_BALANCE, 7), Entry(PLATFORM_FEES, -7)]
        posting.post(reference="odd", description="Odd", currency="EUR", entries=entries, occurred_at=timezone.now())
        assert list(invariants.stripe_balance_matches()) == ["The books say 0.07 EUR, Stripe says 0.00 EUR."]
        till.control.fault("rate_limit", method="GET")
        (sentence,) = invariants.stripe_balance_matches()
        assert sentence.startswith("Stripe could not be asked: ")


class TestReady:
    def test_loads_stripes_library_in_a_worker_before_its_first_task(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ledger_invariants, "_invariants", {})
        monkeypatch.setattr(belongings, "_answers", {})
        monkeypatch.setattr(seating, "_answers", [])
        settings.PROCESS = "worker"
        apps.get_app_config("billing").ready()
        assert "stripe_balance" in {invariant.name for invariant in registered()}
        assert "billing.gateway.stripe_gateway" in sys.modules


class TestEmails:
    def test_tell_the_payer_each_thing_once(self, till: Till) -> None:
        payment = pending_payment()
        till.pay(payment, card="4000000000000002")
        till.work()
        till.pay(payment)
        till.settle()
        first = requested_refund(payment, 2000)
        till.settle()
        till.control.fail_refund(again(first).stripe_refund_id or "")
        till.settle()
        messages = {message.kind: message for message in Message.objects.all()}
        assert set(messages) == {"payment_failed", "payment_receipt", "refund_requested", "refund_settled", "refund_failed"}
        assert {message.to for message in messages.values()} == {"zoe@example.org"}
        assert {message.organization_id for message in messages.values()} == {payment.organization_id}
        assert "Your card was declined." in messages["payment_failed"].text
        assert "50.00 USD" in messages["payment_receipt"].text
        assert "20.00 USD" in messages["refund_settled"].text
        assert messages["refund_settled"].related_id == first.pk
        assert again(payment).state == "succeeded"
