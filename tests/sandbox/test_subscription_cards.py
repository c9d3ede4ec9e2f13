"""Cards of subscriptions in the stand-in: 3-D Secure, cards that fail later, dunning to its end, the pages where cards are changed."""

from typing import Any

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.sandbox.test_pages import visit
from tests.sandbox.test_subscriptions import DAY, invoices, price, subscribed, types

ASKS, ASKS_ONCE, FAILS_LATER = "4000002760003184", "4000002500003155", "4000000000000341"


def page(client: stripe.StripeClient, **data: Any) -> stripe.checkout.Session:
    customer = client.v1.customers.create({"email": "a@example.org"}).id
    given: Any = {
        "mode": "subscription",
        "customer": customer,
        "line_items": [{"price": price(client), "quantity": 1}],
        "success_url": "https://cpd.example/done",
        **({"subscription_data": data} if data else {}),
    }
    return client.v1.checkout.sessions.create(given)


def status(client: stripe.StripeClient, subscription_id: str) -> str:
    return client.v1.subscriptions.retrieve(subscription_id).status


def with_card(client: stripe.StripeClient, subscription_id: str, card: str) -> None:
    given: Any = {"default_payment_method": card}
    client.v1.subscriptions.update(subscription_id, given)


class TestCheckout:
    def test_asks_for_three_d_secure_before_there_is_a_subscription(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        session = page(client)
        asked = sandbox.control.pay(session.id, card=ASKS)
        assert (asked["error"], asked["session"]["status"], asked["session"]["subscription"]) == (None, "open", None)

        refused = sandbox.control.pay(session.id, card=ASKS, challenge="fail")
        assert (refused["error"]["code"], refused["session"]["status"]) == ("payment_intent_authentication_failure", "open")
        assert client.v1.subscriptions.list({"customer": str(session.customer)}).data == []

        paid = sandbox.control.pay(session.id, card=ASKS, challenge="pass")["session"]
        assert (paid["status"], paid["payment_status"], status(client, paid["subscription"])) == ("complete", "paid", "active")

    def test_asks_on_its_page_too(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        session = page(client)
        _, _, asking = visit(sandbox, str(session.url), {"card": ASKS, "email": "a@example.org", "name": "A"})
        assert asking.endswith(f"/c/3ds/{session.id}")
        assert "49.00 USD" in visit(sandbox, asking)[1]
        code, shown, _ = visit(sandbox, asking, {"answer": "fail"})
        assert (code, "failed authentication" in shown) == (200, True)
        assert "waits for no answer" in visit(sandbox, asking, {"answer": "complete"})[1]

        visit(sandbox, str(session.url), {"card": ASKS, "email": "a@example.org", "name": "A"})
        assert visit(sandbox, asking, {"answer": "complete"})[2] == "https://cpd.example/done"

    def test_takes_a_card_for_a_trial_that_fails_later(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        assert sandbox.control.pay(page(client).id, card=FAILS_LATER)["error"]["code"] == "card_declined"
        session = page(client, trial_end=int(sandbox.control.now()) + 5 * DAY)
        made = sandbox.control.pay(session.id, card=FAILS_LATER)["session"]["subscription"]
        assert status(client, made) == "trialing"
        sandbox.control.advance(3 * DAY)
        assert types(sandbox).count("customer.subscription.trial_will_end") == 1
        sandbox.control.advance(3 * DAY)
        assert status(client, made) == "past_due"


class TestRenewal:
    @pytest.mark.parametrize(("card", "expected"), [(ASKS, "past_due"), (ASKS_ONCE, "active")])
    def test_asks_again_only_where_the_card_does(self, sandbox: Sandbox, client: stripe.StripeClient, card: str, expected: str) -> None:
        made = sandbox.control.pay(page(client).id, card=card, challenge="pass")["session"]["subscription"]
        sandbox.control.advance(32 * DAY)
        assert status(client, made) == expected
        assert ("invoice.payment_action_required" in types(sandbox)) == (expected == "past_due")

    def test_that_the_bank_asks_about_is_paid_by_the_answer(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = sandbox.control.pay(page(client).id, card=ASKS, challenge="pass")["session"]["subscription"]
        sandbox.control.advance(32 * DAY)
        (due,) = [one for one in invoices(client, made) if one.status == "open"]
        whole = client.v1.invoices.retrieve(str(due.id), {"expand": ["payments"]})
        assert whole.payments is not None
        intent = str(whole.payments.data[0].payment.payment_intent)

        sandbox.control.answer_challenge(intent, passed=False)
        assert (status(client, made), types(sandbox).count("invoice.payment_failed")) == ("past_due", 1)
        sandbox.control.advance(4 * DAY)  # tried again with the same intent, and asked again
        assert sandbox.control.answer_challenge(intent, passed=True)["status"] == "succeeded"
        assert (status(client, made), client.v1.invoices.retrieve(str(due.id)).status) == ("active", "paid")


class TestLastAttempt:
    @pytest.mark.parametrize(("setting", "expected"), [("cancel", "canceled"), ("unpaid", "unpaid")])
    def test_ends_as_the_account_is_set(self, sandbox: Sandbox, client: stripe.StripeClient, setting: str, expected: str) -> None:
        sandbox.control.settings(after_last_retry=setting)
        made = subscribed(client, price(client))
        with_card(client, made.id, "pm_card_chargeCustomerFail")
        sandbox.control.advance(32 * DAY)
        due = invoices(client, made.id)[0]
        assert due.next_payment_attempt is not None
        for days in (4, 6, 8):
            sandbox.control.advance(days * DAY)
            client.v1.subscriptions.retrieve(made.id)
        found = client.v1.invoices.retrieve(str(due.id))
        assert (status(client, made.id), found.attempt_count, found.next_payment_attempt) == (expected, 4, None)

    def test_left_unpaid_is_billed_in_drafts_until_it_is_paid(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.settings(after_last_retry="unpaid")
        made = subscribed(client, price(client))
        with_card(client, made.id, "pm_card_chargeCustomerFail")
        sandbox.control.advance(32 * DAY)
        for days in (4, 6, 8, 31):
            sandbox.control.advance(days * DAY)
            client.v1.subscriptions.retrieve(made.id)
        assert (status(client, made.id), [one.status for one in invoices(client, made.id)]) == ("unpaid", ["draft", "open", "paid"])

        (due,) = [str(one.id) for one in invoices(client, made.id) if one.status == "open"]
        with pytest.raises(stripe.CardError):
            client.v1.invoices.pay(due)
        paid = client.v1.invoices.pay(due, {"payment_method": "pm_card_visa"})
        assert (paid.status, status(client, made.id)) == ("paid", "active")
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.invoices.pay(due)


class TestInvoicePage:
    def test_takes_another_card(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client))
        with_card(client, made.id, "pm_card_chargeDeclined")
        sandbox.control.advance(32 * DAY)
        due = str(invoices(client, made.id)[0].hosted_invoice_url)
        assert "Pay 49.00 USD" in visit(sandbox, due)[1]
        assert "Status: open" in visit(sandbox, due, {"do": "bad_card"})[1]
        assert "Status: open" in visit(sandbox, due, {"do": "nothing"})[1]
        _, _, asking = visit(sandbox, due, {"do": "asking_card"})
        assert "/c/3ds/pi_" in asking
        assert "Status: paid" in visit(sandbox, due, {"do": "card"})[1]
        assert "Status: paid" in visit(sandbox, due, {"do": "card"})[1]
        assert status(client, made.id) == "active"


class TestPortal:
    def test_changes_the_card_and_tells(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client))
        portal = client.v1.billing_portal.sessions.create({"customer": str(made.customer), "return_url": "https://cpd.example/back"})
        shown = visit(sandbox, portal.url, {"do": "asking_card"})[1]
        assert ("paid by visa 3184" in shown, "paid</p>" in shown) == (True, True)
        expand: Any = {"expand": ["invoice_settings.default_payment_method", "subscriptions.data.default_payment_method"]}
        customer = client.v1.customers.retrieve(str(made.customer), expand)
        assert customer.subscriptions is not None
        method: Any = customer.subscriptions.data[0].default_payment_method
        assert method.card.last4 == "3184"
        assert types(sandbox)[-3:] == ["payment_method.attached", "customer.updated", "customer.subscription.updated"]

    def test_methods_can_be_renewed_and_taken_away(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client), card="pm_card_mastercard")
        method = str(made.default_payment_method)
        client.v1.payment_methods.attach(method, {"customer": str(made.customer)})
        settings: Any = {"invoice_settings": {"default_payment_method": method}}
        client.v1.customers.update(str(made.customer), settings)
        given: Any = {"card": {"exp_month": 3, "exp_year": 2031}}
        changed = client.v1.payment_methods.update(method, given)
        assert changed.card is not None
        assert (changed.card.exp_month, changed.card.exp_year) == (3, 2031)
        client.v1.payment_methods.detach(method)
        assert client.v1.subscriptions.retrieve(made.id).default_payment_method is None
        kept = client.v1.customers.retrieve(str(made.customer)).invoice_settings
        assert kept is not None
        assert kept.default_payment_method is None
        assert [one for one in types(sandbox) if one.startswith("payment_method")] == [
            "payment_method.attached",
            "payment_method.updated",
            "payment_method.detached",
        ]
