"""Who gets into which console, and how."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.admin_ext import making
from tests.admin_ext.conftest import People, sign_in

pytestmark = pytest.mark.django_db


class TestSignIn:
    @pytest.mark.parametrize("console", ["/staff/", "/console/"])
    def test_goes_through_the_one_sign_in_page_and_back(self, console: str) -> None:
        answer = Client().get(console, follow=True)

        assert answer.redirect_chain[-1][0].startswith(reverse("account_login"))
        assert f"next={console.replace('/', '%2F')}" in answer.redirect_chain[-1][0]

    def test_lets_staff_in_with_a_second_factor(self, people: People) -> None:
        assert sign_in(people.finance).get("/staff/").status_code == 200

    def test_sends_staff_without_the_factor_in_this_sign_in_to_enter_it(self, people: People) -> None:
        answer = sign_in(people.finance, factor=False).get("/staff/", follow=True)

        assert reverse("mfa_reauthenticate") in answer.redirect_chain[-1][0]

    def test_sends_staff_without_any_factor_to_set_one_up(self, people: People) -> None:
        finance = sign_in(people.finance, factor=False, enrolled=False)
        answer = finance.get(finance.get("/staff/").headers["Location"])

        assert reverse("mfa_activate_totp") in answer.headers["Location"]

    def test_asks_organizers_who_may_refund_for_a_second_factor(self, people: People) -> None:
        answer = sign_in(people.bob, factor=False).get("/console/", follow=True)

        assert reverse("mfa_reauthenticate") in answer.redirect_chain[-1][0]

    def test_asks_an_instructor_for_none(self, people: People) -> None:
        teacher = making.user("tara")
        making.member(people.north, teacher, "instructor")

        assert sign_in(teacher, factor=False, enrolled=False).get("/console/").status_code == 200

    def test_refuses_an_organizer_on_the_staff_site_without_going_round_in_circles(self, people: People) -> None:
        answer = sign_in(people.alice).get("/staff/", follow=True)

        assert answer.status_code == 403

    def test_refuses_staff_on_the_organizer_console_unless_they_work_for_an_organization(self, people: People) -> None:
        assert sign_in(people.finance).get("/console/", follow=True).status_code == 403

    def test_never_follows_next_to_another_host(self, people: People) -> None:
        answer = sign_in(people.finance).get("/staff/login/?next=https://evil.example/")

        assert answer.headers["Location"] == "/staff/"

    def test_of_the_demo_asks_for_no_factor_and_says_so(self, people: People, settings) -> None:
        settings.SECOND_FACTOR_REQUIRED = False
        answer = sign_in(people.finance, factor=False, enrolled=False).get("/staff/")

        assert b"second factor is switched off" in answer.content

    def test_says_nothing_of_it_elsewhere(self, people: People) -> None:
        assert b"second factor is switched off" not in sign_in(people.finance).get("/staff/").content


class TestOrganizationSwitcher:
    def test_shows_one_organization_at_a_time(self, people: People) -> None:
        south = making.organization("South Clinic")
        making.member(south, people.alice)
        making.event(people.north, people.alice, "Northern event")
        making.event(south, people.alice, "Southern event")
        alice = sign_in(people.alice)

        assert "Southern event" not in alice.get("/console/events/event/").content.decode()
        alice.post("/console/switch/", {"organization": south.public_id})
        shown = alice.get("/console/events/event/").content.decode()
        assert "Southern event" in shown
        assert "Northern event" not in shown

    def test_refuses_an_organization_that_is_not_ones_own(self, people: People) -> None:
        alice = sign_in(people.alice)
        alice.post("/console/switch/", {"organization": people.rival.public_id})

        assert "Rival Academy" not in alice.get("/console/organizations/organization/").content.decode()

    @pytest.mark.parametrize("nonsense", ["", "org_x", "1", "org_" + "z" * 26])
    def test_ignores_nonsense(self, people: People, nonsense: str) -> None:
        assert sign_in(people.alice).post("/console/switch/", {"organization": nonsense}).status_code == 302

    def test_does_not_switch_on_get(self, people: People) -> None:
        assert sign_in(people.alice).get("/console/switch/").status_code == 405

    def test_staff_groups_count_for_nothing_on_the_organizer_console(self, people: People) -> None:
        both = making.user("both", groups=("superuser",))
        making.member(people.north, both)
        making.event(people.rival, people.charlie, "Rival event")

        assert "Rival event" not in sign_in(both).get("/console/events/event/").content.decode()
        assert "Rival event" in sign_in(both).get("/staff/events/event/").content.decode()


class TestAnEndedMembership:
    def test_gives_nothing_at_once(self, people: People) -> None:
        bob = sign_in(people.bob)
        assert bob.get("/console/").status_code == 200
        people.north.memberships.filter(user=people.bob).update(ended_at="2020-01-01T00:00:00Z")

        answer = bob.get("/console/", follow=True)
        assert answer.redirect_chain[-1][0] == "/start"
        assert "North Clinic" not in answer.content.decode()

    def test_so_does_a_deactivated_account(self, people: People) -> None:
        bob = sign_in(people.bob)
        User.objects.filter(pk=people.bob.pk).update(is_active=False)

        assert bob.get("/console/").status_code == 302
