"""What is given, and the periods that usage is counted in: a counter starts over when its period changes, and at no other time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.actor import Actor
from audit.models import AuditEntry
from entitlements import granting, periods, usage
from entitlements.models import Grant, Resource
from organizations.models import Organization
from tests.factories.entitlements import allowance
from tests.factories.organizations import OrganizationFactory

BY = Actor.system("tests")
JANUARY = datetime(2026, 1, 31, 12, tzinfo=UTC)
YEAR = datetime(2027, 1, 31, 12, tzinfo=UTC)


def give(organization: Organization, starts_at: datetime = JANUARY, *, runs_until: datetime | None = None, **values: Any) -> Grant:
    month = granting.Period(starts_at, periods.month_after(starts_at), runs_until)
    wanted: dict[str, Any] = {"plan": "solo", "access": "active", "limits": {"events": 10}, **values}
    return granting.give(organization_id=organization.pk, period=month, by=BY, **wanted)


def use(organization: Organization, quantity: int = 4, at: datetime = JANUARY) -> None:
    usage.reserve(organization_id=organization.pk, resource=Resource.EVENTS, quantity=quantity, at=at)


@pytest.fixture
def organization() -> Organization:
    made: Organization = OrganizationFactory(grant=False)
    return made


class TestMonthAfter:
    @given(st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
    def test_is_between_28_and_31_days_later_in_the_next_month(self, moment: datetime) -> None:
        after = periods.month_after(moment)
        assert timedelta(days=28) <= after - moment <= timedelta(days=31)
        assert (after.month - moment.month) % 12 == 1

    def test_comes_back_to_the_day_that_it_began_on(self) -> None:
        february = periods.month_after(JANUARY, anchor_day=31)
        assert (february.day, periods.month_after(february, anchor_day=31).day) == (28, 31)


@pytest.mark.django_db
class TestGive:
    def test_says_what_may_be_used_and_leaves_out_nothing(self, organization: Organization) -> None:
        give(organization, limits={"events": 10, "courses": None})

        found = {row.resource: row.limit for row in Grant.objects.get().allowances.all()}
        assert found == {"events": 10, "courses": None, "certificates": 0, "attendees": 0}

    def test_again_changes_and_records_nothing(self, organization: Organization) -> None:
        give(organization)
        use(organization)

        give(organization)

        assert allowance(organization).used == 4
        assert AuditEntry.objects.filter(action="grant.given").count() == 1

    @pytest.mark.rule("M12")
    def test_another_plan_in_the_same_period_keeps_what_was_used(self, organization: Organization) -> None:
        give(organization)
        use(organization)
        for plan, limit in (("team", 100), ("solo", 10), ("team", 100)):
            give(organization, plan=plan, limits={"events": limit})
        assert (allowance(organization).used, allowance(organization).limit) == (4, 100)

    @pytest.mark.rule("M12")
    def test_a_later_period_starts_over_and_an_earlier_one_is_old_news(self, organization: Organization) -> None:
        give(organization)
        use(organization)
        march = JANUARY + timedelta(days=31)
        give(organization, march)
        assert allowance(organization).used == 0
        use(organization, 2, at=march)

        give(organization, JANUARY)

        assert (allowance(organization).used, Grant.objects.get().period_starts_at) == (2, march)


@pytest.mark.django_db
class TestRoll:
    def test_starts_each_month_of_a_paid_year_over(self, organization: Organization) -> None:
        give(organization, runs_until=YEAR)
        use(organization)

        use(organization, 1, at=JANUARY + timedelta(days=65))

        row = Grant.objects.get()
        assert (row.period_starts_at, row.period_ends_at) == (datetime(2026, 3, 31, 12, tzinfo=UTC), datetime(2026, 4, 30, 12, tzinfo=UTC))
        assert allowance(organization).used == 1

    def test_ends_with_the_year_and_waits_for_billing(self, organization: Organization) -> None:
        give(organization, runs_until=YEAR)
        use(organization, at=YEAR - timedelta(days=1))

        use(organization, 6, at=YEAR + timedelta(days=1))

        assert (Grant.objects.get().period_ends_at, allowance(organization).used) == (YEAR, 10)

    @pytest.mark.rule("M12")
    def test_never_moves_a_month_that_billing_has_to_renew(self, organization: Organization) -> None:
        give(organization, runs_until=periods.month_after(JANUARY))
        use(organization, 10)
        with pytest.raises(usage.LimitReached):
            use(organization, 1, at=JANUARY + timedelta(days=90))

    def test_by_the_clock_moves_those_that_are_due_alone(self, organization: Organization) -> None:
        give(organization)
        waiting: Organization = OrganizationFactory(grant=False)
        give(waiting, runs_until=periods.month_after(JANUARY))
        for each in (organization, waiting):
            use(each)

        periods.roll_due()
        periods.roll_due()

        assert (allowance(organization).used, allowance(waiting).used) == (0, 4)
        assert Grant.objects.get(organization_id=organization.pk).period_ends_at > datetime.now(UTC)
