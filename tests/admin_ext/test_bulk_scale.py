"""A bulk run of many rows: frozen by one statement in the list's order, planned without a query per row."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from admin_ext import bulk_kinds
from admin_ext.console import bulk_runs
from admin_ext.console.bulk_kinds import BulkKind
from admin_ext.models import BulkItem, BulkRun
from audit.actor import Actor
from billing.models import Payment, Refund
from registrations.models import Registration
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting
from tests.admin_ext.test_paging import many
from tests.factories.people import actor
from tests.sizes import SIZES

pytestmark = pytest.mark.django_db


def frozen(rows: Any, by: Actor, kind: BulkKind = bulk_kinds.REFUND_PAYMENTS) -> BulkRun:
    return bulk_runs.freeze(kind=kind.name, rows=rows, as_staff=by.sees_all, by=by)


def queries_of_planning(rows: Any, by: Actor, kind: BulkKind) -> int:
    run = frozen(rows, by, kind)
    bulk_runs.describe(run_id=run.pk, values={"how_much": "rest", "reason": "other"}, by=by)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        bulk_runs.plan(run_id=run.pk)
    assert BulkItem.objects.filter(run=run, state=BulkItem.State.PLANNED).count() == run.total == rows.count()
    return len(captured)


class TestFreeze:
    def test_of_many_rows_is_one_statement(self, people: People) -> None:
        many(making.payment(people.north, paid=False), SIZES.list_rows - 1)
        by = acting(people.finance)
        with CaptureQueriesContext(connection) as captured:
            run = frozen(Payment.objects.visible_to(by).order_by("-pk"), by)

        assert run.total == run.items.count() == SIZES.list_rows
        assert [one["sql"][:11] for one in captured if "admin_ext_bulkitem" in one["sql"]] == ["INSERT INTO"]
        assert len(captured) < 12

    @pytest.mark.parametrize("order", [["-pk"], ["amount", "-pk"], ["organization__name", "-amount"]])
    def test_keeps_the_lists_order(self, people: People, order: list[str]) -> None:
        for organization, amount in ((people.rival, 5_000), (people.north, 7_000), (people.rival, 900), (people.north, 1_200)):
            making.payment(organization, amount=amount)
        rows = Payment.objects.order_by(*order)

        run = frozen(rows, acting(people.finance))

        assert list(run.items.order_by("position").values_list("object_id", flat=True)) == [row.pk for row in rows]
        assert list(run.items.order_by("position").values_list("position", flat=True)) == [1, 2, 3, 4]


@pytest.mark.parametrize("as_alice", [False, True])
class TestPlan:
    def by(self, people: People, as_alice: bool) -> Actor:
        return actor(people.alice, organization=people.north) if as_alice else acting(people.finance)

    def test_of_payments_asks_as_much_about_twenty_as_about_three(self, people: People, as_alice: bool) -> None:
        for _ in range(20):
            making.payment(people.north)
        by, rows = self.by(people, as_alice), Payment.objects.filter(organization=people.north)
        few = queries_of_planning(rows.filter(pk__in=[row.pk for row in rows[:3]]), by, bulk_kinds.REFUND_PAYMENTS)
        assert queries_of_planning(rows, by, bulk_kinds.REFUND_PAYMENTS) == few

    def test_of_registrations_asks_as_much_about_twelve_as_about_three(self, people: People, as_alice: bool) -> None:
        event = making.event(people.north, people.alice)
        for _ in range(12):
            making.registration(event, payment=making.payment(people.north, for_event=event))
        by, rows = self.by(people, as_alice), Registration.objects.filter(event=event)
        few = queries_of_planning(rows.filter(pk__in=[row.pk for row in rows[:3]]), by, bulk_kinds.REFUND_REGISTRATIONS)
        assert queries_of_planning(rows, by, bulk_kinds.REFUND_REGISTRATIONS) == few

    def test_takes_earlier_refunds_into_account(self, people: People, as_alice: bool) -> None:
        payment = making.payment(people.north, amount=5_000)
        making.refund(payment, by=acting(people.francis), amount=1_200)
        lost = making.refund(payment, by=acting(people.francis), amount=700)
        Refund.objects.filter(pk=lost.pk).update(state=Refund.State.FAILED)
        by = self.by(people, as_alice)

        queries_of_planning(Payment.objects.filter(pk=payment.pk), by, bulk_kinds.REFUND_PAYMENTS)

        assert list(BulkItem.objects.values_list("amount", "currency")) == [(3_800, "USD")]


def test_an_organizer_who_may_only_touch_their_own_is_refused_others(people: People) -> None:
    people.north.organizer_scope = people.north.OrganizerScope.OWN
    people.north.save()
    mine = making.payment(people.north, for_event=making.event(people.north, people.bob))
    others = making.payment(people.north, for_event=making.event(people.north, people.alice))
    by = actor(people.bob, organization=people.north)
    kind = bulk_kinds.REFUND_PAYMENTS

    rows = kind.rows(Payment.objects.filter(pk__in=[mine.pk, others.pk]), by)

    assert {row.pk: row.may_refund for row in rows} == {mine.pk: True, others.pk: False}
