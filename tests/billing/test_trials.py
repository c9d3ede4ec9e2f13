"""Trials and what follows them: begun once, ended by the clock, told in time, and what may be done meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError
from django.utils import timezone

from audit.actor import Actor
from audit.models import AuditEntry
from billing import access, access_emails, plan_catalogue, trials
from billing.models import AccessChange, Plan, PlanAccess, TrialUse
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from entitlements import usage
from entitlements.models import Allowance, Grant, Resource
from events.models import Event
from notifications.models import Message
from tests.factories.billing import finance
from tests.factories.entitlements import allowance
from tests.factories.events import EventFactory
from tests.factories.people import Personas, UserFactory, actor, personas
from tests.factories.plans import plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> Personas:
    made = personas()
    Allowance.objects.all().delete()
    Grant.objects.all().delete()
    return made


@pytest.fixture
def team() -> Plan:
    return plan("Team", audience="team", events_per_month=3)


def start(people: Personas, by: Actor | None = None, code: str = "team") -> PlanAccess:
    return trials.start(organization_id=people.organization.pk, plan=code, by=by or people.as_alice)


def later(days: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(days=days, minutes=1))


class TestStart:
    def test_gives_at_once_what_the_plan_allows(self, people: Personas, team: Plan) -> None:
        row = start(people)

        assert (row.state, row.plan) == ("trial", team)
        assert row.trial_ends_at is not None
        assert row.trial_ends_at - timezone.now() > timedelta(days=29, hours=23)
        assert (allowance(people.organization).limit, allowance(people.organization, "courses").limit) == (3, 0)
        change = AccessChange.objects.get()
        assert (change.old_state, change.new_state, change.new_plan, change.source) == ("free", "trial", "team", people.as_alice.label)
        assert AuditEntry.objects.about(row)[0].action == "access.trial"

    def test_is_there_once_for_each_person_and_plan(self, people: Personas, team: Plan) -> None:
        start(people)
        elsewhere = {"organization_id": people.elsewhere.pk, "plan": "team"}
        people.elsewhere.memberships.create(user=people.alice, role="admin")

        with pytest.raises(trials.TrialUsed):
            trials.start(by=actor(people.alice, organization=people.elsewhere), **elsewhere)

        assert trials.start(by=people.as_charlie, **elsewhere).state == "trial"
        plan("Other", audience="team")
        with pytest.raises(trials.PlanChosen) as refused:
            start(people, code="other")
        assert refused.value.details == {"state": "trial"}
        assert TrialUse.objects.count() == 2

    @pytest.mark.rule("M18")
    def test_takes_only_what_is_offered_to_this_kind(self, people: Personas, team: Plan) -> None:
        plan("Solo")
        plan("Gone", audience="team", is_active=False)
        for code in ("solo", "gone", "invented", ""):
            with pytest.raises(InvalidInput) as refused:
                start(people, code=code)
            assert refused.value.field == "plan"
        plan("By hand", audience="team", is_contact_sales=True)
        plan("Untried", audience="team", trial_days=0)
        for code in ("by-hand", "untried"):
            with pytest.raises(plan_catalogue.PlanNotForSale):
                start(people, code=code)
        assert not TrialUse.objects.exists()
        assert not Grant.objects.exists()

    def test_is_the_admins(self, people: Personas, team: Plan) -> None:
        with pytest.raises(PermissionRefused):
            start(people, people.as_bob)
        with pytest.raises(NotFound):
            start(people, people.as_charlie)
        with pytest.raises(InvalidInput):
            start(people, Actor.system("tests"))
        assert not PlanAccess.objects.exists()


class TestClock:
    def test_leads_from_trial_over_grace_to_the_free_plan(self, people: Personas, team: Plan) -> None:
        row = start(people)
        event = EventFactory(organization=people.organization, host=people.alice)
        with later(30):
            access.end_due()
            row = PlanAccess.objects.get(pk=row.pk)
            assert (row.state, row.grace_ends_at - row.trial_ends_at) == ("grace", timedelta(days=14))  # type: ignore[operator]
            with pytest.raises(usage.PlanInactive), transaction.atomic():
                usage.reserve(organization_id=people.organization.pk, resource=Resource.EVENTS)
        with later(44):
            access.end_due()
            row = PlanAccess.objects.get(pk=row.pk)
            assert (row.state, row.plan) == ("free", None)
            with pytest.raises(usage.LimitReached), transaction.atomic():
                usage.reserve(organization_id=people.organization.pk, resource=Resource.EVENTS)
        assert Event.objects.get(pk=event.pk).state == "published"
        changes = AccessChange.objects.order_by("pk").values_list("old_state", "new_state")
        assert list(changes) == [("free", "trial"), ("trial", "grace"), ("grace", "free")]

    def test_run_again_or_too_early_changes_nothing(self, people: Personas, team: Plan) -> None:
        row = start(people)
        access.end_due()
        with later(31):
            access.end_due()
            access.end_due()
            now = timezone.now()
            access.end_trial(access_id=row.pk, at=now, by=access.BY)
            access.end(access_id=row.pk, at=now, by=access.BY)
        assert AccessChange.objects.count() == 2

    def test_that_missed_all_runs_does_both_steps_at_once(self, people: Personas, team: Plan) -> None:
        row = start(people)
        with later(60):
            access.end_due()
        row = PlanAccess.objects.get(pk=row.pk)
        assert row.state == "free"

    def test_after_it_the_trial_is_used(self, people: Personas, team: Plan) -> None:
        start(people)
        with later(60):
            access.end_due()
            with pytest.raises(trials.TrialUsed):
                start(people)


class TestNotices:
    def test_come_at_seven_three_one_and_no_days_once(self, people: Personas, team: Plan) -> None:
        start(people)
        sent: list[int] = []
        for day in (1, 21, 22, 24, 26, 27, 28, 29, 29.5):
            with later(day):
                access_emails.send_notices()
            sent.append(Message.objects.filter(kind="trial_ending").count())
        assert sent == [0, 0, 1, 1, 2, 2, 3, 4, 4]
        message = Message.objects.filter(kind="trial_ending").latest("pk")
        assert (message.to, message.subject) == (people.alice.email, "Your trial of Team ends today")
        assert "from 49.00" in message.text.replace("USD ", "")

    def test_a_missed_day_is_made_up_for(self, people: Personas, team: Plan) -> None:
        start(people)
        with later(25):
            access_emails.send_notices()
        assert Message.objects.filter(kind="trial_ending").count() == 1

    def test_tell_of_the_grace_period_and_its_end(self, people: Personas, team: Plan, run_jobs: Any) -> None:
        team.prices.all().delete()
        start(people)
        with later(31):
            access.end_due()
            access_emails.send_notices()
            access_emails.send_notices()
        with later(60):
            access.end_due()
            run_jobs()
        kinds = list(Message.objects.order_by("pk").values_list("kind", flat=True))
        assert kinds == ["grace_began", "plan_ended"]


class TestExtend:
    def test_moves_the_end_and_keeps_what_was_used(self, people: Personas, team: Plan) -> None:
        row = start(people)
        usage.reserve(organization_id=people.organization.pk, resource=Resource.EVENTS)
        before = row.trial_ends_at
        changed = trials.extend(access_id=row.pk, days=7, reason=" Was ill ", by=finance())

        assert before is not None
        assert changed.trial_ends_at == before + timedelta(days=7)
        assert (allowance(people.organization).used, Grant.objects.get().period_ends_at) == (1, changed.trial_ends_at)
        assert AuditEntry.objects.filter(action="access.trial_extended").get().reason == "Was ill"

    @pytest.mark.parametrize(("days", "reason", "field"), [(0, "x", "days"), (91, "x", "days"), (7, " ", "reason")])
    def test_refuses_bad_values(self, people: Personas, team: Plan, days: int, reason: str, field: str) -> None:
        row = start(people)
        with pytest.raises(InvalidInput) as refused:
            trials.extend(access_id=row.pk, days=days, reason=reason, by=finance())
        assert refused.value.field == field

    def test_is_for_staff_and_for_trials(self, people: Personas, team: Plan) -> None:
        row = start(people)
        with pytest.raises(PermissionRefused):
            trials.extend(access_id=row.pk, days=7, reason="x", by=people.as_alice)
        with pytest.raises(NotFound):
            trials.extend(access_id=row.pk, days=7, reason="x", by=people.as_charlie)
        with pytest.raises(StepUpRequired):
            trials.extend(access_id=row.pk, days=7, reason="x", by=actor(UserFactory(staff_groups=["finance"]), stepped_up=False))
        with later(31):
            access.end_due()
        with pytest.raises(trials.NoTrialRunning):
            trials.extend(access_id=row.pk, days=7, reason="x", by=finance())


class TestDatabase:
    @pytest.mark.parametrize(("old", "new"), [("free", "grace"), ("trial", "free"), ("grace", "trial"), ("trial", "expired")])
    def test_refuses_moves_that_no_operation_makes(self, people: Personas, team: Plan, old: str, new: str) -> None:
        row = start(people)
        if old == "grace":
            with later(31):
                access.end_due()
        if old == "free":
            with later(60):
                access.end_due()
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE billing_planaccess SET state = %s WHERE id = %s", [new, row.pk])

    def test_keeps_the_history_as_it_was_written(self, people: Personas, team: Plan) -> None:
        start(people)
        for statement in ("UPDATE billing_accesschange SET new_state = 'free'", "DELETE FROM billing_accesschange"):
            with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)

    def test_keeps_one_trial_a_person_and_plan(self, people: Personas, team: Plan) -> None:
        start(people)
        with pytest.raises(IntegrityError), transaction.atomic():
            TrialUse.objects.create(user=people.alice, plan=team, organization=people.elsewhere)
