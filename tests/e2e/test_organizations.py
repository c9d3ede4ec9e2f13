"""The pages about organizations, in a browser: what they say to assistive technology, on a desk and on a telephone."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.core.cache import cache
from playwright.sync_api import Page

from accounts.models import User
from organizations import admin_offers, branding, invitation_links, staff_acting
from organizations.models import Membership, Organization
from tests.admin_ext import making
from tests.admin_ext.conftest import sign_in
from tests.e2e.conftest import accessibility_findings, screenshot
from tests.factories.people import actor
from tests.organizations.pictures import picture
from tests.processes import free_port, web

pytestmark = pytest.mark.django_db(transaction=True)
type NewPage = Callable[..., Page]


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    cache.clear()
    port = free_port()
    with web({"BASE_URL": f"http://127.0.0.1:{port}"}, port=port) as found:
        yield found


def window(new_page: NewPage, address: str, person: User | None = None) -> Page:
    page = new_page(width=1280)
    if person is not None:
        cookie = sign_in(person).cookies[settings.SESSION_COOKIE_NAME]
        page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": address}])
    return page


def look(page: Page, url: str, name: str) -> list[str]:
    """What axe finds on the page, wide and narrow; that nothing has to be scrolled sideways on a telephone."""
    found = []
    for width in (1280, 375):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(url)
        found += [f"{name} at {width}: {finding}" for finding in accessibility_findings(page)]
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(f"{name} at {width} is wider than the window")
        screenshot(page, f"organizations-{name}-{width}")
    return found


def test_pages_of_the_site(address: str, new_page: NewPage) -> None:
    north = making.organization(
        "North Clinic", is_public=True, brand_color="#1f4fd8", description="We teach.", website="https://n.example/"
    )
    alice, bob, ada = making.user("alice"), making.user("bob"), making.user("ada")
    making.member(north, alice)
    row = making.member(north, bob, "organizer")
    making.event(north, bob)
    branding.set_logo(organization_id=north.pk, content=picture(), by=actor(alice))
    admin_offers.offer(membership_id=row.pk, by=actor(alice))
    link = f"{address}/invitations/{invitation_links.token(making.invitation(north, alice, ada.email))}"

    nobody, bobs, adas = (window(new_page, address, who) for who in (None, bob, ada))
    found = [
        *look(nobody, link, "invitation"),
        *look(nobody, f"{address}/organizers", "directory"),
        *look(nobody, f"{address}/organizers/{north.slug}", "profile"),
        *look(bobs, f"{address}/organizations", "mine"),
        *look(bobs, f"{address}/organizations/new", "new"),
        *look(bobs, f"{address}/organizations/{north.public_id}/leave", "leave"),
        *look(bobs, link, "invitation-of-somebody-else"),
    ]
    assert not found, "\n".join(found)

    adas.goto(link)
    adas.get_by_role("button", name="Accept").click()
    adas.wait_for_url("**/organizations")
    assert adas.locator("text=You work for North Clinic now").count() == 1
    assert Membership.objects.get(user=ada, organization=north).role == "organizer"


def test_pages_of_the_console(address: str, new_page: NewPage) -> None:
    north: Organization = making.organization("North Clinic")
    alice, bob, sol = making.user("alice"), making.user("bob"), making.user("sol", groups=("support",))
    making.member(north, alice)
    row = making.member(north, bob, "organizer")
    making.invitation(north, alice, "asked@example.org")
    staff_acting.begin(organization_id=north.pk, reason="Ticket 1", by=actor(sol))
    page, sols = window(new_page, address, alice), window(new_page, address, sol)
    base = f"{address}/console/organizations"
    found = [
        *look(page, f"{base}/membership/", "members"),
        *look(page, f"{base}/invitation/", "invitations"),
        *look(page, f"{base}/organization/{north.public_id}/change/", "organization"),
        *look(page, f"{base}/organization/{north.public_id}/invite/", "invite"),
        *look(page, f"{base}/organization/{north.public_id}/invite-file/", "invite-file"),
        *look(page, f"{base}/organization/{north.public_id}/close/", "close"),
        *look(page, f"{base}/membership/{row.public_id}/remove/", "remove"),
        *look(sols, f"{address}/console/events/event/", "acting"),
    ]
    assert not found, "\n".join(found)


def test_buttons_of_an_organization_stand_in_groups(address: str, new_page: NewPage) -> None:
    """Opened, used and left with the keyboard alone, on a desk and on a telephone; nobody is offered what they may not do."""
    north: Organization = making.organization("North Clinic")
    alice, bob = making.user("alice"), making.user("bob")
    making.member(north, alice)
    making.member(north, bob, "organizer")
    url = f"{address}/console/organizations/organization/{north.public_id}/change/"
    page, found = window(new_page, address, alice), list[str]()
    for width in (1280, 375):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(url)
        assert page.get_by_role("button", name="Actions").is_visible() is (width == 375)
        if width == 375:
            page.get_by_role("button", name="Actions").press("Enter")
        openers = page.locator(".console-group-opener")
        assert [one.strip().split("\n")[0] for one in openers.all_inner_texts()] == ["People", "Profile", "Money", "More"]
        people = page.get_by_role("button", name="People")
        assert not page.get_by_role("link", name="Invite by file…").is_visible()
        people.press("Enter")
        assert people.get_attribute("aria-expanded") == "true"
        assert page.get_by_role("link", name="Invite by file…").is_visible()
        assert page.get_by_role("link", name="Make somebody an admin…").count() == 0  # the platform's people alone
        found += [f"open at {width}: {finding}" for finding in accessibility_findings(page)]
        screenshot(page, f"organizations-group-{width}")
        page.keyboard.press("Escape")
        assert people.get_attribute("aria-expanded") == "false"
        assert page.evaluate("document.activeElement.innerText").startswith("People")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Invite by file…").wait_for()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.innerText") == "Invite…"
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_label("Email").wait_for()
    assert not found, "\n".join(found)

    bobs = window(new_page, address, bob)
    bobs.goto(url)
    assert bobs.locator(".console-group-opener").count() == 0
