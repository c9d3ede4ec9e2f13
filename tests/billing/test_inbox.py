"""Taking events in: only Stripe's, once, and worked off from the store."""

import hmac
import json
import time
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from django_q.models import OrmQ

from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from billing.gateway.base import GatewayBusy, GatewayRefused
from billing.gateway.signatures import BadSignature, verify
from billing.models import InboundEvent
from billing.webhooks import handlers, processing, receiving, replay
from core.errors import NotFound, PermissionRefused
from tests.billing.conftest import Till
from tests.draining import drain
from tests.factories.billing import again, finance, pending_payment
from tests.factories.people import personas, staff

pytestmark = pytest.mark.django_db
SECRET, NEXT_SECRET = "whsec_one", "whsec_two"


@pytest.fixture(autouse=True)
def _secrets(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    settings.STRIPE_CONNECT_WEBHOOK_SECRETS = [NEXT_SECRET]


def event(number: int = 1, **values: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{number}",
        "type": "payment_intent.succeeded",
        "api_version": "2026-08-26.dahlia",
        "created": 1_767_225_600,
        "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
        **values,
    }


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None) -> str:
    stamp = int(time.time() if at is None else at)
    return f"t={stamp},v1={hmac.new(secret.encode(), f'{stamp}.'.encode() + body, sha256).hexdigest()}"


def receive(found: Any, *, endpoint: str = "platform", **how: Any) -> InboundEvent | None:
    body = json.dumps(found).encode()
    return receiving.receive(endpoint=endpoint, body=body, signature=signed(body, **how))


def stored(found: Any | None = None, **values: Any) -> InboundEvent:
    row = receive(found or event(**values))
    assert row is not None
    return row


def now(row: InboundEvent) -> InboundEvent:
    return InboundEvent.objects.get(pk=row.pk)


class Handled:
    """Stands in for a handler: what it was given, and what it raises next."""

    def __init__(self) -> None:
        self.objects: list[str] = []
        self.raises: list[Exception] = []

    def __call__(self, found: dict[str, Any]) -> None:
        self.objects.append(found["id"])
        if self.raises:
            raise self.raises.pop(0)


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Handled:
    handler = Handled()
    for kind in ("payment_intent.succeeded", "payment_intent.processing"):
        monkeypatch.setitem(handlers.HANDLERS, kind, handler)
    return handler


@pytest.mark.gap("6.2")
class TestReceive:
    def test_stores_the_raw_body_and_a_message_and_does_nothing_yet(self, handled: Handled) -> None:
        row = stored(account="acct_1")
        assert (row.event_id, row.type, row.object_id, row.account, row.endpoint, row.state) == (
            "evt_1", "payment_intent.succeeded", "pi_1", "acct_1", "platform", "received",
        )  # fmt: skip
        assert json.loads(row.body) == event(account="acct_1")
        assert (OrmQ.objects.get().key, handled.objects, str(row)) == ("money", [], "payment_intent.succeeded evt_1")
        assert row.public_id.startswith("inb_")

    def test_counts_a_repetition_and_works_it_once(self, handled: Handled) -> None:
        row = stored()
        assert [receive(event()) for _ in range(3)] == [None] * 3
        drain()
        assert receive(event()) is None
        assert (now(row).repeats, now(row).state, handled.objects, OrmQ.objects.count()) == (4, "processed", ["pi_1"], 0)

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "t=1",
            "v1=abc",
            "t=,v1=abc",
            "t=x,v1=abc",
            "t=²,v1=abc",
            "nonsense",
            "t=9999999999999999999999999,v1=" + "0" * 64,
            "t=1,v1=é",
        ],
    )
    def test_refuses_what_is_not_signed(self, header: str) -> None:
        with pytest.raises(BadSignature):
            receiving.receive(endpoint="platform", body=json.dumps(event()).encode(), signature=header)
        assert not InboundEvent.objects.exists()

    @pytest.mark.parametrize("how", [{"secret": "whsec_forged"}, {"secret": NEXT_SECRET}, {"secret": ""}])
    def test_refuses_a_forged_signature(self, how: dict[str, Any]) -> None:
        with pytest.raises(BadSignature, match="does not match"):
            receive(event(), **how)
        assert not InboundEvent.objects.exists()

    @pytest.mark.parametrize("age", [301, -301, 86_400])
    def test_refuses_a_stale_one(self, age: int) -> None:
        with pytest.raises(BadSignature, match="older than five minutes"):
            receive(event(), at=time.time() - age)
        assert not InboundEvent.objects.exists()

    def test_refuses_a_changed_body(self) -> None:
        body = json.dumps(event()).encode()
        with pytest.raises(BadSignature):
            receiving.receive(endpoint="platform", body=body + b" ", signature=signed(body))

    @pytest.mark.parametrize(("endpoint", "name"), [("platform", "STRIPE_WEBHOOK_SECRETS"), ("connect", "STRIPE_CONNECT_WEBHOOK_SECRETS")])
    def test_takes_two_secrets_while_one_is_rolled(self, settings: Any, endpoint: str, name: str) -> None:
        setattr(settings, name, ["whsec_new", "whsec_old"])
        assert receive(event(1), endpoint=endpoint, secret="whsec_old")
        assert receive(event(2), endpoint=endpoint, secret="whsec_new")
        setattr(settings, name, ["whsec_new"])
        with pytest.raises(BadSignature):
            receive(event(3), endpoint=endpoint, secret="whsec_old")

    def test_takes_any_of_several_signatures(self) -> None:
        body = json.dumps(event()).encode()
        header = signed(body).replace("v1=", f"v0=old,v1={'0' * 64},v1=")
        assert receiving.receive(endpoint="platform", body=body, signature=header)

    def test_refuses_everything_without_a_secret(self, settings: Any) -> None:
        settings.STRIPE_WEBHOOK_SECRETS = []
        with pytest.raises(BadSignature):
            receive(event(), secret="")

    def test_holds_connected_accounts_to_their_own_secret(self) -> None:
        row = receive(event(), endpoint="connect", secret=NEXT_SECRET)
        assert row is not None
        assert row.endpoint == "connect"
        with pytest.raises(BadSignature):
            receive(event(2), endpoint="connect")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"7",
            b"\xff\xfe",
            b"{}",
            *(json.dumps({**event(), key: None}).encode() for key in ("id", "type", "created", "data")),
        ],
    )
    def test_says_that_a_signed_body_is_no_event(self, body: bytes) -> None:
        with pytest.raises(receiving.MalformedEvent):
            receiving.receive(endpoint="platform", body=body, signature=signed(body))
        assert not InboundEvent.objects.exists()

    def test_says_so_of_impossible_values(self) -> None:
        for values in ({"created": 1e30}, {"created": "soon"}, {"data": {"object": "pi_1"}}, {"id": 7}):
            with pytest.raises(receiving.MalformedEvent):
                receive(event(**values))


class TestVerify:
    def test_compares_in_bytes_and_in_time(self) -> None:
        verify(body=b"x", header=signed(b"x", at=1000), secrets=[SECRET], now=1300)
        with pytest.raises(BadSignature):
            verify(body=b"x", header=signed(b"x", at=1000), secrets=[SECRET], now=1301)


@pytest.mark.gap("6.2")
class TestProcess:
    def test_works_an_event_off_once(self, handled: Handled) -> None:
        row = stored()
        assert processing.process(str(row.pk)) == "processed"
        assert processing.process(str(row.pk)) == "nothing to do"
        assert (now(row).state, now(row).attempts, handled.objects) == ("processed", 1, ["pi_1"])
        assert now(row).processed_at is not None

    def test_ignores_a_type_that_it_does_not_know(self) -> None:
        row = stored(type="customer.created")
        assert processing.process(str(row.pk)) == "ignored"
        assert now(row).state == "ignored"

    def test_ignores_what_is_not_ours(self, handled: Handled) -> None:
        row = stored()
        handled.raises = [handlers.NotOurs("pi_1")]
        assert processing.process(str(row.pk)) == "ignored"
        assert now(row).state == "ignored"

    def test_parks_another_version_at_once(self, handled: Handled) -> None:
        for number, version in enumerate(["2025-01-01.acacia", None]):
            row = stored(number=number, api_version=version)
            assert processing.process(str(row.pk)) == "failed"
            assert (now(row).state, now(row).attempts) == ("dead", 1)
            assert "Parked: the event speaks" in now(row).error
        assert handled.objects == []

    def test_comes_back_after_a_failure_and_then_succeeds(self, handled: Handled) -> None:
        row = stored()
        handled.raises = [GatewayRefused("no"), GatewayBusy("later")]
        assert drain() == 1
        assert (now(row).state, now(row).attempts) == ("failed", 1)
        assert "GatewayRefused: no" in now(row).error
        assert now(row).run_after > timezone.now()
        assert drain(delayed=True) == 2
        assert (now(row).state, now(row).attempts, now(row).error) == ("processed", 3, "")

    def test_dies_after_eight_attempts(self, handled: Handled) -> None:
        row = stored()
        handled.raises = [RuntimeError("odd")] * 99
        assert drain(delayed=True) == 8
        assert (now(row).state, now(row).attempts, len(handled.objects)) == ("dead", 8, 8)

    def test_leaves_alone_what_another_worker_holds(self, handled: Handled) -> None:
        row = stored()
        assert processing.claim(event_id=row.pk) == [row]
        assert processing.process(str(row.pk)) == "nothing to do"
        with time_machine.travel(timezone.now() + timedelta(seconds=91)):
            assert processing.process(str(row.pk)) == "processed"
        assert now(row).attempts == 2

    def test_lets_a_late_worker_change_nothing(self, handled: Handled) -> None:
        row = stored()
        processing.process(str(row.pk))
        processing.fail(event_id=row.pk, error="late")
        processing.finish(event_ids=[row.pk], handled=False)
        assert now(row).state == "processed"

    def test_reads_one_object_once_for_the_events_that_wait(self, handled: Handled) -> None:
        rows = [
            stored(number=number, type=f"payment_intent.{kind}") for number, kind in enumerate(["processing", "succeeded", "succeeded"])
        ]
        other = stored(number=8, data={"object": {"id": "pi_2"}})
        old = stored(number=9, api_version="2025-01-01.acacia")
        unknown = [stored(number=number, type="customer.created") for number in (10, 11)]
        drain()
        assert handled.objects == ["pi_1", "pi_2"]
        assert {now(row).state for row in (*rows, other)} == {"processed"}
        assert now(old).state == "dead"
        assert {now(row).state for row in unknown} == {"ignored"}

    def test_fails_them_together(self, handled: Handled) -> None:
        rows = [stored(number=number) for number in range(3)]
        handled.raises = [RuntimeError("odd")]
        processing.process(str(rows[0].pk))
        assert {(now(row).state, now(row).attempts) for row in rows} == {("failed", 1)}
        drain(delayed=True)
        assert {now(row).state for row in rows} == {"processed"}


@pytest.mark.gap("6.2")
class TestReplay:
    def dead(self, handled: Handled) -> InboundEvent:
        row = stored()
        handled.raises = [RuntimeError("odd")] * 8
        drain(delayed=True)
        return now(row)

    def test_works_a_dead_event_off_again_and_audits(self, handled: Handled) -> None:
        row, by = self.dead(handled), staff(StaffGroup.SUPPORT)
        replay.replay(event_id=row.pk, by=by)
        assert (now(row).state, now(row).attempts, now(row).error) == ("received", 0, "")
        drain()
        assert now(row).state == "processed"
        entry = AuditEntry.objects.get(action="inbound_event.replayed")
        assert (entry.user_id, entry.before, entry.after) == (by.user_id, {"state": "dead"}, {"state": "received"})

    def test_changes_nothing_about_what_is_done(self, till: Till) -> None:
        payment = pending_payment()
        till.pay(payment)
        till.settle()
        before = (again(payment).updated_at, AuditEntry.objects.count())
        for row in InboundEvent.objects.filter(state="processed"):
            replay.replay(event_id=row.pk, by=finance())
        till.work()
        assert set(InboundEvent.objects.values_list("state", flat=True)) <= {"processed", "ignored"}
        replayed = AuditEntry.objects.filter(action="inbound_event.replayed").count()
        assert (again(payment).updated_at, AuditEntry.objects.count() - replayed) == before

    def test_refuses_what_waits_or_is_worked_on(self, handled: Handled) -> None:
        row = stored()
        for _ in range(2):
            with pytest.raises(replay.BeingProcessed):
                replay.replay(event_id=row.pk, by=finance())
            processing.claim(event_id=row.pk)
        assert not AuditEntry.objects.filter(action="inbound_event.replayed").exists()

    def test_is_for_staff_who_may(self, handled: Handled) -> None:
        row, people = self.dead(handled), personas()
        with pytest.raises(PermissionRefused):
            replay.replay(event_id=row.pk, by=staff(StaffGroup.AUDITOR))
        for by in (people.as_alice, people.as_charlie, Actor.anonymous()):
            with pytest.raises(NotFound):
                replay.replay(event_id=row.pk, by=by)
        assert now(row).state == "dead"


@pytest.mark.gap("6.2")
class TestSweeps:
    def test_send_a_lost_message_again(self, handled: Handled) -> None:
        row = stored()
        OrmQ.objects.all().delete()
        replay.sweep_stuck()
        assert OrmQ.objects.count() == 0
        with time_machine.travel(timezone.now() + timedelta(minutes=2)):
            replay.sweep_stuck()
            drain()
        assert now(row).state == "processed"

    def test_take_over_from_a_dead_worker(self, handled: Handled) -> None:
        row = stored()
        processing.claim(event_id=row.pk)
        OrmQ.objects.all().delete()
        with time_machine.travel(timezone.now() + timedelta(minutes=5)):
            replay.sweep_stuck()
            drain()
        assert (now(row).state, now(row).attempts) == ("processed", 2)
