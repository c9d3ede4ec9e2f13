"""What is said while nobody pays: mails for each attempt and for the end of it, a banner, and the ways to pay."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import stripe
from django.utils import timezone

from admin_ext.billing import dunning
from billing import access_emails, invoice_emails, invoices, subscribing, subscription_sync
from billing.gateway.base import GatewayIntent
from billing.models import BillingAccount, Invoice, PlanAccess, Subscription
from notifications.models import Message
from sandbox.stripe.server import Sandbox
from tests.admin_ext.conftest import sign_in
from tests.billing.subscribers import ask, heard, standing, use_card
from tests.factories.people import Personas
from tests.factories.subscriptions import BEGAN, bill, customer
from tests.sandbox.test_pages import visit
from tests.sandbox.test_subscriptions import price

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.2")]
DAY = 86_400


@pytest.fixture
def made(subscribed: Callable[[], Subscription]) -> Subscription:
    return subscribed()


def told(kind: str = "") -> list[str]:
    """Kinds of mails about the plan, oldest first."""
    about_plans = ("invoice", "subscription", "card", "trial", "grace", "plan")
    found = Message.objects.order_by("pk").values_list("kind", flat=True)
    return [one for one in found if one.startswith(about_plans) and kind in one]


def pass_days(sandbox: Sandbox, made: Subscription, days: float, webhooks: Any, run_jobs: Any) -> None:
    sandbox.control.advance(days * DAY)
    subscription_sync.refresh(stripe_subscription_id=made.stripe_subscription_id, by=subscription_sync.BY)
    heard(webhooks, run_jobs)


class TestFailing:
    def test_is_told_at_each_attempt_until_it_is_paid(
        self, people: Personas, made: Subscription, sandbox: Sandbox, webhooks: Any, run_jobs: Any
    ) -> None:
        use_card(sandbox, made, "pm_card_chargeCustomerFail")
        pass_days(sandbox, made, 32, webhooks, run_jobs)
        (first,) = Message.objects.filter(kind="invoice_failed")
        due = Invoice.objects.get(status="open")
        assert (first.to, due.attempts, due.next_attempt_at is not None) == (people.alice.email, 1, True)
        assert ("49.00" in first.subject, f"/console/billing/invoice/{due.public_id}/pay/" in first.text) == (True, True)
        assert "Visa 0341" in first.text
        heard(webhooks, run_jobs)
        pass_days(sandbox, made, 4, webhooks, run_jobs)
        assert len(told("invoice_failed")) == 2

        use_card(sandbox, made, "pm_card_visa")
        pass_days(sandbox, made, 6, webhooks, run_jobs)
        assert told()[-3:] == ["invoice_failed", "invoice_failed", "subscription_recovered"]
        assert standing(people).state == "active"
        access_emails.send_notices()
        assert "grace_began" not in told()

    @pytest.mark.parametrize(("setting", "status", "kinds"), [("cancel", "canceled", ["subscription_ended"]), ("unpaid", "unpaid", [])])
    def test_to_the_last_attempt_ends_as_stripe_says(
        self,
        people: Personas,
        made: Subscription,
        sandbox: Sandbox,
        webhooks: Any,
        run_jobs: Any,
        setting: str,
        status: str,
        kinds: list[str],
    ) -> None:
        sandbox.control.settings(after_last_retry=setting)
        use_card(sandbox, made, "pm_card_chargeCustomerFail")
        for days in (32, 4, 6, 8):
            pass_days(sandbox, made, days, webhooks, run_jobs)
        assert Subscription.objects.get().status == status
        assert sorted(told()) == sorted(["subscription_started", *["invoice_failed"] * 4, *kinds])
        assert standing(people).state == "grace"

    def test_of_a_bank_that_asks_is_another_mail(
        self, people: Personas, made: Subscription, sandbox: Sandbox, webhooks: Any, run_jobs: Any
    ) -> None:
        use_card(sandbox, made, "pm_card_authenticationRequired")
        pass_days(sandbox, made, 32, webhooks, run_jobs)
        due = Invoice.objects.get(status="open")
        assert (told()[-1], due.needs_action) == ("invoice_action_required", True)
        client = sign_in(people.alice)
        assert b"Your bank wants the payment" in client.get("/console/").content

        pay = client.get(f"/console/billing/invoice/{due.public_id}/pay/")["Location"]
        asking = visit(sandbox, pay, {"do": "asking_card"})[2]
        visit(sandbox, asking, {"answer": "complete"})
        heard(webhooks, run_jobs)
        assert (Invoice.objects.get(pk=due.pk).status, Invoice.objects.get(pk=due.pk).needs_action) == ("paid", False)
        assert told()[-1] == "subscription_recovered"
        assert b"Your bank wants" not in client.get("/console/").content


class TestMail:
    def sync(self, people: Personas, attempts: int, *, minute: int, status: str = "open", asks: bool = False) -> Invoice:
        answer = bill(customer(people.organization), status, attempts=attempts, open_intent_id="pi_1")
        intent = GatewayIntent("pi_1", "requires_action" if asks else "requires_payment_method", 0, "USD")
        asked_at = BEGAN + timedelta(minutes=minute)
        found = invoices.sync(answer=answer, paid_by=None, tried_by=intent, asked_at=asked_at, by=invoices.BY)
        assert found is not None
        return found

    def test_comes_once_for_an_attempt_whatever_is_heard_again(self, people: Personas, run_jobs: Any) -> None:
        for minute, attempts in enumerate((0, 1, 1, 1, 2)):
            self.sync(people, attempts, minute=minute)
            run_jobs()
        self.sync(people, 1, minute=1)  # an answer to an earlier question
        run_jobs()
        assert told() == ["invoice_failed", "invoice_failed"]
        self.sync(people, 2, minute=9, asks=True)
        run_jobs()
        assert told()[-1] == "invoice_action_required"

    def test_does_not_come_where_it_was_paid_meanwhile(self, people: Personas, run_jobs: Any) -> None:
        found = self.sync(people, 1, minute=1)
        Invoice.objects.filter(pk=found.pk).update(status="paid")
        run_jobs()
        invoice_emails.send_unpaid(invoice_id=found.pk, attempt=1)
        assert told() == []


class TestBanner:
    def test_says_what_to_do_to_those_who_may(
        self, people: Personas, made: Subscription, sandbox: Sandbox, webhooks: Any, run_jobs: Any
    ) -> None:
        client = sign_in(people.alice)
        assert b"Change the card" not in client.get("/console/").content
        use_card(sandbox, made, "pm_card_chargeCustomerFail")
        pass_days(sandbox, made, 32, webhooks, run_jobs)
        due = Invoice.objects.get(status="open")
        page = client.get("/console/").content.decode()
        for text in ("The payment for Small failed", f"/console/billing/invoice/{due.public_id}/pay/", "Change the card"):
            assert text in page
        assert b"The payment for" not in sign_in(people.bob).get("/console/").content

    def test_of_a_plan_without_a_subscription_says_until_when(self, people: Personas, made: Subscription) -> None:
        Subscription.objects.all().update(status="canceled")
        ends_at = timezone.now() + timedelta(days=9)
        access = PlanAccess.objects.get(organization=people.organization)
        access.lapse(grace_ends_at=ends_at)
        access.save()
        page = sign_in(people.alice).get("/console/").content.decode()
        assert f"Small has run out: subscribe until {ends_at.day} {ends_at:%B %Y}" in page
        assert "Choose a plan" in page
        assert dunning.banner(people.as_charlie, "console") is None


class TestPages:
    def test_that_were_left_are_closed_so_that_nobody_pays_twice(self, people: Personas, plans: Any, sandbox: Sandbox) -> None:
        first, second = ask(people), ask(people, "large")
        assert (first is not None, second is not None) == (True, True)
        with sandbox.world.lock:
            states = [one["status"] for one in sandbox.world.store.select("checkout.session", newest_first=False)]
        assert states == ["expired", "open"]
        assert BillingAccount.objects.count() == 1

    def test_are_opened_beside_an_attempt_that_was_never_paid(self, people: Personas, plans: Any, sandbox: Sandbox) -> None:
        ask(people)
        client = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url})
        given: Any = {
            "customer": BillingAccount.objects.get().stripe_customer_id,
            "items": [{"price": plans["small"].prices.get().stripe_price_id}],
            "default_payment_method": "pm_card_chargeDeclined",
        }
        assert client.v1.subscriptions.create(given).status == "incomplete"
        assert ask(people) is not None
        assert Subscription.objects.get().status == "incomplete"

    def test_are_not_opened_beside_a_subscription_to_what_is_not_in_the_catalogue(
        self, people: Personas, plans: Any, sandbox: Sandbox
    ) -> None:
        ask(people)
        client = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url})
        given: Any = {
            "customer": BillingAccount.objects.get().stripe_customer_id,
            "items": [{"price": price(client)}],
            "default_payment_method": "pm_card_visa",
        }
        client.v1.subscriptions.create(given)
        with pytest.raises(subscribing.AlreadySubscribed):
            ask(people)
