"""The nightly comparison of seats: what it finds, what it leaves alone, how a drift is mended, and what a closing organization leaves."""

from typing import Any

import pytest
from django.utils import timezone

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing import plan_changes, seat_drifts, seat_submission, seats
from billing.gateway.plans import GatewaySubscription
from billing.gateway.selection import gateway
from billing.models import PlanChange, SeatAccount, SeatDrift, Subscription
from core import jobs
from core.errors import NotFound, PermissionRefused
from organizations import closing
from organizations.models import Membership
from sandbox.stripe.server import Sandbox
from tests.billing.subscribers import ask, heard, pay
from tests.factories.people import Personas, staff
from tests.factories.plans import plan

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.4")]


@pytest.fixture
def made(sandbox: Sandbox, people: Personas, webhooks: Any, run_jobs: Any) -> Subscription:
    SeatAccount.objects.filter(organization=people.organization).update(given=0)
    plan("Team", month=19_900, seat=12_900, audience="team", seats_included=1)
    run_jobs()
    pay(sandbox, ask(people, "team"))
    sandbox.control.advance(5)
    heard(webhooks, run_jobs)
    return Subscription.objects.get()


def set_at_stripe(made: Subscription, number: int) -> None:
    """Somebody changes the quantity at Stripe's dashboard."""
    found = gateway().retrieve_subscription(made.stripe_subscription_id)
    gateway().update_subscription(
        made.stripe_subscription_id, {"items": [{"id": found.item_ids[1], "quantity": number}]}, key=f"hand-{number}"
    )


def at_stripe(made: Subscription) -> int:
    return sum(gateway().retrieve_subscription(made.stripe_subscription_id).quantities) - 1


class TestCompare:
    def test_finds_none_where_all_agree(self, made: Subscription) -> None:
        seat_drifts.compare_all()
        assert not SeatDrift.objects.exists()
        assert list(seat_drifts.seats_agree()) == []

    def test_keeps_one_open_drift_and_settles_it_itself(self, made: Subscription, people: Personas) -> None:
        set_at_stripe(made, 4)
        seat_drifts.compare_all()
        set_at_stripe(made, 7)
        seat_drifts.compare_all()
        drift = SeatDrift.objects.get()
        assert (drift.counted, drift.ours, drift.at_stripe, drift.state, drift.subscription) == (1, 1, 7, "open", made)
        assert list(seat_drifts.seats_agree()) == [f"{people.organization.name}: 1 counted, 1 here, 7 at Stripe."]
        set_at_stripe(made, 1)
        seat_drifts.compare_all()
        assert SeatDrift.objects.get().state == "settled"

    def test_counts_the_people_anew(self, made: Subscription, people: Personas) -> None:
        Membership.objects.filter(user=people.bob).update(role="instructor")  # past every operation
        assert seat_drifts.compare(organization_id=people.organization.pk) == seat_drifts.Numbers(0, 1, 1)

    def test_says_nothing_while_a_change_is_on_its_way(self, made: Subscription, people: Personas) -> None:
        seats.buy(organization_id=people.organization.pk, seats=3, by=people.as_alice)
        assert seat_drifts.compare(organization_id=people.organization.pk) is None
        SeatAccount.objects.update(changed_at=timezone.now() - 2 * seat_drifts.ON_ITS_WAY)
        assert seat_drifts.compare(organization_id=people.organization.pk) == seat_drifts.Numbers(3, 3, 1)
        assert any("has not taken 3 seats" in each for each in seat_drifts.seats_agree())

    def test_says_nothing_where_one_came_while_stripe_was_asked(
        self, made: Subscription, people: Personas, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = type(gateway()).retrieve_subscription

        def slow(self: Any, subscription_id: str) -> GatewaySubscription:
            answer = real(self, subscription_id)
            SeatAccount.objects.update(version=9, pushed_version=9)
            return answer

        monkeypatch.setattr(type(gateway()), "retrieve_subscription", slow)
        assert seat_drifts.compare(organization_id=people.organization.pk) is None

    def test_goes_on_with_the_others_where_stripe_does_not_answer(self, made: Subscription, sandbox: Sandbox) -> None:
        sandbox.control.fault("reset_before", path="/v1/subscriptions", method="GET")
        with pytest.raises(jobs.RetryLater):
            seat_drifts.compare_all()
        seat_drifts.compare_all()
        assert not SeatDrift.objects.exists()

    def test_of_an_open_drift_goes_on_without_a_subscription(self, people: Personas) -> None:
        SeatDrift.objects.create(organization=people.organization, counted=0, ours=0, at_stripe=2)
        seat_drifts.compare_all()
        assert SeatDrift.objects.get().state == "settled"


class TestMend:
    @pytest.fixture
    def drift(self, made: Subscription) -> SeatDrift:
        set_at_stripe(made, 4)
        seat_drifts.compare_all()
        return SeatDrift.objects.get()

    def test_has_stripe_bill_what_is_counted(self, drift: SeatDrift, made: Subscription, run_jobs: Any) -> None:
        by = staff(StaffGroup.FINANCE)
        seat_drifts.mend(drift_id=drift.pk, by=by)
        run_jobs(delayed=True)
        settled = SeatDrift.objects.get()
        assert (at_stripe(made), settled.state, settled.settled_by_id) == (1, "settled", by.user_id)
        assert AuditEntry.objects.filter(action="seat_drift.mended", user_id=by.user_id).exists()
        with pytest.raises(seat_drifts.DriftSettled):
            seat_drifts.mend(drift_id=drift.pk, by=by)

    def test_counts_people_anew_first(self, made: Subscription, people: Personas, run_jobs: Any) -> None:
        Membership.objects.filter(user=people.bob).update(role="instructor")
        seat_drifts.compare_all()
        seat_drifts.mend(drift_id=SeatDrift.objects.get().pk, by=staff(StaffGroup.FINANCE))
        run_jobs(delayed=True)
        assert (at_stripe(made), SeatDrift.objects.get().state) == (0, "settled")

    def test_is_finances(self, drift: SeatDrift, people: Personas) -> None:
        for by, refusal in ((people.as_alice, NotFound), (people.as_charlie, NotFound), (staff(StaffGroup.SUPPORT), PermissionRefused)):
            with pytest.raises(refusal):
                seat_drifts.mend(drift_id=drift.pk, by=by)
        assert SeatDrift.objects.get().settled_by_id is None

    def test_waits_for_the_worker_that_carries_the_seats(self, drift: SeatDrift, people: Personas) -> None:
        seat_drifts.mend(drift_id=drift.pk, by=staff(StaffGroup.FINANCE))
        assert seat_submission.claim(organization_id=people.organization.pk) is not None
        with pytest.raises(jobs.RetryLater):
            seat_drifts.confirm(organization_id=people.organization.pk)
        assert SeatDrift.objects.get().state == "open"


class TestClosingAnOrganization:
    @pytest.fixture(autouse=True)
    def _files(self, settings: Any, tmp_path: Any) -> None:
        settings.MEDIA_ROOT = tmp_path  # the export is written there

    def close(self, people: Personas) -> None:
        closing.close(organization_id=people.organization.pk, confirmation=people.organization.name, by=people.as_alice)

    def test_ends_its_subscription_with_the_period(
        self, made: Subscription, people: Personas, run_jobs: Any, webhooks: Any, sandbox: Sandbox
    ) -> None:
        self.close(people)
        run_jobs(delayed=True)
        now = Subscription.objects.get()
        assert (now.is_live, now.cancel_at_period_end, at_stripe(made)) == (True, True, 0)
        sandbox.control.advance(32 * 86_400)
        heard(webhooks, run_jobs)
        row = SeatAccount.objects.get(organization=people.organization)
        assert (Subscription.objects.get().is_live, row.bought, row.number, row.is_pushed) == (False, 0, 0, True)
        seat_drifts.compare_all()
        assert not SeatDrift.objects.exists()

    def test_waits_for_a_change_that_stripe_has_not_answered(self, made: Subscription, people: Personas) -> None:
        PlanChange.objects.create(subscription=made, kind="resume", due_at=timezone.now())
        with pytest.raises(closing.ClosingBlocked, match="change of the plan is on its way"):
            self.close(people)

    def test_takes_what_waits_for_the_period_back(self, made: Subscription, people: Personas, run_jobs: Any) -> None:
        small = plan("Small team", month=900, seat=500, audience="team", seats_included=9)
        run_jobs()
        plan_changes.change(subscription_id=made.pk, plan=small.code, interval="month", by=people.as_alice)
        plan_changes.end_with(organization_id=people.organization.pk, by=people.as_alice)
        assert dict(PlanChange.objects.values_list("kind", "state")) == {"downgrade": "undone", "cancel": "requested"}
        plan_changes.end_with(organization_id=people.organization.pk, by=people.as_alice)
        run_jobs()
        plan_changes.end_with(organization_id=people.organization.pk, by=people.as_alice)
        assert PlanChange.objects.filter(kind="cancel").count() == 1

    def test_leaves_no_seat_to_be_changed(self, made: Subscription, people: Personas) -> None:
        self.close(people)
        for operation in (seats.buy, seats.lower):
            with pytest.raises(NotFound):
                operation(organization_id=people.organization.pk, seats=3, by=people.as_alice)
        with pytest.raises(NotFound):
            seats.give(organization_id=people.organization.pk, seats=3, reason="x", by=staff(StaffGroup.SUPPORT))
