"""Changes of a subscription: a larger plan now, a smaller one later, its end, and all that can be undone until then."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import Client

from audit.actor import StaffGroup
from billing import plan_catalogue, plan_change_submission, plan_changes, subscription_sync
from billing.gateway.base import GatewayUnknown
from billing.models import Plan, PlanChange, Subscription
from core.errors import InvalidInput, NotFound, PermissionRefused
from sandbox.stripe.server import Sandbox
from tests.admin_ext.conftest import sign_in
from tests.billing.subscribers import heard, pay, standing
from tests.factories.events import EventFactory
from tests.factories.people import Personas, staff
from tests.factories.plans import plan

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.7")]


def change(people: Personas, made: Subscription, code: str = "large", **values: Any) -> PlanChange:
    given = {"plan": code, "interval": "month", "by": people.as_alice, **values}
    return plan_changes.change(subscription_id=made.pk, **given)


@pytest.fixture
def made(subscribed: Callable[[], Subscription]) -> Subscription:
    return subscribed()


class TestUpgrade:
    def test_is_asked_of_stripe_now_and_counted_from_now(
        self, people: Personas, made: Subscription, run_jobs: Any, sandbox: Sandbox
    ) -> None:
        asked = change(people, made)
        run_jobs()

        assert (PlanChange.objects.get(pk=asked.pk).state, standing(people).plan_name) == ("done", "Large")
        with sandbox.world.lock:
            waiting = sandbox.world.store.setting(f"waiting:{made.stripe_subscription_id}")
        assert [line["amount"] < 0 for line in waiting] == [True, False]

    def test_whose_answer_was_lost_is_asked_for_again(self, people: Personas, made: Subscription, run_jobs: Any, sandbox: Any) -> None:
        sandbox.control.fault("reset_after", path="/v1/subscriptions", method="POST")
        asked = change(people, made)
        with pytest.raises(GatewayUnknown):
            plan_change_submission.submit(change_id=asked.pk)
        plan_change_submission.submit(change_id=asked.pk)
        plan_change_submission.submit(change_id=asked.pk)
        assert PlanChange.objects.get(pk=asked.pk).state == "done"
        with sandbox.world.lock:
            assert len(sandbox.world.store.setting(f"waiting:{made.stripe_subscription_id}")) == 2

    def test_for_which_stripe_keeps_an_error_is_asked_for_under_another_key(
        self, people: Personas, made: Subscription, run_jobs: Any, sandbox: Sandbox
    ) -> None:
        sandbox.control.fault("stored_500", path="/v1/subscriptions", method="POST")
        asked = change(people, made)
        run_jobs(delayed=True)
        plan_change_submission.renew(change_id=asked.pk, given_up=1)
        found = PlanChange.objects.get(pk=asked.pk)
        assert (found.state, found.number) == ("done", 2)
        keys = [call["idempotency_key"] for call in sandbox.control.requests(method="POST", path="/v1/subscriptions")]
        assert keys == [f"plan-change-{asked.pk}-1", f"plan-change-{asked.pk}-2"]

    def test_that_stripe_refuses_changes_nothing(
        self, people: Personas, made: Subscription, plans: dict[str, Plan], sandbox: Sandbox
    ) -> None:
        asked = change(people, made)
        with sandbox.world.lock:
            price = sandbox.world.store.get("price", str(plans["large"].prices.get().stripe_price_id))
            sandbox.world.store.save({**price, "active": False})
        plan_change_submission.submit(change_id=asked.pk)
        plan_change_submission.refuse(change_id=asked.pk, why="again")
        plan_change_submission.finish(change_id=asked.pk)
        found = PlanChange.objects.get(pk=asked.pk)
        assert (found.state, "inactive" in found.failure_reason, standing(people).plan_name) == ("failed", True, "Small")


class TestDowngrade:
    @pytest.fixture
    def large(self, people: Personas, made: Subscription, run_jobs: Any) -> Subscription:
        change(people, made)
        run_jobs()
        return Subscription.objects.get(pk=made.pk)

    def test_waits_for_the_periods_end(self, people: Personas, large: Subscription, run_jobs: Any) -> None:
        asked = change(people, large, "small")
        plan_changes.release_due()
        assert (PlanChange.objects.get(pk=asked.pk).state, standing(people).plan_name) == ("scheduled", "Large")

        with time_machine.travel(asked.due_at + timedelta(minutes=1)):
            plan_changes.release_due()
            plan_changes.release(change_id=asked.pk)
            run_jobs()

        assert (PlanChange.objects.get(pk=asked.pk).state, standing(people).plan_name) == ("done", "Small")

    def test_can_be_undone_until_then(self, people: Personas, large: Subscription) -> None:
        asked = change(people, large, "small")
        with pytest.raises(plan_changes.ChangePending):
            plan_changes.cancel(subscription_id=large.pk, by=people.as_alice)
        plan_changes.undo(subscription_id=large.pk, by=people.as_alice)
        plan_changes.release(change_id=asked.pk)
        with pytest.raises(plan_changes.NothingToUndo):
            plan_changes.undo(subscription_id=large.pk, by=people.as_alice)
        assert PlanChange.objects.get(pk=asked.pk).state == "undone"

    def test_lists_what_stands_in_the_way(self, people: Personas, large: Subscription, plans: dict[str, Plan]) -> None:
        EventFactory(organization=people.organization, host=people.alice, capacity=600, title="Congress")
        found = plan_changes.preflight(subscription_id=large.pk, plan="small", by=people.as_alice)
        with pytest.raises(plan_changes.DowngradeBlocked) as refused:
            change(people, large, "small")
        assert refused.value.details == {"blockers": found}
        assert found == ["“Congress” has more than 500 places: wait until it is over, or give it fewer."]
        Plan.objects.filter(code="small").update(events_per_month=0)
        assert plan_changes.preflight(subscription_id=large.pk, plan="small", by=people.as_alice)[0].startswith("1 published")
        Plan.objects.filter(code="small").update(events_per_month=9, attendees_per_event=None, attendees_unlimited=True)
        assert plan_changes.preflight(subscription_id=large.pk, plan="small", by=people.as_alice) == []
        with pytest.raises(NotFound):
            plan_changes.preflight(subscription_id=large.pk, plan="small", by=people.as_charlie)


class TestEnd:
    def test_is_asked_for_and_taken_back(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        with pytest.raises(plan_changes.NotChangeable):
            plan_changes.resume(subscription_id=made.pk, by=people.as_alice)
        for operation, expected in ((plan_changes.cancel, True), (plan_changes.resume, False), (plan_changes.cancel, True)):
            operation(subscription_id=made.pk, by=people.as_alice)
            run_jobs()
            assert Subscription.objects.get().cancel_at_period_end is expected
        with pytest.raises(plan_changes.NotChangeable):
            plan_changes.cancel(subscription_id=made.pk, by=people.as_alice)
        assert standing(people).state == "active"

    def test_of_one_that_is_over_is_refused(self, people: Personas, made: Subscription, sandbox: Sandbox) -> None:
        sandbox.control.advance(1)
        Subscription.objects.filter(pk=made.pk).update(status="canceled")
        with pytest.raises(plan_changes.NotChangeable):
            plan_changes.cancel(subscription_id=made.pk, by=people.as_alice)


class TestRefusals:
    def test_of_plans_that_do_not_fit(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        plan("Solo")
        run_jobs()
        plan("New", audience="team")
        with pytest.raises(InvalidInput):
            change(people, made, "solo")
        with pytest.raises(plan_catalogue.PlanNotForSale):
            change(people, made, "new")
        with pytest.raises(plan_changes.NotChangeable):
            change(people, made, "small")
        with pytest.raises(PermissionRefused):
            change(people, made, by=staff(StaffGroup.AUDITOR))
        for stranger in (people.as_bob, people.as_charlie):
            with pytest.raises(NotFound):
                change(people, made, by=stranger)
        assert not PlanChange.objects.exists()

    def test_of_the_database(self, people: Personas, made: Subscription) -> None:
        asked = change(people, made)
        for statement in ("state = 'undone'", "kind = 'cancel'"):
            with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"UPDATE billing_planchange SET {statement} WHERE id = %s", [asked.pk])


class TestStale:
    def test_is_asked_about_after_a_day(self, made: Subscription, sandbox: Sandbox) -> None:
        subscription_sync.refresh_stale()
        asked = Subscription.objects.get().asked_at
        with time_machine.travel(asked + timedelta(days=2)):
            subscription_sync.refresh_stale()
            assert Subscription.objects.get().asked_at > asked
        with time_machine.travel(asked + timedelta(days=5)):
            sandbox.control.fault("reset_before", path="/v1/subscriptions", method="GET")
            with pytest.raises(Exception, match=made.stripe_subscription_id):
                subscription_sync.refresh_stale()


class TestPage:
    def test_offers_every_way_and_takes_it(
        self, people: Personas, plans: dict[str, Plan], sandbox: Sandbox, webhooks: Any, run_jobs: Any
    ) -> None:
        client = sign_in(people.alice)
        page = "/console/billing/planaccess/plans/"
        assert b"Try Small for 30 days" in client.get(page).content
        client.post(f"{page}try/", {"plan": "small"})
        assert standing(people).state == "trial"
        away = client.post(f"{page}subscribe/", {"plan": "small", "interval": "month"})
        assert away.status_code == 302
        pay(sandbox, away["Location"])
        heard(webhooks, run_jobs)
        assert b"End the subscription" in client.get(page).content
        assert "/c/portal/" in client.post(f"{page}portal/")["Location"]
        client.post(f"{page}change/", {"do": "cancel"})
        run_jobs()
        assert b"Do not end the subscription" in client.get(page).content
        client.post(f"{page}change/", {"do": "change", "plan": "large", "interval": "month"})
        run_jobs()
        client.post(f"{page}change/", {"do": "change", "plan": "small", "interval": "month"})
        assert b"Keep the plan after all" in client.get(page).content

    def test_says_why_not(self, people: Personas, plans: dict[str, Plan]) -> None:
        client: Client = sign_in(people.alice)
        page = "/console/billing/planaccess/plans/"
        for address, given in (("try/", {"plan": "x"}), ("subscribe/", {"plan": "x"}), ("portal/", {}), ("change/", {"do": "cancel"})):
            assert client.post(page + address, given).status_code in (302, 404)
            assert b"console-" in client.get(page).content
        bob = sign_in(people.bob)
        assert bob.get(page).status_code == 403
        assert bob.post(f"{page}try/", {"plan": "small"}).status_code == 403
