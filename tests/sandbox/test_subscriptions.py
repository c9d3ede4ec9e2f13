"""Subscriptions of the stand-in: trials, invoices, proration, renewals, dunning, and the pages where people subscribe and leave."""

import urllib.parse
import urllib.request
from typing import Any

import pytest
import stripe

from sandbox.stripe.recurring import cycles
from sandbox.stripe.server import Sandbox

DAY = 86_400


def price(client: stripe.StripeClient, amount: int = 4900, interval: str = "month") -> str:
    product = client.v1.products.create({"name": "Solo"}).id
    given: Any = {"product": product, "currency": "usd", "unit_amount": amount, "recurring": {"interval": interval}}
    return client.v1.prices.create(given).id


def subscribed(client: stripe.StripeClient, of: str, *, card: str = "pm_card_visa", **more: Any) -> stripe.Subscription:
    customer = client.v1.customers.create({"email": "a@example.org"}).id
    given: Any = {"customer": customer, "items": [{"price": of}], "default_payment_method": card, **more}
    return client.v1.subscriptions.create(given)


def invoices(client: stripe.StripeClient, of: str) -> list[stripe.Invoice]:
    return client.v1.invoices.list({"subscription": of}).data


def types(sandbox: Sandbox) -> list[str]:
    with sandbox.world.lock:
        return [event["type"] for event in sandbox.world.store.select("event", newest_first=False)]


class TestBeginning:
    def test_takes_the_first_period_at_once(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client))

        assert made.status == "active"
        (invoice,) = invoices(client, made.id)
        assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", 4900, "subscription_create")
        whole = client.v1.invoices.retrieve(str(invoice.id), {"expand": ["payments"]})
        assert whole.payments is not None
        assert client.v1.payment_intents.retrieve(str(whole.payments.data[0].payment.payment_intent)).status == "succeeded"
        assert types(sandbox)[-1] == "customer.subscription.updated"

    def test_with_a_card_that_is_declined_stays_incomplete(self, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client), card="pm_card_chargeDeclined")
        assert (made.status, invoices(client, made.id)[0].status) == ("incomplete", "open")

    def test_on_trial_costs_nothing_until_it_is_over(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        ends = int(sandbox.control.now()) + 10 * DAY
        made = subscribed(client, price(client), trial_end=ends)
        assert (made.status, invoices(client, made.id)[0].total) == ("trialing", 0)

        sandbox.control.advance(10 * DAY + 5)

        assert client.v1.subscriptions.retrieve(made.id).status == "active"
        assert [(each.total, each.billing_reason) for each in invoices(client, made.id)] == [
            (4900, "subscription_cycle"),
            (0, "subscription_create"),
        ]


class TestRenewal:
    def test_bills_every_period(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client))
        for _ in range(2):
            sandbox.control.advance(31 * DAY)
            client.v1.subscriptions.retrieve(made.id)
        assert [each.billing_reason for each in invoices(client, made.id)] == ["subscription_cycle"] * 2 + ["subscription_create"]

    def test_that_is_not_paid_is_tried_again_and_then_over(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client))
        bad: Any = {"default_payment_method": "pm_card_chargeDeclined"}
        client.v1.subscriptions.update(made.id, bad)
        sandbox.control.advance(32 * DAY)
        assert client.v1.subscriptions.retrieve(made.id).status == "past_due"

        for days in (4, 6, 8):
            sandbox.control.advance(days * DAY)
            client.v1.subscriptions.retrieve(made.id)

        assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
        assert types(sandbox).count("invoice.payment_failed") == 4

    def test_that_is_paid_late_goes_on(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client))
        bad: Any = {"default_payment_method": "pm_card_chargeDeclined"}
        good: Any = {"default_payment_method": "pm_card_visa"}
        client.v1.subscriptions.update(made.id, bad)
        sandbox.control.advance(32 * DAY)
        client.v1.subscriptions.update(made.id, good)
        sandbox.control.advance(4 * DAY)
        assert client.v1.subscriptions.retrieve(made.id).status == "active"

    def test_does_not_come_after_a_cancellation(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client))
        assert client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True}).cancel_at is not None
        assert client.v1.subscriptions.update(made.id, {"cancel_at_period_end": False}).cancel_at is None
        client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})

        sandbox.control.advance(32 * DAY)

        assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.subscriptions.cancel(made.id)


class TestProration:
    @pytest.mark.parametrize(
        ("amount", "now", "expected"),
        [
            (3000, 0, 3000),
            (3000, 15, 1500),
            (3000, 30, 0),
            (-3000, 15, -1500),
            (1000, 20, 333),
            (-1000, 20, -334),
            (1, 29, 0),
            (-1, 29, -1),
        ],
    )
    def test_is_floored_line_by_line(self, amount: int, now: int, expected: int) -> None:
        assert cycles.share(amount, now=now, starts=0, ends=30) == expected

    def test_waits_for_the_next_invoice_or_is_taken_now(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        small, large = price(client, 3000), price(client, 9000)
        for how, expected in (("create_prorations", 1), ("always_invoice", 2)):
            made = subscribed(client, small)
            sandbox.control.advance(10 * DAY)
            given: Any = {"items": [{"id": made["items"].data[0].id, "price": large}], "proration_behavior": how}
            client.v1.subscriptions.update(made.id, given)
            found = invoices(client, made.id)
            assert len(found) == expected
            if expected == 2:
                assert [line.amount < 0 for line in found[0].lines.data] == [True, False]

    def test_cycles_keep_their_day(self) -> None:
        monthly = {"recurring": {"interval": "month", "interval_count": 1}}
        january = 1_769_860_800  # 2026-01-31T12:00Z
        february = cycles.after(january, monthly, anchor=january)
        assert (february - january, cycles.after(february, monthly, anchor=january) - february) == (28 * DAY, 31 * DAY)
        assert cycles.after(0, {"recurring": {"interval": "week", "interval_count": 2}}, anchor=0) == 14 * DAY


class TestPages:
    def test_checkout_subscribes(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        customer = client.v1.customers.create({"email": "a@example.org"}).id
        given: Any = {
            "mode": "subscription",
            "customer": customer,
            "line_items": [{"price": price(client), "quantity": 1}],
            "success_url": "https://cpd.example/done",
            "subscription_data": {"metadata": {"a": "1"}},
        }
        session = client.v1.checkout.sessions.create(given)
        assert session.amount_total == 4900
        refused = sandbox.control.pay(session.id, card="4000000000000002")
        assert (refused["error"]["code"], refused["session"]["status"]) == ("card_declined", "open")

        paid = sandbox.control.pay(session.id)["session"]

        assert (paid["status"], paid["payment_status"]) == ("complete", "paid")
        made = client.v1.subscriptions.retrieve(paid["subscription"])
        assert (made.status, made.metadata.to_dict(), made.customer) == ("active", {"a": "1"}, customer)

    def test_checkout_keeps_a_trial_of_two_days_and_more(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        customer, now = client.v1.customers.create({"email": "a@example.org"}).id, int(sandbox.control.now())
        given: Any = {
            "mode": "subscription",
            "customer": customer,
            "line_items": [{"price": price(client)}],
            "success_url": "https://cpd.example/done",
            "subscription_data": {"trial_end": now + DAY},
        }
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.checkout.sessions.create(given)
        session = client.v1.checkout.sessions.create({**given, "subscription_data": {"trial_end": now + 5 * DAY}})
        paid = sandbox.control.pay(session.id)["session"]
        assert paid["payment_status"] == "no_payment_required"
        assert client.v1.subscriptions.retrieve(paid["subscription"]).status == "trialing"

    def test_the_portal_cancels_and_resumes(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = subscribed(client, price(client))
        portal = client.v1.billing_portal.sessions.create({"customer": str(made.customer), "return_url": "https://cpd.example/back"})
        for what, expected in (("cancel", True), ("resume", False), ("nothing", False)):
            body = urllib.parse.urlencode({"do": what}).encode()
            with urllib.request.urlopen(portal.url, data=body) as answer:  # noqa: S310  our own address
                assert made.id in answer.read().decode()
            assert client.v1.subscriptions.retrieve(made.id).cancel_at_period_end is expected
