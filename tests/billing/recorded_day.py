"""A day at Stripe that we have heard nothing of: recorded once, then told in any order to the same morning of ours."""

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import stripe
from django.utils import timezone

from billing import checkout, refunds
from billing.models import ConnectedAccount, InboundEvent, Payment, Refund, Transfer
from billing.webhooks import receiving, replay
from core.jobs import RetryLater
from organizations.models import Organization
from sandbox.stripe import deliveries
from sandbox.stripe.control import ControlRefused
from tests.billing.bank import AT_ONCE, Bank, submitted
from tests.billing.trading import UNITS, Clock, Market
from tests.draining import drain
from tests.factories.billing import finance, pending_payment, priced
from tests.factories.payouts import approved_payout

POLICIES = (
    {"refund_fee_policy": "organizer", "dispute_policy": "organizer"},
    {"refund_fee_policy": "platform", "dispute_policy": "platform"},
)
CARDS = (AT_ONCE, AT_ONCE, "4242424242424242", "4000000000007726", "4000000000005126", "4000000000000002")
# The day's length: the sweep looks six hours back, and runs every ten minutes where nobody has pressed a day into five hours.
LASTS = timedelta(hours=5)


@dataclass(frozen=True, slots=True)
class Told:
    """One webhook: the endpoint that it is for and its body."""

    endpoint: str
    event_id: str
    body: bytes


class Day:
    """Recorded on return. events: at least so many webhooks, each different."""

    def __init__(self, bank: Bank, clock: Clock, *, events: int, seed: int = 1) -> None:
        self.bank, self.market, self.control = bank, Market(bank, clock), bank.control
        self.random = random.Random(seed)
        self._morning(events)
        self._pass(clock, events)
        self.at = timezone.now()
        self.told = self._held()
        self._forget_deliveries()
        self._stripe: bytes = bank.sandbox.world.store.sql.serialize()

    def again(self) -> Clock:
        """Stripe and the clock as they were in the evening; the caller brings our database back to the morning, and stops the clock."""
        clock = Clock(self.at)
        world = self.bank.sandbox.world
        with world.lock:
            world.store.sql.deserialize(self._stripe)
        return clock

    # before: everything that the day is about is known on both sides

    def _morning(self, events: int) -> None:
        """Payouts on their way to the bank, refunds whose answers were lost, buyers on Stripe's page."""
        organizations = self.market.open(*POLICIES)
        for organization in organizations:
            for currency in UNITS:
                for _ in range(max(2, events // 60)):
                    self.market.sell(organization, currency, self.random.randint(10, 40), card=AT_ONCE, released_in=None)
        self.market.pass_time(timedelta(hours=1))
        for organization in organizations:
            for currency in ("USD", "KWD"):
                submitted(approved_payout(organization, currency=currency))
        self.market.pass_time(timedelta(hours=46))  # the bank pays out after two days
        self.control.delivery("hold")
        self._payouts_with_lost_answers(organizations)
        self._refunds_with_lost_answers(max(2, events // 25))
        self.pages = [self._page(self.random.choice(organizations)) for _ in range(max(3, events // 12))]
        self.bank.work()

    def _payouts_with_lost_answers(self, organizations: list[Organization]) -> None:
        """Stripe made them, and nobody here knows."""
        for organization, path in zip(organizations, ("/v1/payouts", "/v1/transfers"), strict=True):
            payout = approved_payout(organization, currency="JPY")
            self.control.fault("reset_after", method="POST", path=path)
            with pytest.raises(RetryLater):
                submitted(payout)

    def _refunds_with_lost_answers(self, many: int) -> None:
        for payment in self.random.sample(list(Payment.objects.order_by("id")), many):
            unit = UNITS[payment.currency]
            refunds.request(payment_id=payment.pk, amount=unit, reason="other", by=finance(), source="console")
        self.control.next_refunds(*self.random.choices(["succeeded", "pending", "requires_action"], k=many))
        self.control.fault("reset_after", method="POST", path="/v1/refunds", count=many)
        drain()
        assert not Refund.objects.filter(state=Refund.State.SUCCEEDED).exists()

    def _page(self, organization: Organization) -> str:
        currency = self.random.choice(list(UNITS))
        quote = priced(organization, self.random.randint(5, 60) * UNITS[currency], currency)
        payment = pending_payment(organization=organization, quote=quote)
        checkout.open(payment_id=payment.pk)
        return payment.checkout_sessions.get().stripe_session_id or ""

    # the day: only Stripe, buyers and banks do anything, and no webhook leaves

    def _pass(self, clock: Clock, events: int) -> None:
        ways: list[Callable[[], Any]] = [
            self._buy, self._buy, self._buy, self._refund, self._refund, self._refund_ends, self._dispute, self._decide, self._decide,
            self._bank_sends_back, self._reverse_by_hand, self._papers,
        ]  # fmt: skip
        steps, evening = 0, timezone.now() + LASTS
        for _ in range(len(self.pages) * 2 // 3):
            self._buy()  # the others wait until their page has expired, or nearly
        while timezone.now() < evening or len(self._held()) < events:
            steps += 1
            assert steps < 100 * events, "this day never ends"
            with suppress(ControlRefused, stripe.InvalidRequestError):  # as at Stripe: not everything is possible at every moment
                self.random.choice(ways)()
            if timezone.now() < evening:
                clock.forward(LASTS / events * 2)
        clock.forward(timedelta(minutes=2))
        self.control.now()  # what is due by now is done

    def _held(self) -> list[Told]:
        world = self.bank.sandbox.world
        with world.lock:
            rows = world.store.sql.execute("SELECT event, endpoint FROM deliveries WHERE state = 'held' ORDER BY number").fetchall()
            found = [(world.store.named(event), world.store.named(endpoint)) for event, endpoint in rows]
        return [
            Told("connect" if endpoint["url"].endswith("/connect") else "platform", event["id"], json.dumps(event).encode())
            for event, endpoint in found
            if event is not None and endpoint is not None
        ]

    def _forget_deliveries(self) -> None:
        """From now on webhooks come as usual: those about what we do once we hear of the day."""
        world = self.bank.sandbox.world
        with world.lock:
            world.store.sql.execute("DELETE FROM deliveries WHERE state = 'held'")
        self.control.delivery()

    def _any(self, kind: str, *statuses: str) -> dict[str, Any]:
        """One of them. Raises ControlRefused where there is none."""
        rows = self.market.at_stripe(kind, *statuses)
        if not rows:
            raise ControlRefused(f"no {kind}")
        return self.random.choice(rows)

    def _buy(self) -> None:
        if self.pages:
            self.control.pay(self.pages.pop(), card=self.random.choice(CARDS))

    def _refund(self) -> None:
        charge = self._any("charge", "succeeded")
        unit = UNITS[charge["currency"].upper()]
        self.control.refund_from_dashboard(charge["id"], amount=self.random.choice([unit, 3 * unit, None]))

    def _refund_ends(self) -> None:
        if self.random.random() < 0.5:
            self.control.settle_refund(self._any("refund", "pending", "requires_action")["id"])
        else:
            self.control.fail_refund(self._any("refund", "pending", "requires_action", "succeeded")["id"])

    def _dispute(self) -> None:
        charge = self._any("charge", "succeeded")
        if not charge["disputed"] and not charge["refunded"]:
            self.control.open_dispute(charge["id"], inquiry=self.random.random() < 0.3)

    def _decide(self) -> None:
        dispute = self._any("dispute", "warning_needs_response", "needs_response")
        endings = ["warning_closed", "escalate"] if dispute["status"].startswith("warning") else ["won", "lost"]
        self.control.decide_dispute(dispute["id"], self.random.choice(endings))

    def _bank_sends_back(self) -> None:
        account = self._account()
        self.control.fail_payout(self._any(f"{account}/payout", "pending", "in_transit", "paid")["id"], account=account)

    def _reverse_by_hand(self) -> None:
        transfer = self.random.choice(list(Transfer.objects.exclude(stripe_transfer_id=None).order_by("id")))
        self.bank.client().v1.transfers.reversals.create(transfer.stripe_transfer_id or "", {"amount": UNITS[transfer.currency]})

    def _papers(self) -> None:
        state = self.random.choice(["restricted", "complete"])
        self.control.account(self._account(), state, currencies=[each.lower() for each in UNITS])

    def _account(self) -> str:
        found = ConnectedAccount.objects.order_by("id").values_list("stripe_account_id", flat=True)
        return self.random.choice(list(found)) or ""


class Telling:
    """One way in which Stripe may tell the day: any order, some twice, some not at all until they are found or told again."""

    def __init__(self, day: Day, *, seed: int) -> None:
        self.day, self.random = day, random.Random(seed)

    def tell(self) -> None:
        """All is told, and nothing is on its way any more."""
        lost = [each for each in self.day.told if self.random.random() < 0.15]
        told = [each for each in self.day.told if each not in lost]
        twice = [each for each in told if self.random.random() < 0.2]
        self._deliver([*told, *twice])
        replay.sweep_missed()
        drain()
        self._deliver(
            [each for each in lost if each.endpoint == "connect"]
        )  # Stripe tries for days; we ask its list for accounts that are paid out
        assert {each.event_id for each in self.day.told} <= set(InboundEvent.objects.values_list("event_id", flat=True))
        self.day.market.run_dry()

    def _deliver(self, events: list[Told]) -> None:
        self.random.shuffle(events)
        pause = self.random.choice([1, 2, 7, len(events) + 1])  # how many wait in the inbox when a worker comes
        for number, each in enumerate(events, start=1):
            receiving.receive(endpoint=each.endpoint, body=each.body, signature=self._signed(each))
            if number % pause == 0:
                drain()
        drain()

    def _signed(self, each: Told) -> str:
        rows = self.day.bank.sandbox.world.store.select("webhook_endpoint")
        secret = next(row["secret"] for row in rows if row["url"].endswith("/connect") == (each.endpoint == "connect"))
        return deliveries.signature(each.body, secret, int(time.time()))
