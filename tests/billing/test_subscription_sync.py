"""Stripe's word about subscriptions, in whatever order it comes: the mirror, its history, and what the organization may do."""

from datetime import timedelta
from itertools import permutations

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.actor import Actor
from billing import access, subscription_sync, trials
from billing.models import BillingAccount, Plan, PlanAccess, Subscription, SubscriptionChange
from entitlements import usage
from entitlements.models import Allowance, Grant, Resource
from tests.factories.entitlements import allowance
from tests.factories.people import Personas, personas
from tests.factories.subscriptions import BEGAN, answer, customer, sold_plan

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
STATUSES = ("trialing", "active", "past_due", "unpaid", "paused")


@pytest.fixture
def people() -> Personas:
    made = personas()
    Allowance.objects.all().delete()
    Grant.objects.all().delete()
    return made


@pytest.fixture
def team() -> Plan:
    return sold_plan(events_per_month=5)


@pytest.fixture
def account(people: Personas) -> BillingAccount:
    return customer(people.organization)


def hear(account: BillingAccount, plan: Plan, status: str = "active", *, minute: int = 0, **values: object) -> Subscription | None:
    return subscription_sync.sync(answer=answer(account, plan, status, **values), asked_at=BEGAN + timedelta(minutes=minute), by=BY)


def standing(people: Personas) -> PlanAccess:
    return PlanAccess.objects.select_related("plan").get(organization=people.organization)


class TestSync:
    def test_gives_what_is_paid_for(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        hear(account, team)

        row = standing(people)
        assert (row.state, row.plan, allowance(people.organization).limit) == ("active", team, 5)
        assert Grant.objects.get().period_starts_at == BEGAN
        change = SubscriptionChange.objects.get()
        assert (change.old, change.new["status"], change.source) == ({}, "active", "system:tests")

    @pytest.mark.rule("M3")
    @pytest.mark.parametrize("status", ["incomplete", "incomplete_expired"])
    def test_of_something_unpaid_gives_nothing(self, people: Personas, account: BillingAccount, team: Plan, status: str) -> None:
        hear(account, team, status)
        assert standing(people).state == "free"
        assert not Grant.objects.exists()

    @pytest.mark.rule("M3")
    @pytest.mark.parametrize("status", ["past_due", "unpaid", "paused", "canceled"])
    def test_of_something_behind_leaves_a_grace_period(self, people: Personas, account: BillingAccount, team: Plan, status: str) -> None:
        hear(account, team)
        hear(account, team, status, minute=1)

        assert standing(people).state == "grace"
        with pytest.raises(usage.PlanInactive):
            usage.reserve(organization_id=people.organization.pk, resource=Resource.EVENTS)

    def test_paid_late_gives_it_back_with_what_was_used(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        hear(account, team)
        usage.reserve(organization_id=people.organization.pk, resource=Resource.EVENTS, at=BEGAN)
        hear(account, team, "past_due", minute=1)
        hear(account, team, minute=2)
        assert (standing(people).state, allowance(people.organization).used) == ("active", 1)

    @pytest.mark.rule("M12")
    def test_a_new_period_alone_starts_counting_anew(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        hear(account, team)
        usage.reserve(organization_id=people.organization.pk, resource=Resource.EVENTS, at=BEGAN)
        other = sold_plan("Large", events_per_month=50)
        hear(account, other, minute=1)
        assert (allowance(people.organization).used, allowance(people.organization).limit) == (1, 50)

        ends = BEGAN + timedelta(days=31)
        hear(account, other, minute=2, period_starts_at=ends, period_ends_at=ends + timedelta(days=30))

        assert allowance(people.organization).used == 0

    def test_counts_a_paid_year_by_months(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        hear(account, team, period_ends_at=BEGAN + timedelta(days=365))
        grant = Grant.objects.get()
        assert (grant.period_ends_at - BEGAN, grant.runs_until) == (timedelta(days=31), BEGAN + timedelta(days=365))

    def test_keeps_a_trial_a_trial_until_it_is_paid(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        row = trials.start(organization_id=people.organization.pk, plan="team", by=people.as_alice)
        assert row.trial_ends_at is not None
        hear(account, team, "trialing", trial_ends_at=row.trial_ends_at, period_ends_at=row.trial_ends_at)
        assert standing(people).state == "trial"
        with time_machine.travel(row.trial_ends_at + timedelta(days=1)):
            access.end_due()
        assert standing(people).state == "trial"
        hear(account, team, minute=1, period_starts_at=row.trial_ends_at, period_ends_at=row.trial_ends_at + timedelta(days=31))
        assert standing(people).state == "active"

    def test_of_a_trial_that_began_at_stripe_counts_as_paid(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        hear(account, team, "trialing")
        assert standing(people).state == "active"

    def test_says_nothing_of_customers_that_are_not_ours(self, account: BillingAccount, team: Plan) -> None:
        assert hear(account, team, customer_id="cus_of_somebody_else") is None
        assert not Subscription.objects.exists()

    def test_to_something_unknown_is_a_defect_to_look_at(self, account: BillingAccount, team: Plan) -> None:
        with pytest.raises(subscription_sync.UnknownPrice):
            hear(account, team, price_ids=("price_unknown",))

    @pytest.mark.rule("M15")
    def test_after_the_end_brings_nothing_back(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        hear(account, team)
        hear(account, team, "canceled", minute=1)
        hear(account, team, "active", minute=2)
        assert Subscription.objects.get().status == "canceled"
        assert standing(people).state == "grace"

    def test_a_late_end_of_an_old_one_takes_nothing_from_the_new(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        hear(account, team, "incomplete", id="sub_old")
        hear(account, team, minute=1)
        hear(account, team, "canceled", minute=2, id="sub_old")
        assert standing(people).state == "active"

    @pytest.mark.rule("M16")
    def test_keeps_one_live_subscription_an_organization(self, account: BillingAccount, team: Plan) -> None:
        hear(account, team)
        with pytest.raises(IntegrityError), transaction.atomic():
            hear(account, team, minute=1, id="sub_second")


class TestOrder:
    def test_of_events_does_not_matter(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        words = [(0, "incomplete"), (1, "active"), (2, "past_due"), (3, "active")]
        for order in permutations(words):
            with transaction.atomic():
                for minute, status in order:
                    hear(account, team, status, minute=minute)
                found = (Subscription.objects.get().status, standing(people).state, allowance(people.organization).limit)
                assert found == ("active", "active", 5), order
                transaction.set_rollback(True)

    @settings(max_examples=30, deadline=None)
    @given(words=st.lists(st.sampled_from(STATUSES), min_size=1, max_size=5), seed=st.randoms(use_true_random=False))
    def test_of_anything_does_not_matter_to_what_stands_in_the_end(self, words: list[str], seed: object) -> None:
        with transaction.atomic():
            organization = personas().organization
            account, team = customer(organization), sold_plan(f"Team {Plan.objects.count()}")
            order = list(enumerate(words))
            seed.shuffle(order)  # type: ignore[attr-defined]
            for minute, status in order:
                hear(account, team, status, minute=minute)
            expected = "active" if words[-1] in ("trialing", "active") else ("grace", "free")
            assert Subscription.objects.get(account=account).status == words[-1]
            assert PlanAccess.objects.get(organization=organization).state in expected
            transaction.set_rollback(True)


class TestClock:
    def test_never_ends_what_stripe_bills(self, people: Personas, account: BillingAccount, team: Plan) -> None:
        hear(account, team)
        hear(account, team, "past_due", minute=1)
        with time_machine.travel(BEGAN + timedelta(days=4000)):
            access.end_due()
        assert standing(people).state == "grace"

        hear(account, team, "canceled", minute=2)
        with time_machine.travel(BEGAN + timedelta(days=4000)):
            access.end_due()
        assert standing(people).state == "free"


class TestDatabase:
    @pytest.mark.parametrize(
        ("old", "new"), [("active", "incomplete"), ("active", "incomplete_expired"), ("canceled", "active"), ("active", "ended")]
    )
    def test_refuses_moves_that_stripe_does_not_make(self, account: BillingAccount, team: Plan, old: str, new: str) -> None:
        hear(account, team, old)
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE billing_subscription SET status = %s", [new])

    def test_keeps_the_history_as_it_was_written(self, account: BillingAccount, team: Plan) -> None:
        hear(account, team)
        with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE billing_subscriptionchange SET source = 'nobody'")
