"""Seats on their way to Stripe: whatever is lost or killed between, Stripe bills our number, once."""

from typing import Any

import pytest

from billing import seat_submission, seats
from billing.gateway.base import GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import SeatAccount, Subscription
from sandbox.stripe.server import Sandbox
from tests.billing.subscribers import ask, heard, pay
from tests.factories.people import Personas, personas
from tests.factories.plans import plan

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.4")]


class Killed(BaseException):
    """What a worker that is killed leaves undone."""


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def made(sandbox: Sandbox, people: Personas, webhooks: Any, run_jobs: Any) -> Subscription:
    SeatAccount.objects.filter(organization=people.organization).update(given=0)
    plan("Team", month=19_900, seat=12_900, audience="team", seats_included=1)
    run_jobs()
    pay(sandbox, ask(people, "team"))
    sandbox.control.advance(5)
    heard(webhooks, run_jobs)
    return Subscription.objects.get()


def agree(made: Subscription, number: int) -> None:
    row = SeatAccount.objects.get(organization=made.organization)
    billed = sum(gateway().retrieve_subscription(made.stripe_subscription_id).quantities) - 1
    assert (row.number, billed, row.is_pushed) == (number, number, True)


def waiting(sandbox: Sandbox, made: Subscription) -> int:
    """Seats that the lines for the next invoice add."""
    lines = sandbox.world.store.setting(f"waiting:{made.stripe_subscription_id}")
    return sum(line["quantity"] * (1 if line["amount"] > 0 else -1) for line in lines)


def die(*_args: Any, **_values: Any) -> None:
    raise Killed


class TestPush:
    @pytest.mark.parametrize("step", ["_prepare", "commands.perform", "subscription_sync.refresh", "answered"])
    def test_of_a_worker_that_is_killed_at_any_step_is_gone_on_with(
        self, made: Subscription, people: Personas, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, time_machine_at: Any, step: str
    ) -> None:
        seats.buy(organization_id=people.organization.pk, seats=3, by=people.as_alice)
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(f"billing.seat_submission.{step}", die)
            seat_submission.push(organization_id=people.organization.pk)
        seats.buy(organization_id=people.organization.pk, seats=5, by=people.as_alice)
        seat_submission.push(organization_id=people.organization.pk)  # the dead worker's lease still holds
        with time_machine_at(minutes=2):
            seat_submission.push(organization_id=people.organization.pk)
            agree(made, 5)
        assert waiting(sandbox, made) == 4

    def test_that_comes_twice_is_one_change(self, made: Subscription, people: Personas, sandbox: Sandbox) -> None:
        seats.buy(organization_id=people.organization.pk, seats=4, by=people.as_alice)
        for _ in range(2):
            seat_submission.push(organization_id=people.organization.pk)
        agree(made, 4)
        assert waiting(sandbox, made) == 3

    @pytest.mark.parametrize("fault", ["reset_before", "reset_after"])
    def test_that_times_out_is_sent_again_and_counted_once(
        self, made: Subscription, people: Personas, sandbox: Sandbox, run_jobs: Any, fault: str
    ) -> None:
        seats.buy(organization_id=people.organization.pk, seats=3, by=people.as_alice)
        sandbox.control.fault(fault, path="/v1/subscriptions", method="POST")
        with pytest.raises(GatewayUnknown):
            seat_submission.push(organization_id=people.organization.pk)
        seats.lower(organization_id=people.organization.pk, seats=2, by=people.as_alice)
        run_jobs(delayed=True)
        agree(made, 2)
        assert waiting(sandbox, made) == 1
