"""What a replay would change, in the console: in the dialog of one event, in the preview of many, for those alone who may replay."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import User
from admin_ext.console import bulk_runs
from admin_ext.models import BulkRun
from billing.models import InboundEvent, Payment, Refund
from core.models import Job
from ledger.models import LedgerTransaction
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.admin_ext import making
from tests.admin_ext.conftest import People, sign_in
from tests.admin_ext.test_bulk import now, press, select, states
from tests.billing.bank import Bank, earned, submitted
from tests.billing.conftest import bank  # noqa: F401  a fixture
from tests.factories.billing import payment_at_stripe
from tests.factories.payouts import approved_payout

pytestmark = [pytest.mark.django_db, pytest.mark.gap("6.2")]
EVENTS = "/staff/billing/inboundevent/"


def bury(event: InboundEvent) -> InboundEvent:
    event.start(lease_until=timezone.now())
    event.save()
    event.bury(error="The handler failed eight times.")
    event.save()
    return event


@pytest.fixture
def refunded(sandbox: Sandbox) -> Payment:
    """Refunded in Stripe's dashboard; the event about it was given up."""
    payment = payment_at_stripe(sandbox)
    sandbox.control.refund_from_dashboard(payment.stripe_payment_intent_id or "", amount=2000)
    flows.deliver(sandbox)
    bury(InboundEvent.objects.get(type="refund.created"))
    return payment


def dead() -> InboundEvent:
    return InboundEvent.objects.get(type="refund.created")


def ask(person: User, event: InboundEvent) -> Any:
    return sign_in(person).post(f"{EVENTS}{event.public_id}/dry-run/")


class TestOne:
    def test_is_shown_in_the_dialog_before_the_replay_is_confirmed(self, people: People, refunded: Payment) -> None:
        support = sign_in(people.support)
        dialog = support.get(f"{EVENTS}{dead().public_id}/replay/").content.decode()
        assert f'hx-post="{EVENTS}{dead().public_id}/dry-run/"' in dialog
        counts = LedgerTransaction.objects.count(), Job.objects.count()
        shown = support.post(f"{EVENTS}{dead().public_id}/dry-run/").content.decode()

        for text in ("Refund", "20.00 USD", "stripe_balance", refunded.public_id, "partially refunded", "Recorded in the audit log"):
            assert text in shown, text
        assert "<script" not in shown
        assert not Refund.objects.exists()
        assert (LedgerTransaction.objects.count(), Job.objects.count(), dead().state) == (*counts, "dead")

    def test_says_that_nothing_would_change(self, people: People, refunded: Payment, sandbox: Sandbox) -> None:
        sign_in(people.support).post(f"{EVENTS}{dead().public_id}/replay/", {"token": "t" * 12})
        flows.settle(sandbox)
        assert dead().state == "processed"
        assert "It would change nothing" in ask(people.support, dead()).content.decode()

    def test_says_that_stripe_does_not_answer(self, people: People, refunded: Payment, sandbox: Sandbox) -> None:
        sandbox.control.fault("reset_before", method="GET", path=f"/v1/refunds/{dead().object_id}")
        assert "Stripe does not answer just now" in ask(people.support, dead()).content.decode()

    def test_is_absent_for_who_may_not_replay(self, people: People, refunded: Payment) -> None:
        auditor = making.user("auditor", groups=("auditor",))
        assert ask(auditor, dead()).status_code == 404
        for person in (people.alice, people.charlie):
            assert ask(person, dead()).status_code in (302, 403, 404)
        assert sign_in(people.support).get(f"{EVENTS}{dead().public_id}/dry-run/").status_code == 405

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"api_version": "2025-01-01.acacia"}, "replay it once a release speaks its version"),
            ({"type": "customer.created"}, "This release does nothing with events of the type customer.created"),
        ],
    )
    def test_says_in_the_dialog_why_there_is_nothing_to_replay(self, people: People, values: dict[str, str], sentence: str) -> None:
        event = making.inbound_event(dead=True)
        InboundEvent.objects.filter(pk=event.pk).update(**values)
        support = sign_in(people.support)
        dialog = support.get(f"{EVENTS}{event.public_id}/replay/", headers={"HX-Request": "true"}).content.decode()
        assert sentence in dialog
        assert "dry-run" not in dialog
        assert 'type="submit"' not in dialog
        answer = support.post(f"{EVENTS}{event.public_id}/replay/", {"token": "t" * 12}, follow=True).content.decode()
        assert sentence in answer
        assert sentence in ask(people.support, event).content.decode()
        assert InboundEvent.objects.get(pk=event.pk).state == "dead"

    def test_names_a_payout_to_those_alone_who_may_see_payouts(self, people: People, bank: Bank) -> None:  # noqa: F811
        payout = submitted(approved_payout(earned(bank)))
        bank.work()
        bank.control.advance(4 * 86_400)
        bank.deliver()
        event = bury(InboundEvent.objects.filter(type="payout.paid").latest("received_at"))
        to_finance, to_support = (ask(person, event).content.decode() for person in (people.finance, people.support))
        page = f"/staff/billing/payoutrequest/{payout.public_id}/change/"
        assert page in to_finance
        assert "<td>in transit</td><td>paid</td>" in to_finance
        assert page not in to_support
        assert "<td>in transit</td>" not in to_support
        assert "which you may not see" in to_support


class TestParked:
    def test_are_found_by_a_filter_and_say_so(self, people: People) -> None:
        ours, parked = making.inbound_event(dead=True), making.inbound_event(dead=True)
        InboundEvent.objects.filter(pk=parked.pk).update(api_version="2025-01-01.acacia")
        support = sign_in(people.support)
        for value, (there, absent) in {"yes": (parked, ours), "no": (ours, parked)}.items():
            shown = support.get(f"{EVENTS}?parked={value}").content.decode()
            assert there.public_id in shown
            assert absent.public_id not in shown
        page = support.get(f"{EVENTS}{parked.public_id}/change/").content.decode()
        assert f"2025-01-01.acacia; parked, since this release speaks {settings.STRIPE_API_VERSION}" in page


class TestMany:
    def test_are_tried_row_by_row_and_then_do_just_that(self, people: People, refunded: Payment, sandbox: Sandbox, run_jobs: Any) -> None:
        foreign, parked = making.inbound_event(dead=True), making.inbound_event(dead=True)
        InboundEvent.objects.filter(pk=foreign.pk).update(body='{"data": {"object": {"id": "ch_1", "payment_intent": null}}}')
        InboundEvent.objects.filter(pk=parked.pk).update(api_version="2025-01-01.acacia")
        finance = sign_in(people.finance)
        run = select(finance, EVENTS, "inbound_event_dry_run", [dead(), foreign, parked])
        before = LedgerTransaction.objects.count()
        bulk_runs.plan(run_id=run.pk)
        items = {item.object_id: item for item in run.items.all()}

        assert now(run).state == BulkRun.State.READY
        assert (items[dead().pk].state, items[foreign.pk].state, items[parked.pk].state) == ("planned", "planned", "refused")
        assert "Refund new" in items[dead().pk].effect
        assert "amount: – → 20.00 USD" in items[dead().pk].detail
        assert "belongs to nothing here" in items[foreign.pk].effect
        assert "This event is parked" in items[parked.pk].message
        assert (Refund.objects.count(), LedgerTransaction.objects.count()) == (0, before)
        assert "All of it" in finance.get(f"/staff/admin_ext/bulkrun/{run.public_id}/change/").content.decode()
        answer = finance.get(f"/staff/admin_ext/bulkrun/{run.public_id}/result.csv")
        rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
        assert "stripe_balance" in next(row["detail"] for row in rows if row["id"] == dead().public_id)

        press(finance, run, "confirm")
        bulk_runs.work(run_id=run.pk)
        run_jobs()
        assert sorted(states(run)) == ["done", "done", "refused"]
        assert Refund.objects.get().amount == 2000
        assert dead().state == "processed"

    def test_of_a_range_are_all_that_the_days_show(self, people: People, refunded: Payment) -> None:
        old = making.inbound_event(dead=True)
        InboundEvent.objects.filter(pk=old.pk).update(received_at=timezone.now() - timedelta(days=9))
        day = timezone.now().date().isoformat()
        finance = sign_in(people.finance)
        query = f"?state__in=dead&received_at_from={day}&received_at_to={day}"
        run = select(finance, f"{EVENTS}{query}", "inbound_event_dry_run", [dead()], select_across="1")

        assert [item.object_id for item in run.items.all()] == [dead().pk]

    def test_go_on_after_a_job_that_had_to_stop(self, people: People, refunded: Payment, monkeypatch: pytest.MonkeyPatch) -> None:
        finance = sign_in(people.finance)
        run = select(finance, EVENTS, "inbound_event_dry_run", [dead(), making.inbound_event()])
        monkeypatch.setattr(bulk_runs, "SECONDS", 0.0)
        queued = Job.objects.count()
        bulk_runs.plan(run_id=run.pk)
        assert (states(run), Job.objects.count()) == (["selected", "selected"], queued + 1)
        monkeypatch.setattr(bulk_runs, "SECONDS", 20.0)
        bulk_runs.plan(run_id=run.pk)
        assert sorted(states(run)) == ["planned", "refused"]

    def test_are_not_tried_for_who_may_not_replay(self, people: People, refunded: Payment) -> None:
        auditor = sign_in(making.user("auditor", groups=("auditor",)))
        auditor.post(EVENTS, {"action": "inbound_event_dry_run", "_selected_action": [str(dead().pk)], "select_across": "0"})
        assert not BulkRun.objects.exists()
