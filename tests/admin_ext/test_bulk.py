"""Doing one thing to many rows: frozen, previewed, confirmed, worked off, told row by row."""

import csv
import io
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from admin_ext.console import bulk_runs
from admin_ext.models import BulkItem, BulkRun
from audit.models import AuditEntry
from billing import refund_approval
from billing.models import InboundEvent, Payment, Refund
from core import jobs
from core.models import Job
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting, sign_in

pytestmark = pytest.mark.django_db
REFUNDS = "/staff/billing/refund/"
PAYMENTS = "/staff/billing/payment/"


def select(client: Client, url: str, action: str, rows: list[Any], **more: Any) -> BulkRun:
    answer = client.post(url, {"action": action, "_selected_action": [str(row.pk) for row in rows], "select_across": "0", **more})
    assert answer.status_code == 302, answer.content.decode()[:500]
    return BulkRun.objects.order_by("-pk")[0]


def press(client: Client, run: BulkRun, name: str, **values: Any) -> Any:
    site = "console" if run.organization_id else "admin"
    return client.post(reverse(f"admin:admin_ext_bulkrun_{name}", args=[run.public_id], current_app=site), values)


def now(run: BulkRun) -> BulkRun:
    return BulkRun.objects.get(pk=run.pk)


def states(run: BulkRun) -> list[str]:
    return list(run.items.order_by("position").values_list("state", flat=True))


@pytest.fixture
def waiting(people: People) -> list[Refund]:
    return [making.waiting_refund(people.north, by=acting(people.francis)) for _ in range(3)]


class TestSelection:
    def test_is_frozen_on_the_server_and_does_nothing_yet(self, people: People, waiting: list[Refund], run_jobs) -> None:
        run = select(sign_in(people.finance), REFUNDS, "refund_approve", waiting)
        making.waiting_refund(people.north, by=acting(people.francis))

        assert run.total == 3
        assert {item.object_id for item in run.items.all()} == {refund.pk for refund in waiting}
        assert Refund.objects.filter(state="awaiting_approval").count() == 4

    def test_across_pages_takes_what_the_filter_shows_and_no_other_row(self, people: People, waiting: list[Refund]) -> None:
        making.refund(making.payment(people.north), by=acting(people.finance))
        finance = sign_in(people.finance)
        run = select(finance, f"{REFUNDS}?state__exact=awaiting_approval", "refund_approve", waiting[:1], select_across="1")

        assert run.total == 3

    def test_of_a_foreign_row_takes_nothing(self, people: People, run_jobs) -> None:
        foreign = making.payment(people.rival)
        alice = sign_in(people.alice)
        alice.post("/console/billing/payment/", {"action": "payment_refund", "_selected_action": [str(foreign.pk)], "select_across": "0"})

        assert not BulkRun.objects.exists()

    def test_is_refused_to_who_lacks_the_permission(self, people: People, waiting: list[Refund]) -> None:
        support = sign_in(people.support)
        support.post(REFUNDS, {"action": "refund_approve", "_selected_action": [str(waiting[0].pk)], "select_across": "0"})

        assert not BulkRun.objects.exists()

    def test_asks_for_the_second_factor_again_when_it_was_used_long_ago(self, people: People, waiting: list[Refund]) -> None:
        late = sign_in(people.finance, factor_age=3600)
        answer = late.post(REFUNDS, {"action": "refund_approve", "_selected_action": [str(waiting[0].pk)], "select_across": "0"})

        assert reverse("mfa_reauthenticate") in answer.headers["Location"]
        assert not BulkRun.objects.exists()

    def test_has_an_upper_bound(self, people: People, waiting: list[Refund]) -> None:
        with patch.object(bulk_runs, "MOST", 2):
            answer = sign_in(people.finance).post(
                REFUNDS,
                {"action": "refund_approve", "_selected_action": [str(one.pk) for one in waiting], "select_across": "0"},
                follow=True,
            )

        assert "narrow the list" in answer.content.decode()
        assert not BulkRun.objects.exists()


class TestPreview:
    def test_says_what_happens_to_each_row_and_why_others_are_refused(self, people: People, waiting: list[Refund], run_jobs) -> None:
        own = making.waiting_refund(people.north, by=acting(people.finance))
        small = making.refund(making.payment(people.north), by=acting(people.francis))
        finance = sign_in(people.finance)
        run = select(finance, REFUNDS, "refund_approve", [*waiting, own, small])
        run_jobs(limit=50)
        shown = finance.get(f"/staff/admin_ext/bulkrun/{run.public_id}/change/").content.decode()

        assert now(run).state == BulkRun.State.READY
        assert sorted(states(run)) == ["planned", "planned", "planned", "refused", "refused"]
        assert "You asked for this refund yourself" in shown
        assert "1,800.00 USD (3 rows)" in shown
        assert "There is no undo" in shown
        assert Refund.objects.filter(state="awaiting_approval").count() == 4

    def test_of_refunds_asks_first_what_is_the_same_for_all(self, people: People, run_jobs) -> None:
        payments = [making.payment(people.north), making.payment(people.north, paid=False)]
        finance = sign_in(people.finance)
        run = select(finance, PAYMENTS, "payment_refund", payments)
        assert run.state == BulkRun.State.FROZEN

        press(finance, run, "describe", how_much="rest", reason="nonsense")
        assert now(run).state == BulkRun.State.FROZEN
        press(finance, run, "describe", how_much="rest", reason="event_cancelled")
        run_jobs()
        assert sorted(states(run)) == ["planned", "refused"]
        assert not Refund.objects.exists()

    def test_can_be_discarded(self, people: People, waiting: list[Refund], run_jobs) -> None:
        finance = sign_in(people.finance)
        run = select(finance, REFUNDS, "refund_approve", waiting)
        press(finance, run, "discard")
        run_jobs()

        assert now(run).state == BulkRun.State.DISCARDED
        press(finance, run, "confirm")
        assert Refund.objects.filter(state="awaiting_approval").count() == 3


class TestConfirm:
    @pytest.fixture
    def ready(self, people: People, waiting: list[Refund], run_jobs) -> BulkRun:
        run = select(sign_in(people.finance), REFUNDS, "refund_approve", waiting)
        bulk_runs.plan(run_id=run.pk)
        return now(run)

    def test_does_each_row_through_the_operation(self, people: People, ready: BulkRun) -> None:
        press(sign_in(people.finance), ready, "confirm")
        bulk_runs.work(run_id=ready.pk)

        assert now(ready).state == BulkRun.State.DONE
        assert states(ready) == ["done"] * 3
        assert set(Refund.objects.values_list("state", "approved_by")) == {("approved", people.finance.pk)}
        assert AuditEntry.objects.filter(action="refund.approved").count() == 3
        assert AuditEntry.objects.filter(action="bulk_run.confirmed", user_id=people.finance.pk).count() == 1

    def test_a_second_time_changes_nothing(self, people: People, ready: BulkRun) -> None:
        finance = sign_in(people.finance)
        press(finance, ready, "confirm")
        answer = press(finance, ready, "confirm")
        bulk_runs.work(run_id=ready.pk)
        bulk_runs.work(run_id=ready.pk)

        assert answer.status_code == 302
        assert AuditEntry.objects.filter(action="refund.approved").count() == 3
        assert Job.objects.filter(name="admin_ext.console.bulk_runs.work").count() == 1

    def test_belongs_to_the_person_who_asked(self, people: People, ready: BulkRun) -> None:
        assert press(sign_in(people.francis), ready, "confirm").status_code == 404
        assert now(ready).state == BulkRun.State.READY

    def test_on_get_does_nothing(self, people: People, ready: BulkRun) -> None:
        url = reverse("admin:admin_ext_bulkrun_confirm", args=[ready.public_id], current_app="admin")

        assert sign_in(people.finance).get(url).status_code == 405
        assert now(ready).state == BulkRun.State.READY

    def test_tells_what_changed_since_the_preview(self, people: People, ready: BulkRun, waiting: list[Refund]) -> None:
        refund_approval.reject(refund_id=waiting[1].pk, why="no", by=acting(people.finance))
        press(sign_in(people.finance), ready, "confirm")
        bulk_runs.work(run_id=ready.pk)

        assert states(ready) == ["done", "failed", "done"]
        assert "does not wait for approval" in ready.items.get(state="failed").message

    def test_counts_for_nothing_once_the_person_lost_the_right(self, people: People, ready: BulkRun) -> None:
        press(sign_in(people.finance), ready, "confirm")
        people.finance.staff_groups = ["support"]
        people.finance.save()
        bulk_runs.work(run_id=ready.pk)

        assert states(ready) == ["failed"] * 3
        assert Refund.objects.filter(state="awaiting_approval").count() == 3


class TestWork:
    def test_goes_on_after_a_crash_and_does_no_row_twice(self, people: People, waiting: list[Refund]) -> None:
        finance = sign_in(people.finance)
        run = select(finance, REFUNDS, "refund_approve", waiting)
        bulk_runs.plan(run_id=run.pk)
        press(finance, run, "confirm")
        real, calls = bulk_runs._do, []

        def dies_at_the_second(item_id: int, *rest: Any) -> None:
            calls.append(item_id)
            if len(calls) == 2:
                raise SystemExit("kill -9")
            real(item_id, *rest)

        with patch.object(bulk_runs, "_do", dies_at_the_second), pytest.raises(SystemExit):
            bulk_runs.work(run_id=run.pk)
        assert states(run) == ["done", "planned", "planned"]
        bulk_runs.work(run_id=run.pk)

        assert states(run) == ["done"] * 3
        assert AuditEntry.objects.filter(action="refund.approved").count() == 3

    def test_leaves_neither_half_when_the_row_fails_to_be_marked(self, people: People, waiting: list[Refund]) -> None:
        finance = sign_in(people.finance)
        run = select(finance, REFUNDS, "refund_approve", waiting[:1])
        bulk_runs.plan(run_id=run.pk)
        press(finance, run, "confirm")

        with patch.object(BulkItem, "finish", side_effect=SystemExit), pytest.raises(SystemExit):
            bulk_runs.work(run_id=run.pk)

        assert states(run) == ["planned"]
        assert Refund.objects.get(pk=waiting[0].pk).state == "awaiting_approval"

    def test_hands_over_to_a_next_job_when_its_time_is_up(self, people: People, waiting: list[Refund], run_jobs) -> None:
        finance = sign_in(people.finance)
        run = select(finance, REFUNDS, "refund_approve", waiting)
        bulk_runs.plan(run_id=run.pk)
        press(finance, run, "confirm")
        before = Job.objects.filter(name="admin_ext.console.bulk_runs.work").count()
        with patch.object(bulk_runs, "SECONDS", 0.0):
            bulk_runs.work(run_id=run.pk)

        assert Job.objects.filter(name="admin_ext.console.bulk_runs.work").count() == before + 1
        bulk_runs.work(run_id=run.pk)
        assert now(run).state == BulkRun.State.DONE

    def test_waits_while_others_would_stand_behind_it(self, people: People, waiting: list[Refund], monkeypatch: pytest.MonkeyPatch) -> None:
        finance = sign_in(people.finance)
        run = select(finance, REFUNDS, "refund_approve", waiting)
        bulk_runs.plan(run_id=run.pk)
        press(finance, run, "confirm")
        monkeypatch.setattr(bulk_runs, "CHUNK", 1)
        monkeypatch.setattr(jobs, "FULL", OrmQ.objects.filter(key="money").count() + 2)

        bulk_runs.work(run_id=run.pk)
        assert states(run) == ["done", "done", "planned"], "each approved one is a message for the queue of money"
        later = Job.objects.filter(name="admin_ext.console.bulk_runs.work").latest("pk")
        assert later.run_after > timezone.now()
        bulk_runs.work(run_id=run.pk)
        assert states(run) == ["done", "done", "planned"]

        OrmQ.objects.filter(key="money").delete()
        bulk_runs.work(run_id=run.pk)
        assert states(run) == ["done"] * 3

    def test_refunds_exactly_what_the_preview_showed(self, people: People) -> None:
        payment = making.payment(people.north, amount=5000)
        finance = sign_in(people.finance)
        run = select(finance, PAYMENTS, "payment_refund", [payment])
        press(finance, run, "describe", how_much="terms", reason="event_cancelled")
        bulk_runs.plan(run_id=run.pk)
        press(finance, run, "confirm")
        bulk_runs.work(run_id=run.pk)
        bulk_runs.work(run_id=run.pk)

        made = Refund.objects.get()
        assert (made.amount, made.reason, made.requested_by_id) == (5000, "event_cancelled", people.finance.pk)

    def test_replays_dead_events_and_retries_dead_jobs(self, people: People) -> None:
        event, job = making.inbound_event(dead=True), making.dead_job()
        support = sign_in(people.support)
        for url, action, row in (("/staff/billing/inboundevent/", "inbound_event_replay", event), ("/staff/core/job/", "job_retry", job)):
            run = select(support, url, action, [row])
            bulk_runs.plan(run_id=run.pk)
            press(support, run, "confirm")
            bulk_runs.work(run_id=run.pk)

        assert InboundEvent.objects.get(pk=event.pk).state == "received"
        assert Job.objects.get(pk=job.pk).state == "queued"
        assert AuditEntry.objects.filter(action="job.retried", user_id=people.support.pk).count() == 1

    def test_of_an_organizer_stays_in_the_organization(self, people: People) -> None:
        mine, theirs = making.payment(people.north), making.payment(people.rival)
        alice = sign_in(people.alice)
        run = select(alice, "/console/billing/payment/", "payment_refund", [mine, theirs])
        press(alice, run, "describe", how_much="rest", reason="other")
        bulk_runs.plan(run_id=run.pk)
        press(alice, run, "confirm")
        bulk_runs.work(run_id=run.pk)

        assert run.total == 1
        assert Refund.objects.get().payment_id == mine.pk
        assert Payment.objects.get(pk=theirs.pk).refunds.count() == 0


class TestResultFile:
    def test_has_every_row_with_its_result(self, people: People, waiting: list[Refund]) -> None:
        finance = sign_in(people.finance)
        run = select(finance, REFUNDS, "refund_approve", waiting)
        bulk_runs.plan(run_id=run.pk)
        press(finance, run, "confirm")
        bulk_runs.work(run_id=run.pk)
        answer = finance.get(reverse("admin:admin_ext_bulkrun_result", args=[run.public_id], current_app="admin"))
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))

        assert [row["id"] for row in rows] == [refund.public_id for refund in sorted(waiting, key=lambda one: one.pk, reverse=True)]
        assert {(row["state"], row["amount"], row["currency"]) for row in rows} == {("Done", "600.00", "USD")}


class TestProgress:
    def test_asks_the_page_to_load_again_once_the_run_moved_on(self, people: People, waiting: list[Refund]) -> None:
        finance = sign_in(people.finance)
        run = select(finance, REFUNDS, "refund_approve", waiting)
        url = reverse("admin:admin_ext_bulkrun_progress", args=[run.public_id], current_app="admin")

        assert "HX-Refresh" not in finance.get(url).headers
        bulk_runs.plan(run_id=run.pk)
        assert finance.get(url).headers["HX-Refresh"] == "true"

    def test_of_someone_elses_run_is_absent_on_the_organizer_console(self, people: People) -> None:
        alice, bob = sign_in(people.alice), sign_in(people.bob)
        run = select(alice, "/console/billing/payment/", "payment_refund", [making.payment(people.north)])

        for tail in ("change/", "progress/", "result.csv"):
            assert bob.get(f"/console/admin_ext/bulkrun/{run.public_id}/{tail}").status_code == 404
