"""Taking from what an account was given: limits, warnings, overrides and corrections."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.actor import Actor
from audit.models import AuditEntry
from core.errors import InvalidInput
from core.public_ids import uuid7
from entitlements import usage
from entitlements.models import Allowance, Grant, Resource, UsageDrift, UsageWarning
from organizations.models import Organization
from tests.factories.entitlements import allowance, limited
from tests.factories.organizations import OrganizationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.5")]
BY = Actor.system("tests")
EVENTS = Resource.EVENTS


@pytest.fixture
def organization() -> Organization:
    made: Organization = OrganizationFactory()
    limited(made, events=10)
    return made


def take(organization: Organization, quantity: int = 1) -> Allowance:
    return usage.reserve(organization_id=organization.pk, resource=EVENTS, quantity=quantity)


class TestReserve:
    def test_counts_up_to_the_limit_and_no_further(self, organization: Organization) -> None:
        for _ in range(10):
            take(organization)

        with pytest.raises(usage.LimitReached) as refused:
            take(organization)

        assert (refused.value.http_status, refused.value.details) == (402, {"resource": "events", "current": 10, "limit": 10})
        assert allowance(organization).used == 10

    def test_takes_several_or_none(self, organization: Organization) -> None:
        take(organization, 8)
        with pytest.raises(usage.LimitReached):
            take(organization, 3)
        assert allowance(organization).used == 8

    def test_of_what_has_no_limit_counts_all_the_same(self, organization: Organization) -> None:
        limited(organization, events=None)
        take(organization, 5000)
        assert allowance(organization).used == 5000

    @pytest.mark.rule("S6")
    def test_denies_whom_it_does_not_know(self) -> None:
        stranger = OrganizationFactory(grant=False)
        for organization_id in (stranger.pk, uuid7()):
            with pytest.raises(usage.LimitReached) as refused:
                usage.reserve(organization_id=organization_id, resource=EVENTS)
            assert refused.value.details == {"resource": "events", "current": 0, "limit": 0}

    @pytest.mark.rule("S6")
    def test_denies_what_the_grant_does_not_name(self, organization: Organization) -> None:
        Allowance.objects.filter(grant__organization_id=organization.pk, resource=EVENTS).delete()
        with pytest.raises(usage.LimitReached):
            take(organization)

    @pytest.mark.rule("M3")
    def test_makes_nothing_new_in_the_grace_period(self) -> None:
        late = OrganizationFactory(grant__access="grace")
        with pytest.raises(usage.PlanInactive):
            take(late)
        with pytest.raises(usage.PlanInactive):
            usage.require_included(organization_id=late.pk, resource=EVENTS)
        assert allowance(late).used == 0

    def test_is_undone_with_what_it_was_for(self, organization: Organization) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            take(organization)
            raise RuntimeError
        assert allowance(organization).used == 0

    @pytest.mark.django_db(transaction=True)
    def test_outside_a_transaction_is_a_defect(self, organization: Organization) -> None:
        with pytest.raises(transaction.TransactionManagementError):
            take(organization)


class TestSizes:
    def test_up_to_the_limit_are_allowed_and_nothing_is_counted(self, organization: Organization) -> None:
        limited(organization, attendees=500)
        usage.require_size(organization_id=organization.pk, resource=Resource.ATTENDEES, size=500)
        with pytest.raises(usage.LimitReached) as refused:
            usage.require_size(organization_id=organization.pk, resource=Resource.ATTENDEES, size=501)
        assert (refused.value.current, refused.value.limit, allowance(organization, "attendees").used) == (501, 500, 0)

    def test_without_a_limit_are_allowed(self, organization: Organization) -> None:
        usage.require_size(organization_id=organization.pk, resource=Resource.ATTENDEES, size=10**6)

    def test_a_plan_without_any_is_told_so(self, organization: Organization) -> None:
        limited(organization, events=0)
        with pytest.raises(usage.LimitReached) as refused:
            usage.require_included(organization_id=organization.pk, resource=EVENTS)
        assert "includes no events" in str(refused.value)


class TestWarnings:
    def test_are_written_at_80_90_and_100_percent_once(self, organization: Organization) -> None:
        for _ in range(10):
            take(organization)
        found = UsageWarning.objects.order_by("pk").values_list("percent", "used", "limit")
        assert list(found) == [(80, 8, 10), (90, 9, 10), (100, 10, 10)]

    def test_come_not_again_after_a_correction(self, organization: Organization) -> None:
        take(organization, 8)
        with transaction.atomic():
            usage.correct(grant=_locked(organization), resource=EVENTS, counted=7, by=BY)
        take(organization)
        assert UsageWarning.objects.count() == 1

    def test_a_jump_writes_the_largest_alone(self, organization: Organization) -> None:
        take(organization, 10)
        assert [warning.percent for warning in UsageWarning.objects.all()] == [100]

    def test_come_again_in_the_next_period(self, organization: Organization) -> None:
        take(organization, 8)
        later = timezone.now() + timedelta(days=40)
        for _ in range(8):
            usage.reserve(organization_id=organization.pk, resource=EVENTS, at=later)
        assert [warning.percent for warning in UsageWarning.objects.all()] == [80, 80]

    def test_never_of_what_has_no_limit(self, organization: Organization) -> None:
        limited(organization, events=None)
        take(organization, 5000)
        assert not UsageWarning.objects.exists()


def _locked(organization: Organization) -> Grant:
    return Grant.objects.select_for_update().get(organization_id=organization.pk)


class TestOverride:
    def test_counts_instead_of_the_plans_until_it_ends(self, organization: Organization) -> None:
        row, until = allowance(organization), timezone.now() + timedelta(days=2)
        usage.override(allowance_id=row.pk, limit=12, until=until, reason="A good customer", by=BY)
        take(organization, 12)

        with pytest.raises(usage.LimitReached):
            take(organization)
        with pytest.raises(usage.LimitReached) as refused:
            usage.reserve(organization_id=organization.pk, resource=EVENTS, at=until)
        assert refused.value.limit == 10

    def test_is_recorded_with_its_reason_and_taken_back(self, organization: Organization) -> None:
        row = allowance(organization)
        usage.override(allowance_id=row.pk, limit=12, until=None, reason=" A good customer ", by=BY)
        back = usage.override(allowance_id=row.pk, limit=None, until=None, reason="Over", by=BY)

        assert (back.override_limit, back.override_reason, back.effective_limit(timezone.now())) == (None, "", 10)
        first, second = AuditEntry.objects.about(row).order_by("id")
        assert (first.reason, first.after["limit"], first.organization_id) == ("A good customer", 12, organization.pk)
        assert (second.before["limit"], second.after["limit"]) == (12, None)

    @pytest.mark.parametrize(
        ("limit", "until", "reason", "field"),
        [(12, None, " ", "reason"), (-1, None, "x", "limit"), (2**31, None, "x", "limit"), (1, timezone.now(), "x", "until")],
    )
    def test_refuses_bad_values(self, organization: Organization, limit: int, until: datetime | None, reason: str, field: str) -> None:
        row = allowance(organization)
        with pytest.raises(InvalidInput) as refused:
            usage.override(allowance_id=row.pk, limit=limit, until=until, reason=reason, by=BY)
        assert refused.value.field == field
        assert allowance(organization).override_limit is None


@pytest.mark.gap("5.2")
class TestCorrect:
    def test_reports_what_was_off_and_mends_it(self, organization: Organization) -> None:
        take(organization, 5)
        with transaction.atomic():
            drift = usage.correct(grant=_locked(organization), resource=EVENTS, counted=3, by=BY)

        assert drift is not None
        assert (drift.counter, drift.counted, allowance(organization).used) == (5, 3, 3)
        assert AuditEntry.objects.filter(action="allowance.corrected", organization_id=organization.pk).count() == 1

    def test_says_nothing_where_all_is_right(self, organization: Organization) -> None:
        take(organization, 5)
        with transaction.atomic():
            assert usage.correct(grant=_locked(organization), resource=EVENTS, counted=5, by=BY) is None
        assert not UsageDrift.objects.exists()


class TestDatabase:
    def test_takes_an_empty_limit_only_where_it_is_marked(self, organization: Organization) -> None:
        rows = Allowance.objects.filter(grant__organization_id=organization.pk, resource="events")
        for change in ({"limit": None}, {"unlimited": True}, {"override_limit": 5}, {"resource": "planets"}):
            with pytest.raises(IntegrityError), transaction.atomic():
                rows.update(**change)

    def test_knows_one_grant_an_organization(self, organization: Organization) -> None:
        begins = timezone.now()
        values = {"plan": "x", "access": "active", "period_starts_at": begins, "period_ends_at": begins + timedelta(days=30)}
        with pytest.raises(IntegrityError), transaction.atomic():
            Grant.objects.create(organization_id=organization.pk, **values)
        with pytest.raises(IntegrityError), transaction.atomic():
            Grant.objects.create(organization_id=uuid7(), **{**values, "access": "vip"})
        with pytest.raises(IntegrityError), transaction.atomic():
            Grant.objects.create(organization_id=uuid7(), **{**values, "period_ends_at": begins})
