"""Which change of a subscription is told, and to whom."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing import plan_changes, subscription_emails, subscription_sync
from billing.models import BillingAccount, Plan, Subscription, SubscriptionChange
from notifications.models import Message
from organizations.models import Role
from sandbox.stripe.server import Sandbox
from tests.billing.subscribers import heard
from tests.factories.people import Personas, UserFactory
from tests.factories.subscriptions import BEGAN, answer, customer, sold_plan

pytestmark = pytest.mark.django_db


def facts(status: str, **values: Any) -> dict[str, Any]:
    return {"status": status, "price": "a", "cancel_at_period_end": False, **values}


class TestKind:
    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ({}, facts("active"), "subscription_started"),
            ({}, facts("trialing"), "subscription_started"),
            ({}, facts("incomplete"), ""),
            ({}, facts("past_due"), ""),
            (facts("incomplete"), facts("active"), "subscription_started"),
            (facts("incomplete"), facts("incomplete_expired"), ""),
            (facts("trialing"), facts("active"), ""),
            (facts("active"), facts("past_due"), ""),
            (facts("past_due"), facts("active", price="b"), "subscription_recovered"),
            (facts("unpaid"), facts("active"), "subscription_recovered"),
            (facts("active"), facts("active", price="b"), "subscription_changed"),
            (facts("active"), facts("active", cancel_at_period_end=True), "subscription_cancelled"),
            (facts("active", cancel_at_period_end=True), facts("active"), "subscription_resumed"),
            (facts("active", cancel_at_period_end=True), facts("canceled", cancel_at_period_end=True), "subscription_ended"),
        ],
    )
    def test_follows_from_the_facts(self, old: dict[str, Any], new: dict[str, Any], expected: str) -> None:
        assert subscription_emails.kind_of(old, new) == expected


class TestSend:
    @pytest.fixture
    def team(self) -> Plan:
        return sold_plan()

    def hear(self, account: BillingAccount, plan: Plan, status: str = "active", *, minute: int = 0, **values: Any) -> None:
        given = answer(account, plan, status, **values)
        subscription_sync.sync(answer=given, asked_at=BEGAN + timedelta(minutes=minute), by=subscription_sync.BY)

    def test_tells_every_admin_once(self, people: Personas, team: Plan, run_jobs: Any) -> None:
        people.organization.memberships.create(user=UserFactory(email="second@example.org"), role=Role.ADMIN)
        account = customer(people.organization)
        for minute in range(3):
            self.hear(account, team, minute=minute)
            run_jobs()
        change = SubscriptionChange.objects.get()
        subscription_emails.send(change_id=change.pk)
        assert sorted(Message.objects.values_list("kind", "to")) == sorted(
            [("subscription_started", people.alice.email), ("subscription_started", "second@example.org")]
        )

    def test_says_when_a_trial_is_charged(self, people: Personas, team: Plan, run_jobs: Any) -> None:
        ends = BEGAN + timedelta(days=10)
        self.hear(customer(people.organization), team, "trialing", trial_ends_at=ends, period_ends_at=ends)
        run_jobs()
        assert "the card is charged on that day" in Message.objects.get().text

    def test_goes_along_with_every_change_that_is_made_here(
        self, people: Personas, subscribed: Callable[[], Subscription], sandbox: Sandbox, webhooks: Any, run_jobs: Any
    ) -> None:
        made = subscribed()
        plan_changes.change(subscription_id=made.pk, plan="large", interval="month", by=people.as_alice)
        heard(webhooks, run_jobs)
        for operation in (plan_changes.cancel, plan_changes.resume, plan_changes.cancel):
            operation(subscription_id=made.pk, by=people.as_alice)
            heard(webhooks, run_jobs)
        sandbox.control.advance(32 * 86_400)
        subscription_sync.refresh(stripe_subscription_id=made.stripe_subscription_id, by=subscription_sync.BY)
        heard(webhooks, run_jobs)
        kinds = Message.objects.filter(kind__startswith="subscription_").order_by("pk").values_list("kind", flat=True)
        assert [one.removeprefix("subscription_") for one in kinds] == ["started", "changed", "cancelled", "resumed", "cancelled", "ended"]
