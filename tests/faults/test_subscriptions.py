"""Subscribing, and changing it, while the line to Stripe or a worker breaks: one subscription, in the state that was asked for."""

from contextlib import suppress
from typing import Any

import pytest
import stripe

from billing import plan_changes, subscribing, subscription_sync
from billing.gateway.base import GatewayBusy, GatewayUnknown
from billing.models import BillingAccount, Plan, PlanChange, Subscription
from core.jobs import RetryLater
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.billing.subscribers import BACK, ask, pay, standing
from tests.factories.people import Personas, personas
from tests.factories.plans import plan
from tests.faults.test_reconciliation import held
from tests.faults.test_worker import IMPATIENT, somebody_waits_for_a_lock
from tests.processes import kill_group, until, worker
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("6.2"), pytest.mark.rule("M16")]
LOST: dict[str, tuple[str, dict[str, Any]]] = {
    "time-out": ("timeout_after_success", {"seconds": 1}),
    "reset before": ("reset_before", {}),
    "stored 500": ("stored_500", {"work": False}),
    "stored 500, done": ("stored_500", {"work": True}),
    "reset after": ("reset_after", {}),
}
CHANGES = "/v1/subscriptions/"


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def plans(sandbox: Sandbox, people: Personas) -> dict[str, Plan]:
    made = {"small": plan("Small", month=4_900, audience="team", events_per_month=5), "large": plan("Large", month=19_900, audience="team")}
    flows.drain()
    return made


@pytest.fixture
def made(sandbox: Sandbox, people: Personas, plans: dict[str, Plan]) -> Subscription:
    pay(sandbox, ask(people))
    flows.settle(sandbox)
    return Subscription.objects.get()


def theirs(sandbox: Sandbox) -> list[dict[str, Any]]:
    with sandbox.world.lock:
        return sandbox.world.store.select("subscription")


def arm(sandbox: Sandbox, kind: str, path: str) -> None:
    name, more = LOST[kind]
    sandbox.control.fault(name, method="POST", path=path, **more)


def finish(sandbox: Sandbox) -> None:
    """Everything that waits is done, later tries too, and every webhook heard."""
    flows.drain(delayed=True)
    flows.settle(sandbox)


@pytest.mark.parametrize("kind", list(LOST)[-SIZES.lost_answers :])
class TestLostAnswer:
    @pytest.mark.parametrize("path", ["/v1/customers", "/v1/checkout/sessions"])
    def test_at_checkout_leaves_one_customer_and_one_page_to_pay_on(
        self, sandbox: Sandbox, people: Personas, plans: dict[str, Plan], kind: str, path: str
    ) -> None:
        arm(sandbox, kind, path)
        assert ask(people) is None

        pay(sandbox, ask(people))  # again, as a person does

        finish(sandbox)
        with sandbox.world.lock:
            open_pages = [one for one in sandbox.world.store.select("checkout.session") if one["status"] == "open"]
        assert (len(theirs(sandbox)), open_pages) == (1, [])
        assert BillingAccount.objects.get().stripe_customer_id == theirs(sandbox)[0]["customer"]
        assert (Subscription.objects.get().status, standing(people).state) == ("active", "active")

    def test_at_the_portal_is_said_and_changes_nothing(self, sandbox: Sandbox, people: Personas, made: Subscription, kind: str) -> None:
        given = {"organization_id": people.organization.pk, "return_url": BACK, "by": people.as_alice}
        arm(sandbox, kind, "/v1/billing_portal/sessions")
        assert subscribing.portal_url(**given) is None
        assert subscribing.portal_url(**given) is not None
        assert Subscription.objects.get().status == "active"

    @pytest.mark.parametrize("what", ["upgrade", "downgrade", "cancel"])
    def test_of_a_change_is_asked_for_again_and_made_once(
        self, sandbox: Sandbox, people: Personas, made: Subscription, kind: str, what: str
    ) -> None:
        change = self.wanted(what, made, people)
        before = len(posts(sandbox))
        arm(sandbox, kind, CHANGES)

        finish(sandbox)

        assert PlanChange.objects.get(pk=change.pk).state == "done"
        assert len(posts(sandbox)) > before
        self.agrees(what, sandbox, people)

    def wanted(self, what: str, made: Subscription, people: Personas) -> PlanChange:
        given: dict[str, Any] = {"subscription_id": made.pk, "by": people.as_alice}
        if what == "cancel":
            return plan_changes.cancel(**given)
        large = plan_changes.change(plan="large", interval="month", **given)
        if what == "upgrade":
            return large
        flows.drain()
        small = plan_changes.change(plan="small", interval="month", **given)
        plan_changes.release(change_id=small.pk)
        return small

    def agrees(self, what: str, sandbox: Sandbox, people: Personas) -> None:
        (found,) = theirs(sandbox)
        mirror = Subscription.objects.select_related("price__plan").get()
        assert [item["price"]["id"] for item in found["items"]["data"]] == [mirror.price.stripe_price_id]
        assert (mirror.cancel_at_period_end, found["cancel_at_period_end"]) == (what == "cancel", what == "cancel")
        assert mirror.price.plan.code == ("large" if what == "upgrade" else "small")
        with sandbox.world.lock:
            lines = sandbox.world.store.setting(f"waiting:{found['id']}", [])
        assert len(lines) == (0 if what == "cancel" else 2), "the change of the price is counted once, downgrades not at all"


def posts(sandbox: Sandbox) -> list[Any]:
    return list(sandbox.control.requests(method="POST", path=CHANGES))


@pytest.mark.django_db(transaction=True)
class TestKillMinusNine:
    def test_between_the_commit_and_the_call_leaves_the_change_to_the_next_worker(
        self, sandbox: Sandbox, people: Personas, made: Subscription
    ) -> None:
        change = plan_changes.change(subscription_id=made.pk, plan="large", interval="month", by=people.as_alice)
        with held("billing_stripecommand"), worker("money", IMPATIENT) as child:
            until(somebody_waits_for_a_lock, "the worker wants to write down what it is about to ask")
            kill_group(child)
        assert (posts(sandbox), PlanChange.objects.get(pk=change.pk).state) == ([], "requested")

        with worker("money", IMPATIENT):
            until(lambda: PlanChange.objects.filter(pk=change.pk, state="done").exists(), "the next worker makes it", seconds=90)
        finish(sandbox)
        assert (len(posts(sandbox)), standing(people).plan_name) == (1, "Large")

    def test_after_the_call_asks_again_under_the_same_key(self, sandbox: Sandbox, people: Personas, made: Subscription) -> None:
        sandbox.control.fault("timeout_after_success", method="POST", path=CHANGES, seconds=3)
        change = plan_changes.cancel(subscription_id=made.pk, by=people.as_alice)
        with worker("money", IMPATIENT) as child:
            until(lambda: posts(sandbox), "the call is at Stripe")
            kill_group(child)
        with worker("money", IMPATIENT):
            until(lambda: PlanChange.objects.filter(pk=change.pk, state="done").exists(), "the next worker makes it", seconds=90)
        finish(sandbox)
        assert {one["idempotency_key"] for one in posts(sandbox)} == {change.stripe_key}
        assert Subscription.objects.get().cancel_at_period_end


class TestWebhookFirst:
    def test_of_a_change_before_its_answer_makes_it_once(self, sandbox: Sandbox, people: Personas, made: Subscription) -> None:
        change = plan_changes.change(subscription_id=made.pk, plan="large", interval="month", by=people.as_alice)
        sandbox.control.fault("timeout_after_success", method="POST", path=CHANGES, seconds=1)
        with suppress(GatewayBusy, GatewayUnknown, RetryLater):
            flows.drain()
        flows.deliver(sandbox)
        assert PlanChange.objects.get(pk=change.pk).state == "requested"

        finish(sandbox)

        assert (PlanChange.objects.get(pk=change.pk).state, standing(people).plan_name) == ("done", "Large")
        assert len(theirs(sandbox)) == 1

    def test_of_a_subscription_that_nobody_heard_of_yet_refuses_a_second(
        self, sandbox: Sandbox, people: Personas, plans: dict[str, Plan]
    ) -> None:
        sandbox.control.delivery("hold")
        pay(sandbox, ask(people))
        assert not Subscription.objects.exists()

        with pytest.raises(subscribing.AlreadySubscribed):
            ask(people, "large")

        assert Subscription.objects.get().status == "active"
        sandbox.control.delivery()
        sandbox.control.release()
        finish(sandbox)
        assert (len(theirs(sandbox)), Subscription.objects.count(), standing(people).state) == (1, 1, "active")

    def test_of_the_next_subscription_makes_up_for_the_lost_end_of_the_one_before(
        self, sandbox: Sandbox, people: Personas, made: Subscription
    ) -> None:
        sandbox.control.delivery("lost", types=["customer.subscription.deleted"])
        client = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url})
        client.v1.subscriptions.cancel(made.stripe_subscription_id)
        given: Any = {
            "customer": made.account.stripe_customer_id,
            "items": [{"price": Plan.objects.get(code="large").prices.get().stripe_price_id}],
            "default_payment_method": "pm_card_visa",
        }
        client.v1.subscriptions.create(given)

        finish(sandbox)

        assert sorted(Subscription.objects.values_list("status", flat=True)) == ["active", "canceled"]
        assert (standing(people).state, standing(people).plan_name) == ("active", "Large")

    def test_that_never_comes_is_made_up_for_by_the_sweep(self, sandbox: Sandbox, people: Personas, made: Subscription) -> None:
        sandbox.control.delivery("lost")
        with sandbox.world.lock:
            row = theirs(sandbox)[0]
            sandbox.world.store.save({**row, "status": "past_due"})
        Subscription.objects.update(asked_at=made.asked_at - subscription_sync.STALE_AFTER * 2)
        subscription_sync.refresh_stale()
        assert (Subscription.objects.get().status, standing(people).state) == ("past_due", "grace")
