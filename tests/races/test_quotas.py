"""Many at once against one quota: exactly as many get something as there is, and the counter says how many that were."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from entitlements import usage
from entitlements.models import UsageWarning
from events import authoring
from events.models import Event
from tests.factories.entitlements import allowance, limited
from tests.factories.people import personas
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("1.5")]


class TestCreatingEventsAtOnce:
    def test_makes_as_many_as_the_plan_allows(self, race: Callable[[int, Callable[[int], Any]], list[Any]]) -> None:
        people, starts = personas(), timezone.now() + timedelta(days=20)
        limited(people.organization, events=3)

        def create(number: int) -> Event:
            by = people.as_alice if number % 2 else people.as_bob
            ends = starts + timedelta(hours=1)
            return authoring.create(
                organization_id=people.organization.pk, by=by, title=f"Event {number}", starts_at=starts, ends_at=ends, capacity=5
            )

        results = race(max(6, SIZES.refunds), create)

        assert len([each for each in results if isinstance(each, Event)]) == 3
        refused = [each for each in results if not isinstance(each, Event)]
        assert {type(each) for each in refused} == {usage.LimitReached}
        assert (Event.objects.count(), allowance(people.organization).used) == (3, 3)
        assert UsageWarning.objects.filter(percent=100).count() == 1
