"""The card that pays: mirrored from Stripe whatever happens to it, and told of before it is no good any more."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import stripe
import time_machine

from audit.models import AuditEntry
from billing import cards
from billing.gateway.plans import GatewayCard
from billing.models import BillingAccount, InboundEvent, Subscription
from notifications.models import Message
from sandbox.stripe.server import Sandbox
from tests.billing.subscribers import heard, use_card
from tests.factories.people import Personas
from tests.factories.subscriptions import BEGAN, customer

pytestmark = pytest.mark.django_db


def at(day: date) -> Any:
    return time_machine.travel(datetime(day.year, day.month, day.day, 3, tzinfo=UTC))


def sent() -> int:
    return Message.objects.filter(kind="card_expiring").count()


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url})


@pytest.fixture
def account(subscribed: Callable[[], Subscription]) -> BillingAccount:
    subscribed()
    return BillingAccount.objects.get()


def again(account: BillingAccount) -> BillingAccount:
    return BillingAccount.objects.get(pk=account.pk)


class TestMirror:
    def test_follows_what_is_done_at_stripe(
        self, account: BillingAccount, client: stripe.StripeClient, sandbox: Sandbox, webhooks: Any, run_jobs: Any
    ) -> None:
        assert (account.card, account.card_expires_on) == ("Visa 4242, good until 12/2034", date(2034, 12, 31))
        renewed: Any = {"card": {"exp_month": 2, "exp_year": 2036}}
        client.v1.payment_methods.update(account.stripe_payment_method_id, renewed)
        heard(webhooks, run_jobs)
        assert again(account).card_expires_on == date(2036, 2, 29)

        use_card(sandbox, Subscription.objects.get(), "pm_card_mastercard")
        heard(webhooks, run_jobs)
        assert again(account).card.startswith("Mastercard 4444")
        client.v1.payment_methods.attach(again(account).stripe_payment_method_id, {"customer": str(account.stripe_customer_id)})
        client.v1.payment_methods.detach(again(account).stripe_payment_method_id)
        heard(webhooks, run_jobs)
        assert (again(account).card, again(account).card_expires_on) == ("", None)
        entries = AuditEntry.objects.filter(action="billing_account.card_changed").order_by("pk")
        assert [one.after["card"][:6] for one in entries] == ["Visa 4", "Visa 4", "Master", ""]

    def test_takes_the_customers_card_where_the_subscription_has_none(
        self, account: BillingAccount, client: stripe.StripeClient, webhooks: Any, run_jobs: Any
    ) -> None:
        client.v1.payment_methods.detach(account.stripe_payment_method_id)
        method = client.v1.payment_methods.attach("pm_card_amex", {"customer": str(account.stripe_customer_id)})
        settings: Any = {"invoice_settings": {"default_payment_method": method.id}}
        client.v1.customers.update(str(account.stripe_customer_id), settings)
        heard(webhooks, run_jobs)
        assert again(account).card_last4 == "0005"
        client.v1.customers.delete(str(account.stripe_customer_id))
        heard(webhooks, run_jobs)
        assert again(account).card == ""

    def test_leaves_customers_and_cards_of_others_alone(
        self, account: BillingAccount, client: stripe.StripeClient, webhooks: Any, run_jobs: Any
    ) -> None:
        theirs = client.v1.customers.create({"email": "a@elsewhere.example"}).id
        client.v1.customers.update(theirs, {"name": "A"})
        method = client.v1.payment_methods.attach("pm_card_visa", {"customer": theirs})
        client.v1.payment_methods.detach(method.id)
        heard(webhooks, run_jobs)
        found = InboundEvent.objects.filter(type__in=["customer.updated", "payment_method.attached", "payment_method.detached"])
        assert {one.state for one in found if theirs in one.body or method.id in one.body} == {"ignored"}
        assert again(account).card_last4 == "4242"

    def test_ignores_answers_to_earlier_questions(self, people: Personas) -> None:
        account = customer(people.organization)
        for minute, last4 in ((5, "1111"), (3, "2222"), (5, "1111")):
            given = GatewayCard(f"pm_{last4}", "visa", last4, 2027, 2)
            asked_at = BEGAN + timedelta(minutes=minute)
            cards.sync(stripe_customer_id=str(account.stripe_customer_id), answer=given, asked_at=asked_at, by=cards.BY)
        assert (again(account).card_last4, again(account).card_expires_on) == ("1111", date(2027, 2, 28))
        assert AuditEntry.objects.filter(action="billing_account.card_changed").count() == 1


class TestNotices:
    @pytest.fixture
    def ending(self, account: BillingAccount) -> BillingAccount:
        BillingAccount.objects.filter(pk=account.pk).update(card_expires_on=date(2031, 5, 31))
        return account

    def test_come_at_thirty_seven_and_no_days_once(self, ending: BillingAccount, people: Personas) -> None:
        counts = []
        for day in (
            date(2031, 4, 30),
            date(2031, 5, 1),
            date(2031, 5, 2),
            date(2031, 5, 24),
            date(2031, 5, 25),
            date(2031, 5, 31),
            date(2031, 6, 2),
        ):
            with at(day):
                cards.send_notices()
                cards.send_notices()
            counts.append(sent())
        assert counts == [0, 1, 1, 2, 2, 3, 3]
        last = Message.objects.filter(kind="card_expiring").latest("pk")
        assert (last.to, last.subject) == (people.alice.email, "The card Visa 4242 is good for the last day")

    def test_missed_ones_come_late_and_long_gone_ones_never(self, ending: BillingAccount) -> None:
        for day, expected in ((date(2031, 7, 1), 0), (date(2031, 6, 3), 1)):
            with at(day):
                cards.send_notices()
            assert sent() == expected

    def test_stop_with_another_card_and_with_the_subscription(self, ending: BillingAccount) -> None:
        with at(date(2031, 5, 2)):
            cards.send_notices()
        given = GatewayCard("pm_new", "visa", "4242", 2035, 5)
        cards.sync(stripe_customer_id=str(ending.stripe_customer_id), answer=given, asked_at=datetime.now(UTC), by=cards.BY)
        with at(date(2031, 5, 31)):
            cards.send_notices()
        assert sent() == 1
        BillingAccount.objects.filter(pk=ending.pk).update(card_expires_on=date(2031, 5, 31))
        Subscription.objects.all().update(status="canceled")
        with at(date(2031, 5, 31)):
            cards.send_notices()
        assert sent() == 1
