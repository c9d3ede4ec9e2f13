"""Subscribing from the first click to the books, through Stripe's library against the stand-in; and the changes afterwards."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing import invariants, plan_catalogue, subscribing, subscription_sync, trials
from billing.models import BillingAccount, Invoice, Plan, StripeCommand, Subscription
from core.errors import InvalidInput, NotFound, PermissionRefused
from ledger import balances
from ledger.chart import STRIPE_BALANCE, SUBSCRIPTION_REVENUE
from sandbox.stripe.server import Sandbox
from tests.billing.subscribers import BACK, ask, heard, pay, standing, use_card
from tests.factories.billing import finance
from tests.factories.entitlements import allowance
from tests.factories.people import Personas
from tests.factories.plans import plan

pytestmark = pytest.mark.django_db


class TestCheckout:
    def test_leads_from_the_page_to_what_the_plan_allows_and_the_books(
        self, people: Personas, subscribed: Callable[[], Subscription]
    ) -> None:
        made = subscribed()

        assert (made.status, made.price.plan.code, standing(people).state) == ("active", "small", "active")
        assert allowance(people.organization).limit == 5
        invoice = Invoice.objects.get()
        assert (invoice.status, invoice.amount_paid, invoice.stripe_fee is None) == ("paid", 4_900, False)
        assert balances.balances(SUBSCRIPTION_REVENUE) == {"USD": -4_900}
        assert balances.balances(STRIPE_BALANCE) == {"USD": 4_900 - (invoice.stripe_fee or 0)}
        assert list(invariants.stripe_balance_matches()) == []

    @pytest.mark.rule("M1")
    def test_makes_one_customer_of_the_organizations_own(self, people: Personas, plans: dict[str, Plan]) -> None:
        first, second = ask(people), ask(people, "large")
        assert first != second
        account = BillingAccount.objects.get()
        assert account.organization == people.organization
        assert StripeCommand.objects.filter(operation="customer.create").count() == 1

    def test_keeps_the_end_of_a_trial(
        self, sandbox: Sandbox, people: Personas, plans: dict[str, Plan], webhooks: Any, run_jobs: Any
    ) -> None:
        row = trials.start(organization_id=people.organization.pk, plan="small", by=people.as_alice)
        session = pay(sandbox, ask(people))
        heard(webhooks, run_jobs)

        assert session["payment_status"] == "no_payment_required"
        made = Subscription.objects.get()
        assert row.trial_ends_at is not None
        assert (made.status, made.trial_ends_at) == ("trialing", row.trial_ends_at.replace(microsecond=0))
        assert standing(people).state == "trial"

    def test_leaves_the_end_of_a_trial_to_stripe_from_then_on(
        self, sandbox: Sandbox, people: Personas, plans: dict[str, Plan], webhooks: Any, run_jobs: Any
    ) -> None:
        row = trials.start(organization_id=people.organization.pk, plan="small", by=people.as_alice)
        pay(sandbox, ask(people))
        heard(webhooks, run_jobs)
        before = standing(people).trial_ends_at
        with pytest.raises(trials.TrialAtStripe):
            trials.extend(access_id=row.pk, days=7, reason="Was ill", by=finance())
        assert standing(people).trial_ends_at == before

    @pytest.mark.rule("M16")
    def test_is_refused_where_there_is_a_subscription(self, people: Personas, subscribed: Callable[[], Subscription]) -> None:
        subscribed()
        with pytest.raises(subscribing.AlreadySubscribed):
            ask(people, "large")

    @pytest.mark.rule("M18")
    def test_refuses_what_is_not_for_sale(self, sandbox: Sandbox, people: Personas, plans: dict[str, Plan], run_jobs: Any) -> None:
        plan("Solo")
        run_jobs()
        plan("New", audience="team")
        plan("By hand", audience="team", is_contact_sales=True)
        with pytest.raises(InvalidInput):
            ask(people, "solo")
        for code in ("new", "by-hand"):
            with pytest.raises(plan_catalogue.PlanNotForSale):
                ask(people, code)
        with pytest.raises(NotFound):
            ask(people, "invented")
        with pytest.raises(plan_catalogue.PlanNotForSale):
            ask(people, interval="decade")
        assert not StripeCommand.objects.filter(operation="customer.create").exists()

    def test_is_the_admins(self, people: Personas, plans: dict[str, Plan]) -> None:
        with pytest.raises(PermissionRefused):
            ask(people, by=people.as_bob)
        with pytest.raises(NotFound):
            ask(people, by=people.as_charlie)
        assert not BillingAccount.objects.exists()

    def test_says_so_where_stripe_does_not_answer_or_refuses(self, sandbox: Sandbox, people: Personas, plans: dict[str, Plan]) -> None:
        sandbox.control.fault("reset_before", path="/v1/customers", method="POST")
        assert ask(people) is None
        ask(people)
        sandbox.control.fault("reset_before", path="/v1/checkout/sessions", method="POST")
        assert ask(people) is None
        BillingAccount.objects.update(stripe_customer_id="cus_gone")
        with pytest.raises(subscribing.SubscribingRefused):
            ask(people)

    def test_makes_the_customer_anew_where_the_answer_was_lost_for_a_day(
        self, sandbox: Sandbox, people: Personas, plans: dict[str, Plan]
    ) -> None:
        sandbox.control.fault("reset_after", path="/v1/customers", method="POST")
        assert ask(people) is None
        StripeCommand.objects.filter(operation="customer.create").update(sent_at=timezone.now() - timedelta(days=2))
        assert ask(people) is not None
        account = BillingAccount.objects.get()
        assert account.number == 2
        assert subscribing.renewed(account_id=account.pk, given_up=1).number == 2
        kept = subscribing.opened(account_id=account.pk, stripe_customer_id="cus_late", by=people.as_alice)
        assert kept == account.stripe_customer_id


class TestPortal:
    def test_is_stripes_page_for_who_pays(self, people: Personas, subscribed: Callable[[], Subscription], sandbox: Sandbox) -> None:
        with pytest.raises(subscribing.NotSubscribed):
            subscribing.portal_url(organization_id=people.organization.pk, return_url=BACK, by=people.as_alice)
        subscribed()
        given = {"organization_id": people.organization.pk, "return_url": BACK}
        url = subscribing.portal_url(by=people.as_alice, **given)
        assert url is not None
        assert "/c/portal/" in url
        with pytest.raises(PermissionRefused):
            subscribing.portal_url(by=people.as_bob, **given)
        with pytest.raises(NotFound):
            subscribing.portal_url(by=people.as_charlie, **given)
        sandbox.control.fault("reset_before", path="/v1/billing_portal", method="POST")
        assert subscribing.portal_url(by=people.as_alice, **given) is None
        BillingAccount.objects.update(stripe_customer_id="cus_gone")
        with pytest.raises(subscribing.SubscribingRefused):
            subscribing.portal_url(by=people.as_alice, **given)
        BillingAccount.objects.update(stripe_customer_id=None)
        with pytest.raises(subscribing.NotSubscribed):
            subscribing.portal_url(by=people.as_alice, **given)


class TestDunning:
    def test_leads_into_the_grace_period_and_out_of_it(
        self, sandbox: Sandbox, people: Personas, subscribed: Callable[[], Subscription], webhooks: Any, run_jobs: Any
    ) -> None:
        made = subscribed()
        use_card(sandbox, made, "pm_card_chargeDeclined")
        sandbox.control.advance(32 * 86_400)
        subscription_sync.refresh(stripe_subscription_id=made.stripe_subscription_id, by=subscription_sync.BY)
        heard(webhooks, run_jobs)
        assert (Subscription.objects.get().status, standing(people).state) == ("past_due", "grace")
        assert Invoice.objects.filter(status="open").count() == 1

        use_card(sandbox, made, "pm_card_visa")
        sandbox.control.advance(4 * 86_400)
        subscription_sync.refresh(stripe_subscription_id=made.stripe_subscription_id, by=subscription_sync.BY)
        heard(webhooks, run_jobs)
        assert (Subscription.objects.get().status, standing(people).state) == ("active", "active")
        assert Invoice.objects.filter(status="paid").count() == 2
        assert allowance(people.organization).used == 0
