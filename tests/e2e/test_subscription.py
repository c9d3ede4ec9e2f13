"""An organizer's beginning, in a browser: prices, sign-up, a trial, colleagues, a subscription, a smaller plan."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Page, expect

from billing import plan_seeding
from billing.models import PlanAccess, PlanChange, PlanPrice, Subscription
from events.models import Event
from notifications.models import Message
from organizations.models import Invitation, Membership, Organization
from tests.accounts.test_pages import code_for
from tests.e2e.conftest import PASSWORD, Product, accessibility_findings
from tests.e2e.money_work import follow, open_dialog, send
from tests.e2e.money_work import look as fits
from tests.factories.events import SessionFactory
from tests.factories.plans import plan
from tests.flows import open_event
from tests.processes import until

pytestmark = [pytest.mark.gap("2.3"), pytest.mark.gap("2.7"), pytest.mark.gap("3.1"), pytest.mark.gap("7.1"), pytest.mark.gap("8.3")]
PLANS = "/console/billing/planaccess/plans/"


def test_from_the_prices_to_a_smaller_plan(product: Product, new_page: Any) -> None:
    cache.clear()  # earlier sign-ups from this address count against its limit
    catalogue()
    alice, bob = new_page(), new_page()

    choose_a_plan(alice, product)
    sign_up(alice, "alice@example.org", then="start-team")
    begin_the_trial(alice, product)
    north = Organization.objects.get(name="North Clinic")
    invite(alice, north, bob="organizer", carol="instructor", dan="course_manager")
    accept(bob, "bob@example.org")
    change_the_role(alice, product, north)
    subscribe(alice, product, north)
    buy_a_seat(alice, product, north)
    ask_for_a_smaller_plan(alice, product, north)


def look(page: Page, name: str) -> None:
    """It fits a desk and a telephone, and axe finds nothing."""
    fits(page, f"subscription-{name}")
    assert accessibility_findings(page) == [], page.url


def catalogue() -> None:
    """The usual plans and a smaller one for teams; Stripe has heard of them."""
    plan_seeding.seed()
    plan("Small team", month=9_900, seat=4_900, audience="team", attendees_per_event=100, features="Paid events")
    plan("Hospital group", month=None, audience="team", is_contact_sales=True, description="For many clinics under one roof.")
    until(lambda: not PlanPrice.objects.filter(stripe_price_id=None).exists(), "Stripe has every price")


def choose_a_plan(page: Page, product: Product) -> None:
    page.goto(f"{product.address}/")
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Pricing").click()
    look(page, "pricing")
    page.get_by_role("link", name="Yearly").click()
    expect(page.get_by_text("1,990.00 USD").first).to_be_visible()
    look(page, "pricing-yearly")
    page.goto(f"{product.address}/start")
    look(page, "start")
    page.goto(f"{product.address}/pricing")
    follow(page, page.get_by_role("link", name="Try Organization"))


def sign_up(page: Page, email: str, *, then: str) -> None:
    look(page, f"sign-up-before-{then}")
    page.fill("main [name=email]", email)
    page.fill("main [name=password1]", PASSWORD)
    follow(page, page.get_by_role("button", name="Create the account"))
    sent = Message.objects.filter(kind="account_code", to=email)
    until(sent.exists, "the code was mailed")
    found = re.search(r"Your code is (\S+)", sent.latest("created_at").text)
    assert found is not None
    page.fill("main [name=code]", found[1])
    follow(page, page.get_by_role("button", name="Confirm"))


def begin_the_trial(page: Page, product: Product) -> None:
    """The plan that was chosen among the prices is chosen here; the second factor comes before the console opens."""
    expect(page.get_by_role("radio", name="Organization")).to_be_checked()
    look(page, "start-team")
    page.fill("[name=name]", "North Clinic")
    page.fill("[name=country]", "11")
    follow(page, page.get_by_role("button", name="Create and go on"))
    expect(page.locator(".errorlist")).to_be_visible()
    look(page, "start-team-refused")
    page.fill("[name=country]", "DE")
    follow(page, page.get_by_role("button", name="Create and go on"))
    expect(page.get_by_text("its trial has begun")).to_be_visible()
    set_up_the_second_factor(page)
    page.wait_for_url(f"{product.address}/console/")
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    look(page, "home-of-somebody-new")
    assert PlanAccess.objects.get().state == PlanAccess.State.TRIAL


def set_up_the_second_factor(page: Page) -> None:
    if page.locator("main input[name=password]").count():
        page.fill("main input[name=password]", PASSWORD)
        follow(page, page.locator("main form button[type=submit]").first)
    secret = page.locator("#secret").inner_text()
    page.fill("main input[name=code]", code_for(secret))
    follow(page, page.locator("main form button[type=submit]").first)
    follow(page, page.get_by_role("link", name="I have kept them"))
    page.fill("main input[name=code]", code_for(secret))
    follow(page, page.locator("main form button[type=submit]").first)


def invite(page: Page, north: Organization, **people: str) -> None:
    """From the first steps. Two of them take a seat, which costs nothing during the trial."""
    follow(page, page.get_by_role("link", name="Invite the people you work with"))
    invitations = page.url
    for name, role in people.items():
        page.goto(invitations)
        follow(page, page.get_by_role("link", name="Invite…", exact=True))
        page.locator("[name=email]").fill(f"{name}@example.org")
        page.locator(f"[name=role][value={role}]").check()
        follow(page, page.get_by_role("button", name="Send invitation"))
        expect(page.get_by_text("Invited; the mail is on its way.")).to_be_visible()
    until(lambda: Message.objects.filter(kind="invitation").count() == 3, "three mails were written")
    assert Invitation.objects.filter(organization=north, state="pending").count() == 3


def accept(page: Page, email: str) -> None:
    """The link says what joining means; an account is made on the way, and nothing has to be found again."""
    found = re.search(r"https?://\S+/invitations/\S+", Message.objects.get(kind="invitation", to=email).text)
    assert found is not None
    page.goto(found[0].rstrip("."))
    look(page, "invitation-of-somebody-new")
    follow(page, page.get_by_role("link", name="Create an account"))
    sign_up(page, email, then="invitation")
    expect(page.get_by_text("What stays yours")).to_be_visible()
    look(page, "invitation-consequences")
    follow(page, page.get_by_role("button", name="Accept"))
    expect(page.get_by_text("You work for North Clinic now")).to_be_visible()
    look(page, "my-organizations")


def change_the_role(page: Page, product: Product, north: Organization) -> None:
    bob = Membership.objects.get(organization=north, user__email="bob@example.org")
    page.goto(f"{product.address}/console/organizations/membership/{bob.public_id}/change/")
    dialog = open_dialog(page, "Change role…")
    dialog.locator("[name=role][value=course_manager]").check()
    send(page, dialog, "Change role", "Changed")
    assert Membership.objects.get(pk=bob.pk).role == "course_manager"


def subscribe(page: Page, product: Product, north: Organization) -> None:
    """On Stripe's page, with what is left of the trial; and a look at the portal."""
    page.goto(product.address + PLANS)
    look(page, "plans-on-trial")
    follow(page, page.get_by_role("button", name="Subscribe to Organization for 199.00 USD a month"))
    follow(page, page.get_by_role("link", name="Cancel and go back"))
    expect(page.get_by_text("Stripe has confirmed no subscription yet")).to_be_visible()
    look(page, "plans-came-back-without-paying")
    follow(page, page.get_by_role("button", name="Subscribe to Organization for 199.00 USD a month"))
    page.fill("[name=email]", "alice@example.org")
    follow(page, page.get_by_role("button", name=re.compile("^Pay ")))
    until(lambda: Subscription.objects.live().filter(organization=north).exists(), "Stripe's word has come")
    page.reload()
    expect(page.get_by_text("Stripe has confirmed the subscription")).to_be_visible()
    follow(page, page.get_by_role("button", name="Card, invoices and end at Stripe"))
    follow(page, page.get_by_role("link", name="Go back"))
    expect(page.get_by_text("You are back from Stripe")).to_be_visible()
    expect(page.get_by_text("It is subscribed to: the first charge follows then.")).to_be_visible()
    expect(page.get_by_role("link", name="Buy seats")).to_be_visible()
    look(page, "plans-subscribed")


def buy_a_seat(page: Page, product: Product, north: Organization) -> None:
    """The dialog says what it adds to the next invoice; Stripe bills it after the click, and invoices nothing yet."""
    page.goto(f"{product.address}/console/organizations/organization/{north.public_id}/change/")
    page.get_by_role("button", name="Money").click()
    dialog = open_dialog(page, "Buy seats…")
    expect(dialog.get_by_text("by Stripe's rule")).to_be_visible()
    look(page, "buy-seats")
    send(page, dialog, "Buy", "Bought; Stripe hears of it")
    until(lambda: Subscription.objects.live().get(organization=north).seat_quantity == 3, "Stripe bills three further seats")


def ask_for_a_smaller_plan(page: Page, product: Product, north: Organization) -> None:
    """Refused while an event is too large for it, and done once that is smaller; then not after all."""
    event = open_event(of=north, price=0, capacity=500)
    SessionFactory.create(event=event)
    page.goto(product.address + PLANS)
    smaller = page.get_by_role("button", name="Change to Small team for 99.00 USD a month")
    follow(page, smaller)
    expect(page.get_by_text(f"“{event.title}” has more than 100 places")).to_be_visible()
    look(page, "smaller-plan-refused")
    assert not PlanChange.objects.exists()

    page.goto(f"{product.address}/console/events/event/{event.public_id}/change/")
    page.fill("[name=capacity]", "80")
    follow(page, page.get_by_role("button", name="Save", exact=True))
    assert Event.objects.get(pk=event.pk).capacity == 80
    page.goto(product.address + PLANS)
    follow(page, smaller)
    expect(page.get_by_text("Small team follows with the next period")).to_be_visible()
    look(page, "smaller-plan-follows")
    follow(page, page.get_by_role("button", name="Keep the plan after all"))
    assert PlanChange.objects.get().state == PlanChange.State.UNDONE
    page.goto(f"{product.address}/console/entitlements/allowance/usage/")
    expect(page.get_by_role("heading", name="Usage")).to_be_visible()
    look(page, "usage")
