"""Months in a minute: a trial to its end with and without a card, by Stripe's clock and ours, and every task run twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from billing import access, access_emails, cards, subscription_sync, trials
from billing.models import AccessChange, Invoice, Plan, PlanAccess, Subscription
from events.models import Event
from notifications.models import Message
from sandbox.stripe.server import Sandbox
from tests.billing.subscribers import ask, pay, standing
from tests.factories.events import EventFactory
from tests.factories.people import Personas
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.2")]


class Days:
    """Both clocks, and what the schedules run each night."""

    def __init__(self, sandbox: Sandbox, webhooks: Any, run_jobs: Any) -> None:
        self.sandbox, self.webhooks, self.run_jobs = sandbox, webhooks, run_jobs
        self.began = timezone.now()

    @contextmanager
    def at(self, days: float) -> Iterator[datetime]:
        """The stand-in goes by this process's clock, and so travels along; it does what has become due when it is asked something."""
        moment = self.began + timedelta(days=days, minutes=1)
        with time_machine.travel(moment):
            self.sandbox.control.now()
            self.webhooks()
            self.run_jobs()
            yield moment

    def nights(self, first: int, last: int, *, some: tuple[int, ...]) -> dict[int, list[str]]:
        """Run every task twice in each night from the first to the last; which mails went out in which.

        some: the nights in which something happens and those before them, which will do in the small size.
        """
        found: dict[int, list[str]] = {}
        for night in range(first, last + 1) if SIZES.every_night else some:
            known = set(Message.objects.values_list("pk", flat=True))
            with self.at(night):
                for _ in range(2):
                    for task in (access.end_due, access_emails.send_notices, cards.send_notices, subscription_sync.refresh_stale):
                        task()
                    self.webhooks()
                    self.run_jobs()
            if new := list(Message.objects.exclude(pk__in=known).order_by("pk").values_list("kind", flat=True)):
                found[night] = new
        return found


@pytest.fixture
def days(sandbox: Sandbox, plans: dict[str, Plan], webhooks: Any, run_jobs: Any) -> Days:
    return Days(sandbox, webhooks, run_jobs)


def start(people: Personas) -> PlanAccess:
    return trials.start(organization_id=people.organization.pk, plan="small", by=people.as_alice)


class TestTrialWithoutACard:
    def test_ends_in_grace_and_then_on_the_free_plan_with_everything_kept(self, people: Personas, days: Days) -> None:
        start(people)
        event = EventFactory(organization=people.organization, host=people.alice)

        mails = days.nights(20, 46, some=(21, 22, 23, 25, 26, 27, 28, 29, 30, 31, 43, 44, 45))

        assert mails == {
            **{night: ["trial_ending"] for night in (22, 26, 28, 29)},  # 7, 3, 1 and 0 whole days are left
            30: ["grace_began"],
            44: ["plan_ended"],
        }
        changes = AccessChange.objects.order_by("pk").values_list("old_state", "new_state")
        assert list(changes) == [("free", "trial"), ("trial", "grace"), ("grace", "free")]
        row = standing(people)
        assert (row.state, row.plan) == ("free", None)
        assert Event.objects.get(pk=event.pk).state == "published"


class TestTrialWithACard:
    def test_is_paid_when_it_ends(self, people: Personas, days: Days, sandbox: Sandbox) -> None:
        start(people)
        with days.at(3):
            pay(sandbox, ask(people))
        mails = days.nights(4, 35, some=(4, 21, 22, 25, 26, 28, 29, 30, 31, 35))
        assert mails == {4: ["subscription_started"], **{night: ["trial_ending"] for night in (22, 26, 28, 29)}}
        message = Message.objects.filter(kind="trial_ending").latest("pk")
        assert "is charged to your card" in message.text
        assert (standing(people).state, Subscription.objects.get().status) == ("active", "active")
        assert list(Invoice.objects.order_by("issued_at").values_list("amount_paid", "status")) == [(0, "paid"), (4_900, "paid")]

    def test_that_fails_then_waits_for_stripe_to_end_it(self, people: Personas, days: Days, sandbox: Sandbox) -> None:
        start(people)
        with days.at(3):
            session = str(ask(people)).rsplit("/", 1)[1]
            sandbox.control.pay(session, card="4000000000000341")
        mails = days.nights(4, 63, some=(4, 29, 30, 31, 34, 40, 47, 48, 49, 62, 63))
        said = [kind for kinds in mails.values() for kind in kinds]
        assert said.count("invoice_failed") == 4
        assert said.count("subscription_ended") == 1
        assert said[-1] == "plan_ended"
        assert (standing(people).state, Subscription.objects.get().status) == ("free", "canceled")
