"""What a replay would change: shown exactly, and nothing of it stays."""

import json
import re
from collections import Counter
from itertools import count
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from audit.actor import Actor, StaffGroup
from billing.gateway.selection import gateway
from billing.gateway.unreachable import StripeDoesNotAnswer
from billing.models import Dispute, InboundEvent, Payment, Refund
from billing.webhooks import handlers, processing, replay
from billing.webhooks.dry_run import DryRun, Outcome, dry_run
from core.errors import NotFound, PermissionRefused
from ledger.models import LedgerEntry, LedgerTransaction
from tests.billing.bank import Bank, earned, submitted
from tests.billing.conftest import Shop, Till
from tests.factories.billing import again, finance, payment_at_stripe, pending_payment
from tests.factories.payouts import approved_payout, now
from tests.factories.people import personas, staff

pytestmark = [pytest.mark.django_db, pytest.mark.gap("6.2")]
_VOLATILE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ][0-9:.]+(\+00:00)?|[a-z]{3}_[0-9a-z]{26}"
)
type Rows = dict[tuple[str, Any], str]


def everything() -> Rows:
    """Every row of every table, as text."""
    found: Rows = {}
    for model in apps.get_models(include_auto_created=True):
        table, key = model._meta.db_table, model._meta.pk.column
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT "{key}"::text, to_jsonb(t)::text FROM "{table}" t')
            found |= {(model._meta.label, key): row for key, row in cursor.fetchall()}
    return found


def facts(label: str, row: dict[str, Any]) -> tuple[str, str]:
    """The row without what differs from run to run: keys, moments, numbers of transactions."""
    kept = {name: value for name, value in row.items() if name not in ("id", "xact", "lock", "payload", "key", "updated_at", "created_at")}
    return label, _VOLATILE.sub("…", json.dumps(kept, sort_keys=True))


def shown(run: DryRun) -> Counter[tuple[str, str]]:
    return Counter(facts(one.model._meta.label, one.after) for one in run.changes if one.after)


def done_between(before: Rows, after: Rows) -> Counter[tuple[str, str]]:
    rows = {key: json.loads(row) for key, row in after.items() if before.get(key) != row and key[0] != "billing.InboundEvent"}
    old = {key: json.loads(before[key]) for key in rows if key in before}
    quiet = {"updated_at", "synced_at", "checked_at"}
    changed = {key: row for key, row in rows.items() if key not in old or any(old[key][name] != row[name] for name in row.keys() - quiet)}
    return Counter(facts(key[0], row) for key, row in changed.items())


def dead(event: InboundEvent) -> InboundEvent:
    """The event, given up before anybody worked it."""
    event = InboundEvent.objects.get(pk=event.pk)
    if event.state != InboundEvent.State.PROCESSING:
        event.start(lease_until=event.run_after)
        event.save()
    event.bury(error="The handler failed eight times.")
    event.save()
    return event


def buried(kind: str) -> InboundEvent:
    return dead(InboundEvent.objects.filter(type=kind).latest("received_at"))


def tried(event: InboundEvent) -> DryRun:
    """The dry run, with nothing changed by it."""
    before = everything()
    run = dry_run(event_id=event.pk, by=finance_of_the_test())
    assert everything() == before
    return run


_finance: list[Actor] = []


def finance_of_the_test() -> Actor:
    return _finance[0]


@pytest.fixture(autouse=True)
def _somebody(db: None) -> Any:
    _finance[:] = [finance()]
    yield
    _finance.clear()


def replayed(event: InboundEvent) -> Counter[tuple[str, str]]:
    """What the real replay changes."""
    replay.replay(event_id=event.pk, by=finance_of_the_test())
    before = everything()
    assert processing.process(str(event.pk)) == "processed", now_of(event).error
    return done_between(before, everything())


class TestDryRun:
    def test_of_a_payment_shows_what_the_replay_then_does(self, till: Till, shop: Shop) -> None:
        payment = pending_payment()
        till.pay(payment)
        till.control.advance(10)  # Stripe has booked the charge: what it says stays the same from here on
        till.deliver()
        event = buried("payment_intent.succeeded")

        run = tried(event)
        assert run.outcome == Outcome.CHANGES
        (change,) = (one for one in run.changes if one.model is Payment)
        assert ("state", "pending", "succeeded") in change.fields()
        entries = [one.after for one in run.changes if one.model is LedgerEntry and one.after]
        assert sum(entry["amount"] for entry in entries) == 0
        assert max(entry["amount"] for entry in entries) == 5000

        assert replayed(event) == shown(run)
        assert again(payment).state == "succeeded"
        assert tried(now_of(event)).outcome == Outcome.NOTHING

    def test_of_a_refund_made_at_stripe(self, till: Till) -> None:
        payment = payment_at_stripe(till.sandbox)
        till.control.refund_from_dashboard(payment.stripe_payment_intent_id or "", amount=2000)
        till.deliver()
        event = buried("refund.created")

        run = tried(event)
        assert [one.after["amount"] for one in run.changes if one.model is Refund and one.after] == [2000]
        assert LedgerTransaction in {one.model for one in run.changes}
        assert not Refund.objects.exists()
        assert replayed(event) == shown(run)
        assert tried(now_of(event)).outcome == Outcome.NOTHING

    def test_of_a_dispute(self, till: Till) -> None:
        payment = payment_at_stripe(till.sandbox)
        till.control.open_dispute(payment.stripe_payment_intent_id or "")
        till.deliver()
        event = buried("charge.dispute.created")

        run = tried(event)
        assert Dispute in {one.model for one in run.changes if one.before is None}
        assert ("amount_disputed", 0, 5000) in [each for one in run.changes if one.model is Payment for each in one.fields()]
        assert replayed(event) == shown(run)
        assert tried(now_of(event)).outcome == Outcome.NOTHING

    def test_of_a_payout_and_of_an_account(self, bank: Bank) -> None:
        organization = earned(bank)
        payout = submitted(approved_payout(organization))
        bank.work()
        account = now(payout).account
        bank.control.account(account.stripe_account_id or "", "restricted")
        bank.control.advance(4 * 86_400)
        bank.deliver()

        paid, changed = buried("payout.paid"), buried("account.updated")
        runs = tried(paid), tried(changed)
        assert any(("state", "in_transit", "paid") in one.fields() for one in runs[0].changes)
        assert any(("payouts_enabled", True, False) in one.fields() for one in runs[1].changes)
        assert replayed(changed) == shown(runs[1])
        assert replayed(paid) == shown(runs[0])
        assert [tried(now_of(event)).outcome for event in (paid, changed)] == [Outcome.NOTHING] * 2

    def test_says_what_would_be_ignored(self, till: Till) -> None:
        stranger: Any = {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
        gateway(patient=False).client.v1.payment_intents.create(stranger)  # type: ignore[attr-defined]
        till.work()
        event = InboundEvent.objects.get(type="payment_intent.succeeded")
        assert event.state == "ignored"
        run = tried(event)
        assert (run.outcome, run.changes) == (Outcome.IGNORED, [])
        assert "belongs to nothing here" in run.sentence

    def test_says_what_it_would_fail_with_and_shows_nothing_else(self, till: Till, shop: Shop) -> None:
        payment = pending_payment()
        till.pay(payment)
        till.deliver()
        event = buried("payment_intent.succeeded")
        shop.refuses = RuntimeError("The hall is closed.")
        run = tried(event)
        assert (run.outcome, run.changes) == (Outcome.FAILS, [])
        assert run.sentence == "It would fail: RuntimeError: The hall is closed."

    def test_says_what_stripe_refuses(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        event = dead(stored("pi_nobody_made"))
        run = tried(event)
        assert run.outcome == Outcome.FAILS
        assert "Stripe says no" in run.sentence

    def test_says_what_postgresql_would_refuse_at_the_commit(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        def unbalanced(found: dict[str, Any]) -> None:
            at = event.happened_at
            odd = LedgerTransaction.objects.create(reference="odd", description="Odd", currency="USD", occurred_at=at)
            LedgerEntry.objects.create(transaction=odd, account="stripe_balance", amount=100, currency="USD")

        event = dead(stored("pi_1"))
        monkeypatch.setitem(handlers.HANDLERS, event.type, unbalanced)
        run = tried(event)
        assert (run.outcome, len(run.changes)) == (Outcome.FAILS, 2)
        assert "is not balanced" in run.sentence

    def test_never_has_stripe_do_anything(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        event = dead(stored("pi_1"))
        monkeypatch.setitem(handlers.HANDLERS, event.type, lambda found: gateway().create_refund({"amount": 1}, key="k"))
        run = tried(event)
        assert run.sentence.startswith("It would fail: WouldCallStripe")
        assert till.calls("POST", "/v1/refunds") == []

    def test_reads_stripe_with_no_transaction_open(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        """The gateway itself refuses a call inside a transaction; each question is asked once."""
        payment = payment_at_stripe(till.sandbox)
        till.control.refund_from_dashboard(payment.stripe_payment_intent_id or "", amount=2000)
        till.deliver()
        event, before = buried("refund.created"), len(till.calls("GET", "/v1/refunds"))
        tried(event)
        asked = [call["path"] for call in till.calls("GET", "/v1/refunds")[before:]]
        assert len(asked) == len(set(asked)) == 2

    def test_ends_where_a_handler_asks_without_end(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = count()
        monkeypatch.setitem(handlers.HANDLERS, "refund.created", lambda found: [gateway().refunds_of(f"pi_{n}") for n in asked])
        with pytest.raises(RuntimeError, match="more than 25 questions"):
            dry_run(event_id=dead(stored("re_1", type="refund.created")).pk, by=finance())

    def test_says_that_stripe_does_not_answer(self, till: Till) -> None:
        event = dead(stored("pi_1"))
        till.control.fault("reset_before", method="GET", path="/v1/payment_intents/pi_1")
        before = everything()
        with pytest.raises(StripeDoesNotAnswer):
            dry_run(event_id=event.pk, by=finance_of_the_test())
        assert everything() == before

    def test_is_for_staff_who_may_replay(self, till: Till) -> None:
        event, people = dead(stored("pi_1")), personas()
        with pytest.raises(PermissionRefused):
            dry_run(event_id=event.pk, by=staff(StaffGroup.AUDITOR))
        for by in (people.as_alice, people.as_charlie, Actor.anonymous()):
            with pytest.raises(NotFound):
                dry_run(event_id=event.pk, by=by)

    @pytest.mark.parametrize(
        ("values", "refusal"),
        [
            ({"api_version": "2025-01-01.acacia"}, replay.EventParked),
            ({"api_version": ""}, replay.EventParked),
            ({"type": "customer.created"}, replay.EventNotHandled),
        ],
    )
    def test_and_replay_refuse_alike_what_would_lead_to_nothing(
        self, till: Till, values: dict[str, str], refusal: type[Exception], settings: Any
    ) -> None:
        event = dead(stored("pi_1", **values))
        before = everything()
        for ask in (dry_run, replay.replay):
            with pytest.raises(refusal) as refused:
                ask(event_id=event.pk, by=finance_of_the_test())
            assert str(refused.value).endswith(".")
        assert everything() == before

    def test_and_replay_take_what_was_parked_once_its_version_is_spoken(self, till: Till, settings: Any) -> None:
        event = dead(stored("pi_nobody_made", api_version="2027-01-01.elm"))
        settings.STRIPE_API_VERSION = "2027-01-01.elm"
        assert dry_run(event_id=event.pk, by=finance_of_the_test()).outcome == Outcome.FAILS
        assert replay.replay(event_id=event.pk, by=finance_of_the_test()).state == "received"


def now_of(event: InboundEvent) -> InboundEvent:
    return InboundEvent.objects.get(pk=event.pk)


def stored(object_id: str, **values: Any) -> InboundEvent:
    from_stripe = {"id": "evt_1", "data": {"object": {"id": object_id, "payment_intent": None}}}
    given = {"type": "payment_intent.succeeded", "api_version": "2026-08-26.dahlia", **values}
    event = InboundEvent(endpoint="platform", event_id=f"evt_{object_id}", object_id=object_id, body=json.dumps(from_stripe), **given)
    event.happened_at = event.received_at
    event.save()
    return event
