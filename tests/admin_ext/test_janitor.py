"""The janitor's page: nothing is on its way for ever, and somebody looks after all of it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin_ext import janitor
from billing.models import Refund
from config.schedules import SCHEDULES
from core import jobs
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting, sign_in
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]
PAGE = "/staff/core/job/janitor/"


class TestRules:
    def test_name_tasks_that_run_by_the_clock(self) -> None:
        assert {rule.resolver for rule in janitor.IN_FLIGHT} <= {schedule.task for schedule in SCHEDULES}

    def test_name_states_that_exist(self) -> None:
        for rule in janitor.IN_FLIGHT:
            known = {value for value, _ in rule.model._meta.get_field(rule.field).choices or ()}
            assert set(rule.states) <= known, rule.title

    @pytest.mark.parametrize("label", ["billing.Refund", "billing.PayoutRequest", "billing.DisputeResponse", "billing.InboundEvent"])
    def test_leave_out_no_state_that_is_neither_an_end_nor_a_persons_turn(self, label: str) -> None:
        ends = {
            "billing.Refund": {"awaiting_approval", "succeeded", "failed", "cancelled"},
            "billing.PayoutRequest": {"requested", "rejected", "cancelled", "on_hold", "paid", "failed"},
            "billing.DisputeResponse": {"done", "failed"},
            "billing.InboundEvent": {"processed", "dead", "ignored"},
        }
        model = apps.get_model(label)
        watched = {state for rule in janitor.IN_FLIGHT if rule.model is model for state in rule.states}
        assert watched == {value for value, _ in model._meta.get_field("state").choices} - ends[label]  # type: ignore[union-attr]


class TestHands:
    def test_are_what_the_sweeps_and_their_tasks_sign_with(self) -> None:
        """A task that is renamed would leave the page empty of what it did."""
        signed = {name for file in Path("platform").rglob("*.py") for name in re.findall(r'Actor\.system\("([^"]+)"\)', file.read_text())}
        assert set(janitor.HANDS) <= signed


class TestDone:
    def test_reads_the_newest_of_each_hand_by_an_index(self, people: People) -> None:
        """However much the system and people have done since."""
        columns = "id, created_at, action, object_type, object_id, actor, user_id, before, after, reason, request_id"
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO audit_auditentry ({columns})"
                " SELECT gen_random_uuid(), now(), 'payment.succeeded', 'billing.payment', gen_random_uuid(),"
                " CASE mod(n, 4) WHEN 0 THEN 'system:stripe.webhook' WHEN 1 THEN 'system:billing.sweep' ELSE 'user:' || n END,"
                " CASE WHEN mod(n, 4) > 1 THEN gen_random_uuid() END, '{}', '{}', '', '' FROM generate_series(1, %s) AS n",
                [SIZES.audit_entries],
            )
            cursor.execute("ANALYZE audit_auditentry")
            with CaptureQueriesContext(connection) as asked:
                found = janitor.done()
            (query,) = [one["sql"] for one in asked.captured_queries]
            cursor.execute(f"EXPLAIN {query}")
            plan = "\n".join(line for (line,) in cursor.fetchall())

        assert [entry.actor for entry in found] == ["system:billing.sweep"] * 30
        assert [entry.pk for entry in found] == sorted((entry.pk for entry in found), reverse=True)
        assert "audit_system" in plan
        assert "Seq Scan" not in plan


class TestPage:
    def test_counts_what_is_on_its_way_and_what_is_too_old(self, people: People) -> None:
        for _ in range(2):
            refund = making.refund(making.payment(people.north), by=acting(people.francis))
        Refund.objects.filter(pk=refund.pk).update(updated_at=timezone.now() - timedelta(minutes=11))
        jobs.enqueue_scheduled("billing.sweeps.refunds_in_flight")
        row = next(row for row in janitor.rows("admin") if row.rule.title == "Refunds being sent")
        assert (row.now, row.late, row.last_state) == (2, 1, "queued")
        shown = sign_in(people.finance).get(PAGE).content.decode()
        assert "Refunds being sent" in shown
        assert "1 too old" in shown

    def test_asks_a_bounded_number_of_questions(self, people: People) -> None:
        client = sign_in(people.finance)
        client.get(PAGE)
        with CaptureQueriesContext(connection) as asked:
            client.get(PAGE)
        assert len(asked) <= len(janitor.IN_FLIGHT) + 10

    def test_is_not_there_for_an_organizer(self, people: People) -> None:
        assert sign_in(people.alice).get(PAGE).status_code in (302, 403, 404)

    def test_says_how_long_in_words(self) -> None:
        assert [janitor.span(timedelta(minutes=count)) for count in (10, 60, 360)] == ["10 minutes", "1 hour", "6 hours"]
