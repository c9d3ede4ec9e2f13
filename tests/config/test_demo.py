"""The sample data: the same every time, whole in its books, and something in every work queue."""

from collections import Counter
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpRequest

from admin_ext.home import QUEUES
from audit.actor import Actor
from billing import connect, payout_approval
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, InboundEvent, Payment, PayoutRequest, Refund
from billing.webhooks import replay
from config.demo import catalogue, exceptions, people, seeding
from core.models import Job
from events.models import Event
from ledger import balances, invariants
from ledger.chart import STRIPE_BALANCE
from ledger.models import LedgerEntry
from organizations.models import Organization
from registrations.models import Registration
from sandbox.stripe.server import Sandbox
from tests.draining import drain
from tests.factories.billing import finance

SIZE = 400
WRITTEN = (Organization, Event, Registration, Payment, Refund, LedgerEntry, InboundEvent, Job)


@pytest.fixture
def seeded(db: None, sandbox: Sandbox) -> seeding.Seeded:
    done = seeding.seed(size=SIZE)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # the ledger's deferred triggers, as a commit would run them
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    return done


def rows() -> dict[str, Any]:
    return {model.__name__: sorted(map(str, model._default_manager.values_list("pk", flat=True))) for model in WRITTEN}


class TestSeed:
    @pytest.mark.usefixtures("seeded")
    def test_leaves_only_the_planted_differences(self) -> None:
        found = {name: sentences for name, sentences in invariants.violations().items() if sentences}

        assert set(found) == {"captured_has_place", "stripe_balance"}
        assert len(found["captured_has_place"]) + len(found["stripe_balance"]) == len(exceptions.PLANTED)

    @pytest.mark.usefixtures("seeded")
    def test_differs_from_stripe_by_exactly_what_was_planted(self) -> None:
        theirs, ours = gateway().balance(), balances.balances(STRIPE_BALANCE)
        unknown = Refund.objects.filter(state=Refund.State.UNKNOWN).select_related("payment")
        made = [one.amount for refund in unknown for one in gateway().refunds_of(refund.payment.stripe_payment_intent_id or "")]
        untold = gateway().retrieve_refund(InboundEvent.objects.get(state=InboundEvent.State.DEAD).object_id)

        off = {currency: ours[currency] - theirs[currency] for currency in ours}

        assert off == {"USD": made[0], "EUR": untold.amount, "JPY": 0, "KWD": 0}
        assert len(made) == 1

    @pytest.mark.usefixtures("seeded")
    def test_puts_something_into_every_work_queue(self) -> None:
        drain()  # the reconciliation that the seed asked for
        empty = [queue.title for queue in QUEUES if not queue.rows(queue.model._default_manager.all()).exists()]

        assert empty == []

    @pytest.mark.usefixtures("seeded")
    def test_has_a_refund_in_every_state_and_every_currency(self) -> None:
        states = Counter(Refund.objects.values_list("state", flat=True))

        assert set(states) == set(Refund.State.values)
        assert set(Payment.objects.values_list("currency", flat=True)) == {"USD", "EUR", "JPY", "KWD"}

    def test_changes_nothing_the_second_time(self, seeded: seeding.Seeded) -> None:
        before = rows()

        again = seeding.seed(size=SIZE)

        assert (seeded.registrations, again) == (SIZE, seeding.Seeded(0, 0))
        assert rows() == before

    def test_makes_what_it_was_asked_for(self, seeded: seeding.Seeded) -> None:
        assert Registration.objects.count() == SIZE
        assert Event.objects.count() == 40
        assert Event.objects.values("time_zone").distinct().count() == 5
        assert set(Event.objects.values_list("state", flat=True)) == {"draft", "published", "live", "completed"}
        assert sum(event.seats_left == 0 for event in Event.objects.filter(state="published")) == 3

    @pytest.mark.usefixtures("seeded")
    def test_fills_a_sandbox_that_was_emptied_with_the_same(self, sandbox: Sandbox) -> None:
        before = invariants.violations()["stripe_balance"]
        sandbox.control.reset()

        assert seeding.seed(size=SIZE).registrations == 0
        assert invariants.violations()["stripe_balance"] == before

    @pytest.mark.usefixtures("seeded")
    def test_lets_everybody_sign_in_who_is_printed(self) -> None:
        for one in people.SIGN_INS:
            assert authenticate(HttpRequest(), email=one.email, password=one.password) is not None, one.role

    @pytest.mark.usefixtures("seeded")
    def test_knows_the_payout_accounts_as_stripe_has_them(self) -> None:
        """Otherwise nothing of the demo could be paid out, and the first word from Stripe would change what is shown."""
        told = ("country", "default_currency", "currencies", "charges_enabled", "transfers_enabled", "payouts_enabled")
        told += ("details_submitted", "disabled_reason", "state")
        before = list(ConnectedAccount.objects.order_by("pk").values(*told))

        for account in ConnectedAccount.objects.all():
            connect.refresh(account_id=account.pk, by=Actor.system("test"))

        assert len(before) == 3
        assert list(ConnectedAccount.objects.order_by("pk").values(*told)) == before
        assert [account.missing for account in ConnectedAccount.objects.filter(payouts_enabled=False)] == [
            ["individual.verification.document"]
        ]

    @pytest.mark.usefixtures("seeded")
    def test_lets_finance_approve_a_payout_that_then_goes_to_the_bank(self) -> None:
        drain()
        waiting = PayoutRequest.objects.get(organization=catalogue.RIVERSIDE, state="requested")

        payout_approval.approve(payout_request_id=waiting.pk, by=finance())
        drain()

        assert PayoutRequest.objects.get(pk=waiting.pk).state == "in_transit"


class TestPlanted:
    @pytest.mark.usefixtures("seeded")
    def test_the_dead_event_replayed_explains_the_euros(self) -> None:
        dead = InboundEvent.objects.get(state=InboundEvent.State.DEAD)

        replay.replay(event_id=dead.pk, by=Actor.system("test"))
        drain()

        assert not any("EUR" in sentence for sentence in invariants.violations()["stripe_balance"])


class TestCommand:
    def test_refuses_to_run_against_stripe_itself(self, settings: Any) -> None:
        settings.STRIPE_API_BASE = "https://api.stripe.com"

        with pytest.raises(CommandError, match="needs the Stripe sandbox"):
            call_command("seed_demo")
