"""What seldom happens to plans, subscriptions and their invoices: strangers' objects, answers that were lost, the same said twice."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe
from django.utils import timezone

from billing import invoices, plan_blockers, plan_catalogue, plan_push
from billing.gateway.base import BalanceTransaction, GatewayIntent, GatewayRefused, GatewayUnknown
from billing.models import AccessChange, InboundEvent, Invoice, Plan, PlanChange, Subscription, SubscriptionChange, TrialUse
from core.errors import InvalidInput
from ledger import balances
from ledger.chart import STRIPE_BALANCE, STRIPE_FEES
from sandbox.stripe.server import Sandbox
from tests.billing.subscribers import ask, heard
from tests.factories.billing import finance
from tests.factories.people import Personas
from tests.factories.plans import plan
from tests.factories.subscriptions import BEGAN, bill, customer

pytestmark = pytest.mark.django_db


class TestStrangers:
    def test_subscriptions_and_invoices_and_pages_are_left_alone(
        self, sandbox: Sandbox, people: Personas, plans: dict[str, Plan], webhooks: Any, run_jobs: Any
    ) -> None:
        client = stripe.StripeClient("sk_test_somebody", base_addresses={"api": sandbox.url})
        theirs, price = client.v1.customers.create({"email": "a@elsewhere.example"}).id, plans["small"].prices.get().stripe_price_id
        given: Any = {"customer": theirs, "items": [{"price": price}], "default_payment_method": "pm_card_visa"}
        client.v1.subscriptions.create(given)
        assert ask(people) is not None
        ask(people, "large")  # closes the page before, on which nobody subscribed
        heard(webhooks, run_jobs)

        states = dict(InboundEvent.objects.order_by("pk").values_list("type", "state"))
        for kind in ("customer.subscription.created", "invoice.paid", "checkout.session.expired"):
            assert states[kind] == "ignored", kind
        assert not Subscription.objects.exists()
        assert not Invoice.objects.exists()


class TestFees:
    def paid(self, people: Personas, fee: BalanceTransaction | None, minute: int = 0) -> Invoice:
        intent = GatewayIntent("pi_1", "succeeded", 19_900, "USD", charge_id="ch_1", balance_transaction=fee)
        answer = bill(customer(people.organization))
        found = invoices.sync(answer=answer, paid_by=intent, asked_at=BEGAN.replace(minute=minute), by=invoices.BY)
        assert found is not None
        return found

    def test_are_booked_when_they_are_known_and_once(self, people: Personas) -> None:
        known = BalanceTransaction("txn_1", 19_900, 610, "USD")
        for minute, fee in enumerate((None, known, known)):
            self.paid(people, fee, minute)
        assert balances.balances(STRIPE_FEES) == {"USD": 610}
        assert balances.balances(STRIPE_BALANCE) == {"USD": 19_900 - 610}

    @pytest.mark.parametrize(("fee", "expected"), [((0, "USD"), 0), ((55, "EUR"), None)])
    def test_of_nothing_or_in_another_currency_post_nothing(self, people: Personas, fee: tuple[int, str], expected: int | None) -> None:
        assert self.paid(people, BalanceTransaction("txn_1", 19_900, *fee)).stripe_fee == expected
        assert not balances.balances(STRIPE_FEES)

    def test_that_come_late_are_looked_for(self, sandbox: Sandbox, subscribed: Callable[[], Subscription]) -> None:
        sandbox.control.settings(balance_transaction_delay=1_000)
        subscribed()
        invoices.missing_fees()  # not yet
        assert Invoice.objects.get().stripe_fee is None
        sandbox.control.advance(1_000)
        for _ in range(2):
            invoices.missing_fees()
        fee = Invoice.objects.get().stripe_fee
        assert fee
        assert balances.balances(STRIPE_FEES) == {"USD": fee}


class TestPushing:
    def test_a_product_whose_answer_was_lost_is_brought_up_to_date(self, sandbox: Sandbox, run_jobs: Any) -> None:
        made = plan("Lost")
        sandbox.control.fault("reset_after", path="/v1/products", method="POST")
        with pytest.raises(GatewayUnknown):
            plan_push.push(plan_id=made.pk)
        Plan.objects.filter(pk=made.pk).update(version=2, description="For those who lost")
        plan_push.push(plan_id=made.pk)
        found = Plan.objects.get(pk=made.pk)
        assert (found.pushed_version, found.stripe_product_id) == (2, made.public_id)
        with sandbox.world.lock:
            assert sandbox.world.store.get("product", made.public_id)["description"] == "For those who lost"

    def test_what_stripe_refuses_is_raised_and_not_taken_for_done(self, sandbox: Sandbox) -> None:
        made = plan("Refused")
        Plan.objects.filter(pk=made.pk).update(name="")
        with pytest.raises(GatewayRefused):
            plan_push.push(plan_id=made.pk)
        assert Plan.objects.get(pk=made.pk).pushed_version == 0

    def test_the_same_answer_twice_counts_once(self, plans: dict[str, Plan]) -> None:
        small, price = Plan.objects.get(code="small"), plans["small"].prices.get()
        plan_push.pushed(plan_id=small.pk, version=small.version, at=timezone.now())
        plan_push.priced(price_id=price.pk, stripe_price_id="price_other")
        plans["small"].prices.update(retired_at=timezone.now())
        plan_push.archived(price_id=price.pk, at=timezone.now())
        first = plans["small"].prices.get().archived_at
        plan_push.archived(price_id=price.pk, at=timezone.now())
        again = plans["small"].prices.get()
        assert (again.archived_at, again.stripe_price_id) == (first, price.stripe_price_id)
        assert Plan.objects.get(code="small").pushed_at == small.pushed_at


class TestCatalogue:
    def test_refuses_a_name_that_says_nothing_or_is_taken(self) -> None:
        plan("Team")
        for name in ("!!!", "TEAM"):
            with pytest.raises(InvalidInput) as refused:
                plan_catalogue.create(by=finance(), name=name, audience="team")
            assert refused.value.field == "name"

    def test_asks_each_question_about_plans_once(self) -> None:
        name = next(iter(plan_blockers._questions))
        with pytest.raises(RuntimeError, match=name):
            plan_blockers.register(name, lambda organization_id, plan: [])


class TestWords:
    def test_name_each_row_for_people(self, people: Personas, subscribed: Callable[[], Subscription]) -> None:
        made = subscribed()
        access = people.organization.plan_access
        assert [str(one) for one in (made, made.price.plan, made.account, access)] == [
            "Small (Active)",
            "Small",
            people.organization.name,
            "Small: Active",
        ]
        use = TrialUse(user=people.alice, plan=made.price.plan, organization=people.organization)
        assert str(use) == f"{people.alice} · Small"
        assert str(AccessChange.objects.latest("pk")) == "free → active"
        assert str(SubscriptionChange.objects.latest("pk")).endswith("→ active")
        assert str(PlanChange(subscription=made, kind="cancel")) == "Cancel (Requested)"
        assert str(Invoice(stripe_invoice_id="in_1")) == "in_1"
