"""What closing, going down to the free plan and a beginning say of plans and money at their edges."""

import pytest
from django.core.management import call_command
from django.utils import timezone

from billing import downgrades, plan_changes, starting
from billing.belongings import BillingBelongings
from billing.models import Plan, PlanChange, Subscription
from core.errors import InvalidInput
from ledger import posting
from ledger.chart import PLATFORM_FEES, organizer_payable
from ledger.posting import Entry
from organizations.models import Organization
from tests.factories.payouts import requested_payout
from tests.factories.people import Personas, personas
from tests.factories.plans import subscription

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> Personas:
    return personas()


def codes(people: Personas) -> set[str]:
    return {one.code for one in BillingBelongings().blockers(organization_id=people.organization.pk, at=timezone.now())}


class TestBlockers:
    def test_name_a_change_of_the_plan_that_is_on_its_way(self, people: Personas) -> None:
        made = subscription(people.organization)
        asked = PlanChange.objects.create(
            subscription=made, kind=PlanChange.Kind.UPGRADE, state=PlanChange.State.REQUESTED, price=made.price, due_at=timezone.now()
        )
        assert "plan_change_open" in codes(people)
        PlanChange.objects.filter(pk=asked.pk).update(kind=PlanChange.Kind.CANCEL, price=None)
        assert "plan_change_open" not in codes(people)

    @pytest.mark.parametrize(("taken", "expected"), [(500, {"balance_negative"}), (-1, set()), (-500_000, {"earnings_left"})])
    def test_name_what_is_owed_and_what_is_worth_paying_out(self, people: Personas, taken: int, expected: set[str]) -> None:
        posting.post(
            reference="test:taken",
            description="More was taken back than was there, or less",
            currency="USD",
            entries=[Entry(organizer_payable(people.organization.pk), taken), Entry(PLATFORM_FEES, -taken)],
            occurred_at=timezone.now(),
            organization_id=people.organization.pk,
        )
        assert codes(people) == expected

    def test_name_a_payout_that_is_under_way(self) -> None:
        organization_id = requested_payout().organization_id
        found = BillingBelongings().blockers(organization_id=organization_id, at=timezone.now())
        assert "payouts_open" in {one.code for one in found}


class TestFreePlan:
    def test_is_not_asked_for_twice(self, people: Personas) -> None:
        made = subscription(people.organization)
        Subscription.objects.filter(pk=made.pk).update(cancel_at_period_end=True)
        with pytest.raises(plan_changes.NotChangeable, match="It ends with this period already"):
            downgrades.preview(organization_id=people.organization.pk, plan=None, interval="month", by=people.as_alice)


class TestBegin:
    def test_refuses_a_way_that_there_is_not(self, people: Personas) -> None:
        before = Organization.objects.count()
        with pytest.raises(InvalidInput) as refused:
            starting.begin(name="New", kind="team", country="DE", plan="team", way="decade", by=people.as_alice)
        assert refused.value.field == "way"
        assert Organization.objects.count() == before


class TestSeed:
    def test_writes_the_plans_that_are_missing_and_no_more(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("seed_plans")
        first = Plan.objects.count()
        call_command("seed_plans")
        assert Plan.objects.count() == first > 0
        assert capsys.readouterr().out.splitlines()[-1] == "plans added: 0"
