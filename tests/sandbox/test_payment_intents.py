"""Payment intents: cards that pay, decline, ask for 3-D Secure; currencies; states."""

from typing import Any

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.sandbox.paying import balance, booked_intent, paid_intent


class TestConfirm:
    def test_charges_the_card(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client, metadata={"payment": "p1"}, description="Workshop", transfer_group="g1")

        charge = client.v1.charges.retrieve(intent.latest_charge)
        assert (intent.status, intent.amount_received) == ("succeeded", 5000)
        assert (charge.paid, charge.amount, charge.payment_intent) == (True, 5000, intent.id)
        assert (charge.metadata["payment"], charge.description, charge.transfer_group) == ("p1", "Workshop", "g1")

    def test_answers_a_declined_card_with_its_reason_and_keeps_the_failed_charge(self, client: stripe.StripeClient) -> None:
        with pytest.raises(stripe.CardError) as declined:
            paid_intent(client, card="pm_card_chargeDeclinedInsufficientFunds")

        assert (declined.value.code, declined.value.http_status) == ("card_declined", 402)
        assert declined.value.error is not None
        assert declined.value.error.decline_code == "insufficient_funds"
        charge = client.v1.charges.list().data[0]
        assert (charge.status, charge.failure_code, charge.paid) == ("failed", "card_declined", False)
        assert client.v1.payment_intents.list().data[0].status == "requires_payment_method"
        assert [e.type for e in client.v1.events.list().data] == [
            "payment_intent.payment_failed",
            "charge.failed",
            "payment_intent.created",
        ]

    def test_succeeds_with_another_card_after_a_decline(self, client: stripe.StripeClient) -> None:
        intent = client.v1.payment_intents.create({"amount": 5000, "currency": "usd"})
        with pytest.raises(stripe.CardError):
            client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})

        again = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})

        assert (again.status, again.last_payment_error) == ("succeeded", None)
        assert [c.status for c in client.v1.charges.list({"payment_intent": intent.id}).data] == ["succeeded", "failed"]

    def test_waits_for_3d_secure(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client, card="pm_card_authenticationRequired", return_url="http://example.test/back")

        assert intent.status == "requires_action"
        assert "/c/3ds/" in intent.next_action.redirect_to_url.url
        assert client.v1.charges.list().data == []

    @pytest.mark.parametrize(("passed", "status", "charges"), [(True, "succeeded", 1), (False, "requires_payment_method", 0)])
    def test_goes_on_when_3d_secure_is_answered(
        self, sandbox: Sandbox, client: stripe.StripeClient, passed: bool, status: str, charges: int
    ) -> None:
        intent = paid_intent(client, card="pm_card_authenticationRequired")

        assert sandbox.control.answer_challenge(intent.id, passed=passed)["status"] == status

        assert len(client.v1.charges.list().data) == charges

    def test_refuses_a_second_confirmation(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)

        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.payment_intents.confirm(intent.id)

        assert refused.value.code == "payment_intent_unexpected_state"
        assert len(client.v1.charges.list().data) == 1

    def test_refuses_an_intent_without_a_payment_method(self, client: stripe.StripeClient) -> None:
        intent = client.v1.payment_intents.create({"amount": 5000, "currency": "usd"})

        with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
            client.v1.payment_intents.confirm(intent.id)


class TestAmounts:
    @pytest.mark.parametrize(
        ("amount", "currency", "code"),
        [
            (49, "usd", "amount_too_small"),
            (49, "jpy", "amount_too_small"),
            (29, "gbp", "amount_too_small"),
            (100_000_000, "usd", "amount_too_large"),
            (5001, "kwd", "invalid_charge_amount"),
            (12_345, "isk", "invalid_charge_amount"),
        ],
    )
    def test_are_refused_below_the_minimum_above_the_maximum_and_off_the_step(
        self, client: stripe.StripeClient, amount: int, currency: str, code: str
    ) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            paid_intent(client, amount, currency)

        assert (refused.value.code, refused.value.param) == (code, "amount")
        assert client.v1.payment_intents.list().data == []

    @pytest.mark.parametrize(
        ("amount", "currency", "fee"),
        [(5000, "usd", 175), (50, "usd", 31), (10_000, "jpy", 320), (25_000, "kwd", 830), (1000, "eur", 59), (20_000, "isk", 630)],
    )
    def test_bear_a_fee_in_the_currencys_own_units(
        self, sandbox: Sandbox, client: stripe.StripeClient, amount: int, currency: str, fee: int
    ) -> None:
        booked_intent(sandbox, client, amount, currency)

        movement = client.v1.balance_transactions.list().data[0]
        assert (movement.amount, movement.fee, movement.net, movement.currency) == (amount, fee, amount - fee, currency)
        assert balance(client, currency) == amount - fee

    def test_are_refused_in_an_unknown_currency(self, client: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError, match="Invalid currency: xyz"):
            paid_intent(client, 5000, "xyz")


class TestMoney:
    def test_is_pending_for_two_days_and_then_available(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        booked_intent(sandbox, client)
        before = client.v1.balance.retrieve()
        assert (before.available[0].amount, before.pending[0].amount) == (0, 4825)

        sandbox.control.advance(2 * 86_400)

        after = client.v1.balance.retrieve()
        assert (after.available[0].amount, after.pending[0].amount) == (4825, 0)
        assert client.v1.balance_transactions.list().data[0].status == "available"

    def test_is_available_at_once_with_the_card_for_it(self, client: stripe.StripeClient) -> None:
        paid_intent(client, card="pm_card_bypassPending")

        assert client.v1.balance.retrieve().available[0].amount == 4825

    def test_is_booked_before_the_answer_without_a_delay(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.settings(balance_transaction_delay=0)

        intent = paid_intent(client, expand=["latest_charge.balance_transaction"])

        assert intent.latest_charge.balance_transaction.net == 4825
        assert client.v1.events.list({"type": "charge.updated"}).data == []


class TestUpdateAndCancel:
    def test_merges_metadata(self, client: stripe.StripeClient) -> None:
        intent = client.v1.payment_intents.create({"amount": 5000, "currency": "usd", "metadata": {"a": "1", "b": "2"}})

        changed = client.v1.payment_intents.update(intent.id, {"metadata": {"b": "", "c": "3"}, "amount": 6000})

        assert changed.to_dict()["metadata"] == {"a": "1", "c": "3"}
        assert changed.amount == 6000

    def test_changes_an_open_intent_and_hardly_a_paid_one(self, client: stripe.StripeClient) -> None:
        intent = client.v1.payment_intents.create({"amount": 5000, "currency": "usd", "payment_method": "pm_card_chargeDeclined"})
        assert intent.status == "requires_confirmation"

        changed = client.v1.payment_intents.update(intent.id, {"payment_method": "pm_card_visa", "currency": "eur"})
        assert client.v1.payment_intents.confirm(changed.id).status == "succeeded"

        assert client.v1.payment_intents.update(intent.id, {"description": "Late"}).description == "Late"
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.payment_intents.update(intent.id, {"amount": 6000})
        assert refused.value.code == "payment_intent_unexpected_state"

    def test_cancels_an_open_intent_once(self, client: stripe.StripeClient) -> None:
        intent = client.v1.payment_intents.create({"amount": 5000, "currency": "usd"})

        canceled = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

        assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.payment_intents.cancel(intent.id)
        assert len(client.v1.events.list({"type": "payment_intent.canceled"}).data) == 1

    def test_refuses_to_cancel_a_paid_one(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client)

        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.payment_intents.cancel(intent.id)

        assert refused.value.code == "payment_intent_unexpected_state"


class TestPaymentMethods:
    def test_are_attached_listed_and_detached(self, client: stripe.StripeClient) -> None:
        customer = client.v1.customers.create({"email": "a@example.com", "metadata": {"user": "u1"}})
        method = client.v1.payment_methods.create({"type": "card", "card": {"token": "pm_card_mastercard"}})

        client.v1.payment_methods.attach(method.id, {"customer": customer.id})

        assert [m.id for m in client.v1.customers.payment_methods.list(customer.id).data] == [method.id]
        client.v1.payment_methods.detach(method.id)
        assert client.v1.customers.payment_methods.list(customer.id).data == []

    def test_are_refused_with_an_unknown_number(self, client: stripe.StripeClient) -> None:
        given: Any = {"type": "card", "card": {"number": "1234123412341234", "exp_month": 1, "exp_year": 2035}}

        with pytest.raises(stripe.CardError) as refused:
            client.v1.payment_methods.create(given)

        assert refused.value.code == "incorrect_number"

    def test_are_changed_and_found_by_token_only_when_known(self, client: stripe.StripeClient) -> None:
        method = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}, "metadata": {"a": "1"}})

        changed = client.v1.payment_methods.update(method.id, {"metadata": {"b": "2"}, "billing_details": {"name": "Ana"}})

        assert (changed.to_dict()["metadata"], changed.billing_details.name) == ({"a": "1", "b": "2"}, "Ana")
        assert client.v1.payment_methods.retrieve(method.id).billing_details.name == "Ana"
        assert client.v1.payment_methods.list({"customer": "cus_unknown"}).data == []
        with pytest.raises(stripe.InvalidRequestError) as unknown:
            client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_unknown"}})
        with pytest.raises(stripe.InvalidRequestError) as missing:
            client.v1.payment_methods.create({"type": "card"})
        with pytest.raises(stripe.InvalidRequestError, match="type card only"):
            client.v1.payment_methods.create({"type": "klarna"})
        with pytest.raises(stripe.InvalidRequestError, match="not attached"):
            client.v1.payment_methods.detach(method.id)
        assert (unknown.value.code, missing.value.code) == ("resource_missing", "parameter_missing")


class TestCharges:
    def test_are_changed_and_say_so(self, client: stripe.StripeClient) -> None:
        charge = client.v1.charges.retrieve(paid_intent(client).latest_charge)

        changed = client.v1.charges.update(charge.id, {"description": "Invoice 7", "metadata": {"a": "1"}})

        assert (changed.description, changed.to_dict()["metadata"]) == ("Invoice 7", {"a": "1"})
        updated = client.v1.events.list({"type": "charge.updated"}).data[0].to_dict()
        assert updated["data"]["previous_attributes"] == {"description": None, "metadata": {}}


class TestCustomers:
    def test_may_come_with_a_payment_method(self, client: stripe.StripeClient) -> None:
        customer = client.v1.customers.create({"payment_method": "pm_card_visa"})

        intent = client.v1.payment_intents.create({"amount": 5000, "currency": "usd", "customer": customer.id})

        assert len(client.v1.customers.payment_methods.list(customer.id).data) == 1
        assert [i.id for i in client.v1.payment_intents.list({"customer": customer.id}).data] == [intent.id]
        assert client.v1.customers.update(customer.id, {"metadata": {"a": "1"}}).to_dict()["metadata"] == {"a": "1"}

    def test_are_deleted_once(self, client: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.customers.delete("cus_unknown")

        assert refused.value.code == "resource_missing"

    def test_are_updated_and_deleted(self, client: stripe.StripeClient) -> None:
        customer = client.v1.customers.create({"email": "a@example.com"})

        assert client.v1.customers.update(customer.id, {"name": "Ana", "email": "b@example.com"}).email == "b@example.com"
        assert [c.id for c in client.v1.customers.list({"email": "b@example.com"}).data] == [customer.id]
        assert client.v1.customers.delete(customer.id).deleted is True
        assert client.v1.customers.retrieve(customer.id).deleted is True
        assert client.v1.customers.list().data == []


class TestAccount:
    def test_is_the_platforms_own(self, client: stripe.StripeClient) -> None:
        account = client.v1.accounts.retrieve_current()

        assert client.v1.accounts.retrieve(account.id).id == account.id
        assert account.charges_enabled is True
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.accounts.retrieve("acct_unknown")
