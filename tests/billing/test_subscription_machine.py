"""Subscriptions at Stripe in any order of what Stripe does, what reaches us and when: in the end we say what Stripe says, and why.

Stripe's graph of states: https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses. Webhooks come late, twice, in any
order, or not until they are sent again; readings of Stripe overtake each other.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
import time_machine
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from audit.actor import Actor
from billing import access, subscription_sync
from billing.gateway.base import PaymentGateway
from billing.gateway.plans import GatewaySubscription
from billing.gateway.selection import gateway
from billing.models import BillingAccount, Plan, PlanAccess, Subscription, SubscriptionChange
from billing.webhooks import plan_handlers, words
from tests.factories.people import personas
from tests.factories.subscriptions import BEGAN, answer, customer, sold_plan
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.2"), pytest.mark.rule("M3"), pytest.mark.rule("M15"), pytest.mark.rule("M16")]
GRAPH = {
    "incomplete": ("active", "incomplete_expired"),
    "trialing": ("active", "past_due", "paused", "canceled"),
    "active": ("past_due", "unpaid", "canceled"),
    "past_due": ("active", "unpaid", "canceled"),
    "unpaid": ("active", "canceled"),
    "paused": ("active", "canceled"),
    "canceled": (),
    "incomplete_expired": (),
}
ENDED = tuple(status for status, ways in GRAPH.items() if not ways)
LIVE = ("trialing", "active", "past_due", "unpaid", "paused")
PICK = st.integers(0, 99)
BY = Actor.system("tests")


type Told = tuple[str, str]  # an event, and the subscription that it is about


@dataclass
class Stripe:
    """The customer's subscriptions at Stripe, as they are now, the latest last; events that have not reached us; readings under way."""

    all: dict[str, GatewaySubscription] = field(default_factory=dict)
    clock: datetime = BEGAN
    pending: list[Told] = field(default_factory=list)
    lost: list[Told] = field(default_factory=list)
    readings: list[tuple[GatewaySubscription, datetime]] = field(default_factory=list)
    events: int = 0

    @property
    def now(self) -> GatewaySubscription:
        return list(self.all.values())[-1]

    def retrieve_subscription(self, subscription_id: str) -> GatewaySubscription:
        return self.all[subscription_id]

    def card_of(self, customer_id: str) -> None:
        return None


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block._from_testcase = True  # type: ignore[attr-defined]  # the test's own, so that outside calls are let through
        self.block.__enter__()

    @initialize(status=st.sampled_from(["incomplete", "trialing", "active"]), is_heard=st.booleans())
    def begin(self, status: str, is_heard: bool) -> None:
        organization = personas().organization
        self.account: BillingAccount = customer(organization)
        number = Plan.objects.count()
        self.plans = [sold_plan(f"Small {number}"), sold_plan(f"Large {number}", amount=29_900)]
        self.stripe = Stripe()
        self.subscribe(status)
        if is_heard:
            self.a_webhook_comes(pick=0, twice=False)

    def subscribe(self, status: str) -> None:
        self.set(answer(self.account, self.plans[0], status, id=f"sub_{self.account.pk.hex}_{len(self.stripe.all)}"))

    def set(self, subscription: GatewaySubscription) -> None:
        """Stripe does something, and will tell."""
        self.stripe.all[subscription.id] = subscription
        self.stripe.events += 1
        self.stripe.pending.append((f"evt_{self.stripe.events}", subscription.id))

    def change(self, **values: Any) -> None:
        self.set(replace(self.stripe.now, **values))

    def tick(self) -> datetime:
        self.stripe.clock += timedelta(minutes=1)
        return self.stripe.clock

    def at_work(self, work: Callable[[], object]) -> None:
        with time_machine.travel(self.tick(), tick=False), gateway.instead(cast(PaymentGateway, self.stripe)):
            work()

    def take(self, rows: list[Any], pick: int) -> Any:
        return rows.pop(pick % len(rows))

    def mirrors(self) -> list[Subscription]:
        return list(Subscription.objects.select_related("price__plan").filter(account=self.account)) if hasattr(self, "account") else []

    # what Stripe does

    @rule(pick=PICK)
    def stripe_moves_on(self, pick: int) -> None:
        if ways := GRAPH[self.stripe.now.status]:
            self.move(ways[pick % len(ways)])

    def move(self, status: str) -> None:
        ended = self.stripe.clock if status in ENDED else None
        self.change(status=status, ended_at=ended, canceled_at=ended)

    @rule(status=st.sampled_from(["incomplete", "trialing", "active"]))
    def somebody_subscribes_again(self, status: str) -> None:
        """The one before ends, of which we may have heard nothing yet."""
        if ways := GRAPH[self.stripe.now.status]:
            self.move(ways[-1])
        self.subscribe(status)

    @rule(pick=PICK)
    def the_plan_changes(self, pick: int) -> None:
        if self.stripe.now.status in LIVE:
            price = self.plans[pick % 2].prices.get(kind="base", interval="month", retired_at=None)
            self.change(price_ids=(str(price.stripe_price_id),))

    @rule(ends=st.booleans())
    def its_end_is_asked_for(self, ends: bool) -> None:
        if self.stripe.now.status in LIVE:
            self.change(cancel_at_period_end=ends)

    @rule()
    def the_period_ends(self) -> None:
        if self.stripe.now.status in LIVE:
            starts = self.stripe.now.period_ends_at
            self.change(period_starts_at=starts, period_ends_at=starts + timedelta(days=31))

    # what reaches us

    def handle(self, told: Told) -> None:
        token = words.told_by.set(told[0])
        try:
            self.at_work(lambda: plan_handlers.subscription({"id": told[1]}))
        finally:
            words.told_by.reset(token)

    @rule(pick=PICK, twice=st.booleans())
    def a_webhook_comes(self, pick: int, twice: bool) -> None:
        """Any of those that wait: their order means nothing."""
        if self.stripe.pending:
            told = self.take(self.stripe.pending, pick)
            for _ in range(1 + twice):
                self.handle(told)

    @rule(pick=PICK)
    def a_webhook_is_lost(self, pick: int) -> None:
        if self.stripe.pending:
            self.stripe.lost.append(self.take(self.stripe.pending, pick))

    @rule(pick=PICK)
    def a_lost_webhook_is_sent_again(self, pick: int) -> None:
        if self.stripe.lost:
            self.stripe.pending.append(self.take(self.stripe.lost, pick))

    @rule()
    def a_slow_worker_reads(self) -> None:
        self.stripe.readings.append((self.stripe.now, self.tick()))

    @rule(pick=PICK)
    def a_slow_worker_writes(self, pick: int) -> None:
        if self.stripe.readings:
            self.write(*self.take(self.stripe.readings, pick))

    def write(self, read: GatewaySubscription, asked_at: datetime) -> None:
        """As a worker does: what the database refuses, since another is live, is read again."""
        self.at_work(lambda: subscription_sync.ask_about_others(answer=read, by=BY))
        try:
            with transaction.atomic():
                subscription_sync.sync(answer=read, asked_at=asked_at, by=BY)
        except IntegrityError:
            self.at_work(lambda: subscription_sync.refresh(stripe_subscription_id=read.id, by=BY))

    @rule(pick=PICK)
    def a_reading_is_overtaken(self, pick: int) -> None:
        """One worker reads, Stripe moves on, another worker hears of it and writes first; what it wrote stays."""
        if not GRAPH[self.stripe.now.status]:
            return
        self.a_slow_worker_reads()
        self.stripe_moves_on(pick)
        self.handle(self.stripe.pending.pop())
        self.a_slow_worker_writes(len(self.stripe.readings) - 1)
        self.agree([self.stripe.now.id])

    @rule(pick=PICK)
    def everything_is_heard(self, pick: int) -> None:
        while self.stripe.pending:
            self.a_webhook_comes(pick, twice=bool(pick % 2))

    # what the clock does

    @rule(hours=st.integers(1, 24 * 60))
    def time_passes(self, hours: int) -> None:
        """Trials and grace periods end by the clock, and what was not heard of for a day is asked for."""
        self.stripe.clock += timedelta(hours=hours)
        stale = Subscription.objects.stale(self.stripe.clock - subscription_sync.STALE_AFTER)
        ids = list(stale.values_list("stripe_subscription_id", flat=True))
        self.at_work(access.end_due)
        self.at_work(subscription_sync.refresh_stale)
        self.agree(ids)

    # what is always so

    @invariant()
    def the_history_is_whole(self) -> None:
        for mirror in self.mirrors():
            facts: dict[str, Any] = {}
            for change in SubscriptionChange.objects.filter(subscription=mirror).order_by("pk"):
                assert change.old == facts
                assert change.new != facts
                assert change.source in ("system:stripe.webhook", "system:tests", "system:subscriptions.sync")
                assert change.event.startswith("evt_") == (change.source == "system:stripe.webhook")
                facts = change.new
            assert facts == subscription_sync._facts(mirror)

    @invariant()
    def nothing_ends_here_that_stripe_still_bills(self) -> None:
        if not (mirrors := self.mirrors()):
            return
        allowed = set(
            SubscriptionChange.objects.filter(subscription__account=self.account, new__status__in=["trialing", "active"]).values_list(
                "subscription_id", flat=True
            )
        )
        state = PlanAccess.objects.get(organization_id=self.account.organization_id).state
        live = [mirror for mirror in mirrors if mirror.is_live]
        if [mirror for mirror in live if mirror.status in ("trialing", "active")]:
            assert state in ("trial", "active")
        elif [mirror for mirror in live if mirror.pk in allowed]:
            assert state == "grace"
        else:
            assert state in (("grace", "free") if allowed else ("free",))

    def agree(self, ids: Iterable[str]) -> None:
        found = {mirror.stripe_subscription_id: mirror for mirror in self.mirrors()}
        for each in ids:
            mirror, theirs = found[each], self.stripe.all[each]
            assert (mirror.status, mirror.price.stripe_price_id) == (theirs.status, theirs.price_ids[0])
            for name in subscription_sync._MIRRORED:
                assert getattr(mirror, name) == getattr(theirs, name), name

    def teardown(self) -> None:
        """Everything that was lost is sent again; after the last of it the two agree."""
        try:
            if hasattr(self, "account"):
                for told in [*self.stripe.pending, *self.stripe.lost]:
                    self.handle(told)
                for read, asked_at in self.stripe.readings:
                    self.write(read, asked_at)
                self.agree(self.stripe.all)
                self.the_history_is_whole()
                self.nothing_ends_here_that_stripe_still_bills()
        finally:
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)


def test_stripe_is_believed_in_the_end_whatever_happens_on_the_way() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=SIZES.subscription_examples,
            stateful_step_count=SIZES.subscription_steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
