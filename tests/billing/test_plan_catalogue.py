"""The plan catalogue: what finance may write, what the database refuses, and what Stripe is told."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing import plan_catalogue, plan_push, plan_seeding
from billing.gateway.base import GatewayUnknown
from billing.models import Plan, PlanPrice, StripeCommand
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.models import Job
from sandbox.stripe.server import Sandbox
from tests.factories.billing import finance
from tests.factories.people import UserFactory, actor, personas, staff
from tests.factories.plans import plan

pytestmark = pytest.mark.django_db


class TestSeed:
    def test_writes_the_plans_of_the_domain_once(self) -> None:
        assert plan_seeding.seed() == 4
        assert plan_seeding.seed() == 0

        limits = {each.code: each.limits for each in Plan.objects.all()}
        assert limits["attendee"] == {"events": 0, "courses": 0, "certificates": 0, "attendees": 0}
        assert limits["organizer"] == {"events": 30, "courses": 0, "certificates": 500, "attendees": 500}
        assert limits["lms"] == {"events": 0, "courses": 30, "certificates": 500, "attendees": 0}
        assert limits["organization"] == {"events": None, "courses": None, "certificates": None, "attendees": 2000}
        prices = {(p.plan.code, p.kind, p.interval): p.amount for p in PlanPrice.objects.select_related("plan")}
        assert prices == {
            ("organizer", "base", "month"): 4_900,
            ("organizer", "base", "year"): 49_000,
            ("lms", "base", "month"): 4_900,
            ("lms", "base", "year"): 49_000,
            ("organization", "base", "month"): 19_900,
            ("organization", "base", "year"): 199_000,
            ("organization", "seat", "month"): 12_900,
            ("organization", "seat", "year"): 129_000,
        }

    def test_takes_from_nobody_who_pays_what_attending_gives(self) -> None:
        plan_seeding.seed()
        for each in Plan.objects.all():
            assert {"Places at events", "Your own certificates"} <= set(each.features.splitlines()), each.name

    def test_leaves_what_finance_changed(self) -> None:
        plan_seeding.seed()
        solo = Plan.objects.get(code="organizer")
        plan_catalogue.edit(plan_id=solo.pk, events_per_month=40, by=finance())

        plan_seeding.seed()

        assert Plan.objects.get(code="organizer").events_per_month == 40


class TestEdit:
    def test_is_recorded_and_raises_the_version(self) -> None:
        made = plan()

        changed = plan_catalogue.edit(plan_id=made.pk, name="Solo plus", events_per_month=40, by=finance())

        assert (changed.name, changed.events_per_month, changed.version, changed.code) == ("Solo plus", 40, 2, "solo")
        entry = AuditEntry.objects.about(made)[0]
        assert (entry.action, entry.before, entry.after) == (
            "plan.edited",
            {"name": "Solo", "events_per_month": 30},
            {"name": "Solo plus", "events_per_month": 40},
        )

    def test_of_nothing_changes_nothing(self) -> None:
        made = plan()
        entries, jobs = AuditEntry.objects.count(), Job.objects.count()

        assert plan_catalogue.edit(plan_id=made.pk, name="Solo", by=finance()).version == 1
        assert (AuditEntry.objects.count(), Job.objects.count()) == (entries, jobs)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": " "}, "name"),
            ({"name": "x" * 81}, "name"),
            ({"events_per_month": None}, "events_per_month"),
            ({"events_unlimited": True}, "events_per_month"),
            ({"events_per_month": -1}, "events_per_month"),
            ({"attendees_per_event": 2**31}, "attendees_per_event"),
            ({"audience": "robots"}, "audience"),
            ({"seats_included": 2}, "seats_included"),
            ({"version": 9}, "version"),
            ({"stripe_product_id": "prod_1"}, "stripe_product_id"),
        ],
    )
    def test_refuses_what_no_plan_can_be(self, changes: dict[str, Any], field: str) -> None:
        made = plan()

        with pytest.raises(InvalidInput) as refused:
            plan_catalogue.edit(plan_id=made.pk, by=finance(), **changes)

        assert refused.value.field == field
        assert Plan.objects.get(pk=made.pk).version == 1

    def test_is_finances_alone(self) -> None:
        made, people = plan(), personas()
        for stranger in (people.as_alice, people.as_charlie, actor(UserFactory())):
            with pytest.raises(NotFound):
                plan_catalogue.edit(plan_id=made.pk, name="Mine", by=stranger)
        with pytest.raises(PermissionRefused):
            plan_catalogue.edit(plan_id=made.pk, name="Mine", by=staff(StaffGroup.SUPPORT))
        with pytest.raises(StepUpRequired):
            plan_catalogue.edit(plan_id=made.pk, name="Mine", by=actor(UserFactory(staff_groups=["finance"]), stepped_up=False))

    def test_a_second_plan_of_the_same_name_is_refused(self) -> None:
        plan()
        with pytest.raises(InvalidInput) as refused:
            plan("solo")
        assert refused.value.field == "name"


class TestSetPrice:
    def test_retires_the_old_one_and_never_touches_it(self) -> None:
        made = plan()
        old = made.prices.get()

        new = plan_catalogue.set_price(plan_id=made.pk, kind="base", interval="month", amount=5900, currency="USD", by=finance())

        old = PlanPrice.objects.get(pk=old.pk)
        assert (old.amount, old.retired_at is None, new.amount, new.retired_at) == (4900, False, 5900, None)
        assert plan_catalogue.for_sale(code="solo", interval="month")[1] == new

    def test_of_the_same_amount_is_refused(self) -> None:
        made = plan()
        with pytest.raises(plan_catalogue.PriceUnchanged):
            plan_catalogue.set_price(plan_id=made.pk, kind="base", interval="month", amount=4900, currency="USD", by=finance())
        assert made.prices.count() == 1

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"kind": "setup"}, "kind"),
            ({"kind": "seat"}, "kind"),
            ({"interval": "week"}, "interval"),
            ({"currency": "XXX"}, "currency"),
            ({"amount": 0}, "amount"),
            ({"amount": -1}, "amount"),
            ({"amount": 10**9}, "amount"),
        ],
    )
    def test_refuses_what_no_price_can_be(self, change: dict[str, Any], field: str) -> None:
        made = plan()
        values = {"kind": "base", "interval": "month", "amount": 5900, "currency": "USD", **change}

        with pytest.raises(InvalidInput) as refused:
            plan_catalogue.set_price(plan_id=made.pk, by=finance(), **values)

        assert refused.value.field == field
        assert made.prices.count() == 1


class TestForSale:
    @pytest.mark.rule("M18")
    def test_refuses_what_is_sold_by_people_or_not_at_all(self) -> None:
        plan("By hand", is_contact_sales=True)
        plan("Gone", is_active=False)
        plan("Free", month=None)
        for code in ("by-hand", "gone", "free"):
            with pytest.raises(plan_catalogue.PlanNotForSale):
                plan_catalogue.for_sale(code=code, interval="month")
        with pytest.raises(NotFound):
            plan_catalogue.for_sale(code="invented", interval="month")


class TestDatabase:
    def test_keeps_a_price_from_being_changed_whoever_writes(self) -> None:
        price = plan().prices.get()
        for column, value in (("amount", "1"), ("currency", "'EUR'"), ("interval", "'year'"), ("kind", "'seat'")):
            with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"UPDATE billing_planprice SET {column} = {value} WHERE id = %s", [price.pk])

    def test_keeps_one_current_price_a_kind(self) -> None:
        made = plan()
        with pytest.raises(IntegrityError), transaction.atomic():
            PlanPrice.objects.create(plan=made, interval="month", amount=1)

    @pytest.mark.parametrize("resource", ["events", "courses", "certificates", "attendees"])
    def test_takes_an_empty_limit_only_with_its_flag(self, resource: str) -> None:
        made = plan()
        field = "attendees_per_event" if resource == "attendees" else f"{resource}_per_month"
        with pytest.raises(IntegrityError), transaction.atomic():
            Plan.objects.filter(pk=made.pk).update(**{field: None})
        with pytest.raises(IntegrityError), transaction.atomic():
            Plan.objects.filter(pk=made.pk).update(**{f"{resource}_unlimited": True})


@pytest.mark.django_db(transaction=True)
class TestPush:
    def test_gives_stripe_a_product_and_its_prices(self, sandbox: Sandbox, run_jobs: Callable[..., int]) -> None:
        made = plan(year=49_000)

        run_jobs()

        made = Plan.objects.get(pk=made.pk)
        assert (made.stripe_product_id, made.pushed_version) == (made.public_id, 1)
        assert made.prices.filter(stripe_price_id=None).count() == 0
        assert not Plan.objects.unpushed()

    def test_archives_what_was_replaced_and_updates_what_was_renamed(self, sandbox: Sandbox, run_jobs: Callable[..., int]) -> None:
        made = plan()
        run_jobs()
        old = made.prices.get()
        plan_catalogue.set_price(plan_id=made.pk, kind="base", interval="month", amount=5900, currency="USD", by=finance())
        plan_catalogue.edit(plan_id=made.pk, name="Solo plus", by=finance())

        run_jobs()

        with sandbox.world.lock:
            product = sandbox.world.store.get("product", made.public_id)
            prices = {price["unit_amount"]: price["active"] for price in sandbox.world.store.select("price")}
        assert (product["name"], prices) == ("Solo plus", {4900: False, 5900: True})
        old = PlanPrice.objects.get(pk=old.pk)
        assert old.archived_at is not None

    def test_makes_everything_once_however_often_it_runs(self, sandbox: Sandbox, run_jobs: Callable[..., int]) -> None:
        made = plan()
        run_jobs()
        calls = StripeCommand.objects.count()

        plan_push.push(plan_id=made.pk)

        assert StripeCommand.objects.count() == calls

    def test_a_lost_answer_makes_no_second_product_and_no_second_price(self, sandbox: Sandbox, run_jobs: Callable[..., int]) -> None:
        made = plan()
        for path in ("/v1/products", "/v1/prices"):
            sandbox.control.fault("reset_after", path=path, method="POST")
            with pytest.raises(GatewayUnknown):
                plan_push.push(plan_id=made.pk)
        StripeCommand.objects.all().delete()  # as after a day, when Stripe has forgotten the keys

        with sandbox.world.lock:
            sandbox.world.store.sql.execute("DELETE FROM answers")
        plan_push.push(plan_id=made.pk)

        with sandbox.world.lock:
            assert [len(sandbox.world.store.select(kind)) for kind in ("product", "price")] == [1, 1]
        made = Plan.objects.get(pk=made.pk)
        assert made.pushed_version == 1

    def test_what_a_lost_task_left_is_queued_by_the_clock(self, sandbox: Sandbox, run_jobs: Callable[..., int]) -> None:
        made = plan()
        Job.objects.all().delete()

        plan_push.push_missing()
        with sandbox.world.lock:
            assert sandbox.world.store.select("product") == []
        run_jobs()

        made = Plan.objects.get(pk=made.pk)
        assert made.pushed_version == 1
