"""The pages about what is used of a plan: an organization's own, and for staff who is near a limit."""

import re
from typing import Any

import pytest

from billing.models import SeatAccount
from entitlements.models import Allowance
from tests.admin_ext import making
from tests.admin_ext.conftest import People, sign_in
from tests.factories.entitlements import limited
from tests.factories.plans import subscription

pytestmark = [pytest.mark.django_db, pytest.mark.gap("7.1")]
OWN, STAFF = "/console/entitlements/allowance/usage/", "/staff/entitlements/allowance/usage/"


def use(people: People, resource: str, *, used: int, limit: int) -> None:
    """So much of the resource is used by North Clinic."""
    limited(people.north, **{resource: limit})
    Allowance.objects.filter(grant__organization_id=people.north.pk, resource=resource).update(used=used)


def main(answer: Any) -> str:
    """What the page shows in its own part, without line breaks."""
    assert answer.status_code == 200, answer.status_code
    return " ".join(answer.content.decode().split('id="main-content"')[1].split())


def card(page: str, name: str) -> str:
    """The card of one resource."""
    return next(each for each in re.findall(r"<li class=\"console-card.*?</li>", page) if f">{name}</span>" in each)


class TestOwn:
    def test_is_headed_by_its_name_and_says_how_much_in_words(self, people: People) -> None:
        use(people, "events", used=27, limit=30)
        use(people, "courses", used=0, limit=0)
        answer = sign_in(people.alice).get(OWN)
        heading = re.search(r"<h1[^>]*>(.*?)</h1>", answer.content.decode(), re.DOTALL)
        assert heading is not None
        assert heading[1].strip() == "Usage"
        events = card(main(answer), "Events")
        assert "27 of 30" in events
        assert "Nearly all of it is used (90 %)" in events
        assert "Choose a larger plan" in events
        assert "Not part of this plan" in card(main(answer), "Courses")

    @pytest.mark.gap("3.2")
    def test_leads_to_seats_where_seats_are_full_and_to_no_larger_plan(self, people: People) -> None:
        SeatAccount.objects.filter(organization=people.north).update(given=0, number=1)
        subscription(people.north, seat_quantity=1)
        seats = card(main(sign_in(people.alice).get(OWN)), "Seats")
        assert "2 of 2" in seats
        assert "Buy seats" in seats
        assert people.north.public_id in seats
        assert "larger plan" not in seats

    @pytest.mark.gap("3.2")
    def test_leads_to_the_plans_where_a_trial_has_no_seat_left(self, people: People, settings: Any) -> None:
        settings.TRIAL_SEATS = 2
        SeatAccount.objects.filter(organization=people.north).update(given=0)
        making.trial(people.north)
        seats = card(main(sign_in(people.alice).get(OWN)), "Seats")
        assert "All of it is used" in seats
        assert "Compare plans" in seats
        assert "Buy seats" not in seats

    def test_offers_no_way_to_pay_to_who_may_not(self, people: People) -> None:
        use(people, "events", used=30, limit=30)
        page = main(sign_in(people.bob).get(OWN))
        assert "All of it is used (100 %)" in card(page, "Events")
        assert "larger plan" not in page
        assert "Buy seats" not in page

    def test_never_shows_another_organization(self, people: People) -> None:
        assert sign_in(people.charlie).get(f"{OWN}?organization={people.north.public_id}").status_code == 404


class TestStaff:
    def test_lists_who_is_near_a_limit_the_fullest_first(self, people: People) -> None:
        use(people, "events", used=24, limit=30)
        use(people, "certificates", used=500, limit=500)
        use(people, "courses", used=23, limit=30)
        page = main(sign_in(people.support).get(STAFF))
        assert page.count("North Clinic") == 2
        assert page.index("500 of 500") < page.index("24 of 30")
        assert "Rival Academy" not in page
        assert f"organization={people.north.public_id}" in page

    def test_shows_one_organization_and_says_when_nobody_is_near(self, people: People) -> None:
        use(people, "events", used=0, limit=10)
        client = sign_in(people.finance)
        assert "Nobody is near a limit." in main(client.get(STAFF))
        page = main(client.get(f"{STAFF}?organization={people.north.public_id}"))
        assert "North Clinic" in page
        assert "0 of 10" in card(page, "Events")
        assert client.get(f"{STAFF}?organization=org_invented").status_code == 404
