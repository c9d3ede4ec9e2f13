"""Plans side by side, what is used of one's own, and going to a smaller one."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.actor import Actor
from billing import plan_catalogue, subscription_sync
from billing.models import Plan, PlanChange, Subscription
from entitlements import usage
from entitlements.models import Allowance, Resource
from events.models import Event
from organizations.models import Membership
from tests.factories.billing import finance
from tests.factories.entitlements import limited
from tests.factories.events import EventFactory
from tests.factories.people import Personas, UserFactory, personas
from tests.factories.plans import plan
from tests.factories.subscriptions import answer, customer, sold_plan
from tests.public_api.calling import call, code, get, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.mark.gap("8.3")
class TestPlans:
    def test_shows_plans_and_features_with_limits_and_both_prices(self, client: Client) -> None:
        plan("Free", month=None, audience="user", trial_days=0, features="Certificates", events_per_month=0)
        plan("Solo", year=49_000, features="Certificates\nPayouts")
        plan("Team", month=19_900, seat=12_900, seats_included=1, events_per_month=None, events_unlimited=True, features="Payouts\nMembers")

        shown = get(client, "/plans").json()

        by_code = {one["code"]: one for one in shown["items"]}
        assert shown["features"] == [
            {"name": "Certificates", "plans": ["free", "solo"]},
            {"name": "Payouts", "plans": ["solo", "team"]},
            {"name": "Members", "plans": ["team"]},
        ]
        assert by_code["free"]["prices"] == []
        assert by_code["free"]["purchasable"] is False
        assert [(one["interval"], one["price"], one["saving"], one["saving_percent"]) for one in by_code["solo"]["prices"]] == [
            ("month", {"amount": 4900, "currency": "USD"}, None, None),
            ("year", {"amount": 49_000, "currency": "USD"}, {"amount": 9_800, "currency": "USD"}, 16),
        ]
        assert by_code["solo"]["purchasable"] is True
        assert {"resource": "events", "limit": None, "unlimited": True} in by_code["team"]["limits"]
        assert {"resource": "courses", "limit": 0, "unlimited": False} in by_code["team"]["limits"]
        assert [one["price"]["amount"] for one in by_code["team"]["prices"] if one["kind"] == "seat"] == [12_900]

    def test_shows_what_our_people_sell_without_a_way_to_buy_it(self, client: Client) -> None:
        plan("Hospital", audience="team", is_contact_sales=True)
        hidden = plan("Old")
        plan_catalogue.edit(plan_id=hidden.pk, is_active=False, by=finance())

        (one,) = get(client, "/plans").json()["items"]
        assert (one["code"], one["contact_sales"], one["purchasable"]) == ("hospital", True, False)

    def test_is_answered_by_304_until_something_changes(self, client: Client) -> None:
        made = plan("Solo")
        first = get(client, "/plans")
        assert first.headers["Cache-Control"] == "public, no-cache"
        assert get(client, "/plans", If_None_Match=first.headers["ETag"]).status_code == 304
        plan_catalogue.set_price(plan_id=made.pk, kind="base", interval="month", amount=5_900, currency="USD", by=finance())
        assert get(client, "/plans", If_None_Match=first.headers["ETag"]).status_code == 200

    def test_takes_the_same_number_of_queries_however_many_there_are(self, client: Client, django_assert_max_num_queries: Any) -> None:
        for number in range(6):
            plan(f"Plan {number}", year=49_000)
        with django_assert_max_num_queries(4):
            get(client, "/plans")


class TestUsage:
    def test_says_how_much_of_how_much_until_when_and_what_was_told(self, people: Personas) -> None:
        limited(people.organization, events=5)
        usage.reserve(organization_id=people.organization.pk, resource=Resource.EVENTS, quantity=4)

        (one,) = get(signed_in(people.alice), "/me/usage").json()["items"]

        events = next(each for each in one["metrics"] if each["resource"] == "events")
        assert events == {"resource": "events", "used": 4, "limit": 5, "unlimited": False, "percent": 80, "warnings": [80]}
        places = next(each for each in one["metrics"] if each["resource"] == "attendees")
        assert (places["used"], places["limit"], places["unlimited"], places["percent"]) == (None, None, True, None)
        assert (one["organization_id"], one["access"]) == (people.organization.public_id, "active")
        assert one["period_starts_at"] < one["period_ends_at"]

    def test_counts_warnings_of_this_period_alone(self, people: Personas) -> None:
        limited(people.organization, events=5)
        usage.reserve(organization_id=people.organization.pk, resource=Resource.EVENTS, quantity=5)
        grant = Allowance.objects.get(grant__organization_id=people.organization.pk, resource="events").grant
        grant.period_starts_at += timedelta(hours=1)
        grant.save()

        (one,) = get(signed_in(people.alice), "/me/usage").json()["items"]
        assert next(each["warnings"] for each in one["metrics"] if each["resource"] == "events") == []

    def test_is_of_ones_own_organizations_and_of_those_who_make_something_there(self, people: Personas) -> None:
        teacher = UserFactory()
        Membership.objects.create(organization=people.organization, user=teacher, role="instructor")
        Membership.objects.create(organization=people.elsewhere, user=people.bob, role="admin")

        assert [one["organization_id"] for one in get(signed_in(people.charlie), "/me/usage").json()["items"]] == [
            people.elsewhere.public_id
        ]
        assert len(get(signed_in(people.bob), "/me/usage").json()["items"]) == 2
        assert get(signed_in(teacher), "/me/usage").json() == {"items": []}

    def test_without_a_plan_says_free(self) -> None:
        user = UserFactory()
        made = call(
            signed_in(user), "POST", "/organizations", {"name": "Mine", "kind": "team", "country": "DE"}, Idempotency_Key="k"
        ).json()
        (one,) = get(signed_in(user), "/me/usage").json()["items"]
        assert (one["organization_id"], one["plan"], one["access"], one["metrics"]) == (made["id"], None, "free", [])
        assert one["seats"] == {"used": 1, "included": 1, "bought": 0}, "whoever founded it works for it without a plan too"

    def test_takes_the_same_number_of_queries_however_many_there_are(self, people: Personas) -> None:
        client = signed_in(people.bob)
        get(client, "/me/usage")  # the session is written once
        with CaptureQueriesContext(connection) as one:
            get(client, "/me/usage")
        Membership.objects.create(organization=people.elsewhere, user=people.bob, role="admin")
        with CaptureQueriesContext(connection) as two:
            assert len(get(client, "/me/usage").json()["items"]) == 2
        assert len(two) == len(one)


@pytest.fixture
def plans() -> dict[str, Plan]:
    return {
        "large": sold_plan("Large", amount=19_900),
        "small": sold_plan("Small", amount=4_900, attendees_per_event=10),
        "solo": sold_plan("Solo", amount=900, audience="personal"),
    }


@pytest.fixture
def subscription(people: Personas, plans: dict[str, Plan]) -> Subscription:
    account, now = customer(people.organization), timezone.now()
    given = answer(account, plans["large"], period_starts_at=now, period_ends_at=now + timedelta(days=30))
    made = subscription_sync.sync(answer=given, asked_at=now, by=Actor.system("tests"))
    assert made is not None
    return made


@pytest.mark.gap("2.7")
class TestDowngrade:
    def asked(self, people: Personas, **body: Any) -> Any:
        given = {"organization_id": people.organization.public_id, "plan": "small", **body}
        return call(signed_in(people.alice), "POST", "/me/downgrade", given)

    def test_first_says_what_it_would_mean_and_changes_nothing(self, people: Personas, subscription: Subscription) -> None:
        event = EventFactory(organization=people.organization, host=people.alice, capacity=50)
        shown = self.asked(people).json()
        assert (shown["plan"], shown["wanted"], shown["confirmed"]) == ("large", "small", False)
        assert [event.title in sentence for sentence in shown["blockers"]] == [True]
        assert not PlanChange.objects.exists()

    def test_waits_until_nothing_stands_in_its_way(self, people: Personas, subscription: Subscription) -> None:
        event = EventFactory(organization=people.organization, host=people.alice, capacity=50)
        refused = self.asked(people, confirm=True)
        assert (refused.status_code, code(refused)) == (409, "DOWNGRADE_BLOCKED")
        assert event.title in refused.json()["error"]["details"]["blockers"][0]
        assert not PlanChange.objects.exists()

        Event.objects.filter(pk=event.pk).update(capacity=10)
        done = self.asked(people, confirm=True).json()
        assert (done["confirmed"], done["blockers"]) == (True, [])
        assert PlanChange.objects.get().state == "scheduled"
        assert code(self.asked(people, confirm=True)) == "PLAN_CHANGE_PENDING"

    def test_to_no_plan_ends_the_subscription_with_its_period(self, people: Personas, subscription: Subscription) -> None:
        done = self.asked(people, plan=None, confirm=True).json()
        assert (done["wanted"], done["confirmed"]) == (None, True)
        assert PlanChange.objects.get().kind == "cancel"

    @pytest.mark.rule("M18")
    @pytest.mark.parametrize(
        ("body", "status", "expected"),
        [
            ({"plan": "invented"}, 404, "NOT_FOUND"),
            ({"plan": "solo"}, 422, "VALIDATION_ERROR"),
            ({"plan": "large"}, 409, "SUBSCRIPTION_NOT_CHANGEABLE"),
            ({"plan": "huge"}, 409, "PLAN_NOT_SMALLER"),
            ({"plan": "by-hand"}, 409, "PLAN_NOT_FOR_SALE"),
            ({"plan": "euro"}, 409, "PLAN_NOT_FOR_SALE"),
            ({"interval": "year"}, 409, "PLAN_NOT_FOR_SALE"),
            ({"interval": "decade"}, 422, "VALIDATION_ERROR"),
            ({"price": "prc_01h455vb4pex5vsknk084sn02q"}, 422, "VALIDATION_ERROR"),
            ({"organization_id": "org_1"}, 422, "VALIDATION_ERROR"),
            ({"plan": ""}, 422, "VALIDATION_ERROR"),
        ],
    )
    def test_refuses_what_is_no_smaller_plan_of_this_kind(
        self, people: Personas, subscription: Subscription, body: dict[str, Any], status: int, expected: str
    ) -> None:
        sold_plan("Huge", amount=99_900)
        plan("By hand", audience="team", is_contact_sales=True, month=100)
        euro = plan("Euro", audience="team", month=None)
        plan_catalogue.set_price(plan_id=euro.pk, kind="base", interval="month", amount=100, currency="EUR", by=finance())
        answered = self.asked(people, confirm=True, **body)
        assert (answered.status_code, code(answered)) == (status, expected)
        assert not PlanChange.objects.exists()

    def test_is_the_admins_own(self, people: Personas, subscription: Subscription) -> None:
        given = {"organization_id": people.organization.public_id, "plan": "small", "confirm": True}
        assert call(signed_in(people.bob), "POST", "/me/downgrade", given).status_code == 403
        assert call(signed_in(people.charlie), "POST", "/me/downgrade", given).status_code == 404
        assert call(Client(), "POST", "/me/downgrade", given).status_code == 401
        assert not PlanChange.objects.exists()

    def test_needs_a_subscription(self, people: Personas, plans: dict[str, Plan]) -> None:
        assert code(self.asked(people)) == "NOT_SUBSCRIBED"
