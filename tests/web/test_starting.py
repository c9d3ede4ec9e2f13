"""From the pricing page to an organization of one's own with its plan, as somebody new."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing import plan_catalogue, return_links
from billing.models import BillingAccount, PlanAccess, TrialUse
from notifications.models import Message
from organizations.models import Membership, Organization
from sandbox.stripe.server import Sandbox
from tests.admin_ext.conftest import sign_in
from tests.factories.billing import finance
from tests.factories.people import UserFactory
from tests.factories.plans import plan

pytestmark = pytest.mark.django_db
VALUES = {"plan": "crew", "way": "trial", "name": "North Clinic", "country": "de"}


@pytest.fixture
def plans(sandbox: Sandbox, run_jobs: Any) -> None:
    plan("Solo", year=49_000, features="Payouts")
    plan("Crew", month=19_900, seat=12_900, seats_included=1, events_per_month=None, events_unlimited=True, features="Payouts\nMembers")
    plan("Hospital", audience="team", month=None, is_contact_sales=True)
    run_jobs()


def text(answer: Any) -> str:
    found: str = answer.content.decode()
    return found


@pytest.mark.gap("8.3")
class TestPricing:
    def test_compares_plans_by_the_month_and_by_the_year_without_scripts(self, client: Client, plans: None) -> None:
        monthly, yearly = text(client.get("/pricing")), text(client.get("/pricing?interval=year"))

        assert "49.00 USD</strong> a month" in monthly
        assert "490.00 USD</strong> a year" in yearly
        assert "98.00 USD (16 %) less than by the month" in yearly
        assert "Not sold by the year" in yearly  # the plan for teams has no yearly price
        assert "No limit" in monthly
        assert text(client.get("/pricing?interval=decade")).count("a month") == monthly.count("a month")
        assert "<script" not in monthly

    def test_leads_to_a_mail_where_our_people_sell(self, client: Client, plans: None, settings: Any) -> None:
        settings.SALES_EMAIL = "sales@cpd.example"
        page = text(client.get("/pricing"))
        assert 'href="mailto:sales@cpd.example?subject=Hospital"' in page
        assert "?plan=hospital" not in page
        assert "/start/team?plan=crew&amp;way=trial" in page

    def test_says_so_where_nothing_is_offered(self, client: Client, db: None) -> None:
        assert "No plan is offered at the moment" in text(client.get("/pricing"))

    def test_is_linked_from_every_page(self, client: Client, db: None) -> None:
        assert 'href="/pricing"' in text(client.get("/"))


@pytest.mark.gap("3.1")
class TestBeginning:
    def test_asks_first_what_one_is_here_for(self, client: Client, db: None) -> None:
        page = text(client.get("/start"))
        assert all(words in page for words in ("Attend", "Organize alone", "Run a team", "/start/alone", "/start/team"))

    def test_sends_somebody_unknown_to_sign_up_and_back(self, client: Client, plans: None) -> None:
        away = client.get("/start/team?plan=crew")["Location"]
        assert away.startswith("/accounts/signup/")
        assert parse_qs(urlsplit(away).query)["next"] == ["/start/team?plan=crew"]
        assert client.post("/start/team", VALUES)["Location"].startswith("/accounts/signup/")
        assert not Organization.objects.exists()

    def test_offers_the_plans_of_the_kind_alone(self, plans: None) -> None:
        client = sign_in(UserFactory())
        team, alone = text(client.get("/start/team?plan=crew&way=month")), text(client.get("/start/alone"))
        assert 'value="crew" checked' in team
        assert 'value="solo"' not in team
        assert 'value="hospital"' not in team
        assert 'value="solo" checked' in alone

    def test_makes_the_organization_and_begins_its_trial(self, plans: None) -> None:
        user = UserFactory()
        client = sign_in(user)
        answer = client.post("/start/team", VALUES)

        assert answer["Location"] == "/console/"
        made = Organization.objects.get()
        assert (made.name, made.kind, made.country) == ("North Clinic", "team", "DE")
        assert Membership.objects.get(organization=made).user == user
        assert PlanAccess.objects.get(organization=made).state == "trial"
        home = text(client.get("/console/"))
        assert "First steps" in home
        assert "North Clinic is there, and its trial has begun." in home

    def test_goes_to_the_new_one_of_several(self, plans: None) -> None:
        user = UserFactory()
        Membership.objects.create(organization=Organization.objects.create(name="A clinic", slug="a"), user=user, role="admin")
        client = sign_in(user)
        client.post("/start/team", VALUES)
        assert client.session["console_organization"] == str(Organization.objects.get(name="North Clinic").pk)

    def test_leads_to_stripes_page_where_one_pays_now(self, sandbox: Sandbox, plans: None) -> None:
        client = sign_in(UserFactory())
        away = client.post("/start/team", {**VALUES, "way": "month"})["Location"]
        assert away.startswith(sandbox.url)
        made = Organization.objects.get()
        assert BillingAccount.objects.get(organization=made).stripe_customer_id
        assert not PlanAccess.objects.filter(organization=made).exclude(state="free").exists()
        assert not TrialUse.objects.exists()

    def test_keeps_the_organization_where_stripe_does_not_answer(self, sandbox: Sandbox, plans: None) -> None:
        sandbox.control.fault("reset_before", path="/v1/checkout/sessions", times=9)
        client = sign_in(UserFactory())
        answer = client.post("/start/team", {**VALUES, "way": "month"})
        assert answer["Location"] == "/console/billing/planaccess/plans/"
        assert "Stripe did not answer in time" in text(client.get(answer["Location"]))
        assert Organization.objects.exists()

    @pytest.mark.rule("M18")
    @pytest.mark.parametrize(
        ("path", "values"),
        [
            ("team", {"plan": "invented"}),
            ("team", {"plan": "solo"}),
            ("alone", {"plan": "crew"}),
            ("team", {"plan": "hospital"}),
            ("team", {"way": "year"}),
            ("team", {"way": "decade"}),
            ("team", {"way": ""}),
            ("team", {"name": ""}),
            ("team", {"name": "a\x00b"}),
            ("team", {"country": "11"}),
            ("team", {"country": "Germany"}),
        ],
    )
    def test_makes_nothing_of_what_does_not_fit_together(self, plans: None, path: str, values: dict[str, str]) -> None:
        answer = sign_in(UserFactory()).post(f"/start/{path}", {**VALUES, **values})
        assert answer.status_code in (200, 409, 422)
        assert 'class="errorlist' in text(answer) or 'role="alert"' in text(answer)
        assert not Organization.objects.exists()
        assert not BillingAccount.objects.exists()

    def test_gives_each_person_one_trial_of_a_plan_and_makes_nothing_of_a_second(self, plans: None) -> None:
        client = sign_in(UserFactory())
        client.post("/start/team", VALUES)
        second = client.post("/start/team", {**VALUES, "name": "Second"})
        assert second.status_code == 409
        assert "You had the trial of Crew already; subscribe to it instead." in text(second)
        assert Organization.objects.count() == 1

    def test_needs_a_proven_address(self, plans: None) -> None:
        answer = sign_in(UserFactory(verified=False)).post("/start/team", VALUES)
        assert "Verify your email address first" in text(answer)
        assert not Organization.objects.exists()


@pytest.mark.gap("3.1")
class TestSigningUp:
    def test_goes_on_where_one_wanted_to_after_the_code(self, client: Client, plans: None) -> None:
        page = "/start/team?plan=crew"
        given = {"email": "new@example.org", "password1": "correct horse battery staple", "next": page}
        client.post("/accounts/signup/", given)
        code = re.search(r"Your code is (\S+)", Message.objects.get(to="new@example.org").text)
        assert code is not None
        answer = client.post("/accounts/confirm-email/", {"code": code[1]})
        assert answer["Location"] == page
        assert client.session["_auth_user_id"] == str(User.objects.get(email="new@example.org").pk)


class TestTheConsole:
    def test_leads_somebody_without_an_organization_to_where_one_begins(self, db: None) -> None:
        answer = sign_in(UserFactory()).get("/console/", follow=True)
        assert answer.redirect_chain[-1][0] == "/start"
        assert "You work for no organization yet" in text(answer)

    def test_and_somebody_whose_membership_has_ended(self, db: None) -> None:
        user = UserFactory()
        gone = Organization.objects.create(name="Gone", slug="gone")
        Membership.objects.create(organization=gone, user=user, role="admin", ended_at=timezone.now())
        answer = sign_in(user).get("/console/events/event/", follow=True)
        assert answer.redirect_chain[-1][0] == "/start"
        assert "Gone" not in text(answer)


class TestComingBackFromStripe:
    PAGE = "/console/billing/planaccess/plans/"

    @pytest.fixture
    def begun(self, plans: None) -> tuple[Client, Organization]:
        client = sign_in(UserFactory())
        client.post("/start/team", VALUES)
        return client, Organization.objects.get()

    def link(self, of: Organization, what: str) -> str:
        return return_links.address(self.PAGE, organization_id=of.pk, what=what)

    def test_says_what_stripe_has_said_by_then(self, begun: tuple[Client, Organization]) -> None:
        client, made = begun
        assert "Stripe has confirmed no subscription yet" in text(client.get(self.link(made, "checkout")))
        assert "You are back from Stripe" in text(client.get(self.link(made, "portal")))
        assert "Stripe" not in text(client.get(self.PAGE)).split('id="main-content"')[1].split("What each plan")[0]

    @pytest.mark.parametrize("what", ["checkout", "portal"])
    def test_late_or_altered_says_so(self, begun: tuple[Client, Organization], what: str) -> None:
        client, made = begun
        link = self.link(made, what)
        assert "has run out, or was altered" in text(client.get(link + "x"))
        with time_machine.travel(timezone.now() + timedelta(hours=25)):
            late = sign_in(made.memberships.get().user)
            assert "has run out, or was altered" in text(late.get(link))

    @pytest.mark.parametrize("what", ["checkout", "portal"])
    def test_for_another_organization_says_so_and_names_nobody(self, begun: tuple[Client, Organization], what: str) -> None:
        client, _ = begun
        other = Organization.objects.create(name="Rival Academy", slug="rival")
        page = text(client.get(self.link(other, what)))
        assert "another organization" in page
        assert "Rival" not in page


def test_a_plan_that_is_not_offered_any_more_cannot_be_chosen(plans: None) -> None:
    crew = next(row for row in plan_catalogue.Plan.objects.filter(code="crew"))
    plan_catalogue.edit(plan_id=crew.pk, is_active=False, by=finance())
    client = sign_in(UserFactory())
    assert "No plan can be chosen here" in text(client.get("/start/team"))
    client.post("/start/team", VALUES)
    assert not Organization.objects.exists()
