"""People's own pages in a real browser: every one looked at, on a telephone and in the dark too, and the first day of a staff member."""

import re
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.core.management import call_command
from playwright.sync_api import Page, expect

from notifications.models import Message
from tests.accounts.test_pages import code_for
from tests.e2e.conftest import PASSWORD, accessibility_findings, enter_code, person, screenshot
from tests.factories.people import UserFactory
from tests.processes import free_port, web

type NewPage = Callable[..., Page]
NEW = "a much longer passphrase 42"
WIDTHS = (1440, 375)


@pytest.fixture
def site(transactional_db: None) -> Iterator[str]:
    cache.clear()
    port = free_port()
    with web({"BASE_URL": f"http://127.0.0.1:{port}"}, port=port) as address:
        yield address


def look(page: Page, name: str) -> None:
    """The page has one heading, fits its width, and axe finds nothing, in the light, in the dark and on a telephone."""
    assert page.locator("h1").count() == 1, page.url
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # the loop's values are the two that are allowed
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{page.url} is {overflow} px too wide at {width}"
            if (scheme, width) != ("dark", 1440):
                screenshot(page, f"account-{name}-{scheme}-{width}")
        assert accessibility_findings(page) == [], page.url
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1440, "height": 900})


def submit(page: Page, **fields: str) -> None:
    """Send the page's first form; the answer is there on return, so that nobody looks at the page in between."""
    for name, value in fields.items():
        page.fill(f"main [name={name}]", value)
    with page.expect_navigation():
        page.locator("main form button[type=submit]").first.click()


def latest(kind: str, pattern: str) -> str:
    found = re.search(pattern, Message.objects.filter(kind=kind).latest("created_at").text)
    assert found is not None
    return found[1]


@pytest.mark.rule("S2")
@pytest.mark.gap("10.4")
def test_first_day_of_a_staff_member(site: str, new_page: NewPage) -> None:
    page, out = new_page(), StringIO()
    call_command("bootstrap_staff", "root@example.org", stdout=out, stderr=StringIO())
    page.goto(site + urlsplit(out.getvalue().strip()).path)
    look(page, "set-password")
    submit(page, password1=NEW, password2=NEW)
    look(page, "password-is-set")

    page.goto(f"{site}/staff/")
    look(page, "sign-in")
    submit(page, login="root@example.org", password=NEW)
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm it is you")
    look(page, "password-again")
    submit(page, password=NEW)
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up the second factor")
    look(page, "second-factor-set-up")
    assert page.locator("img.qr").evaluate("image => image.naturalWidth") > 0
    secret = page.locator("#secret").inner_text()
    submit(page, code="000000")
    expect(page.get_by_role("alert")).to_be_visible()
    look(page, "second-factor-refused")
    submit(page, code=code_for(page.locator("#secret").inner_text()))
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    look(page, "recovery-codes")
    assert len(page.locator("#recovery-codes").inner_text().split()) == 10

    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm it is you")
    look(page, "second-factor-again")
    submit(page, code=code_for(secret))
    page.wait_for_url(f"{site}/staff/")


def test_pages_of_somebody_without_an_account(site: str, new_page: NewPage) -> None:
    page = new_page()
    page.goto(f"{site}/accounts/signup/")
    look(page, "sign-up")
    submit(page, email="zoe@example.org", password1="password1234")
    expect(page.get_by_role("alert")).to_be_visible()
    look(page, "sign-up-refused")
    submit(page, email="zoe@example.org", password1=NEW)
    look(page, "enter-code")
    submit(page, code=latest("account_code", r"Your code is (\S+)"))
    page.wait_for_url(f"{site}/")

    page.goto(f"{site}/accounts/logout/")
    look(page, "sign-out")
    submit(page)
    page.goto(f"{site}/accounts/password/reset/")
    look(page, "forgotten")
    submit(page, email="zoe@example.org")
    look(page, "forgotten-sent")
    link = latest("account_password_reset", r"http://[^/]+(/accounts/password/reset/key/\S+)")
    page.goto(site + link)
    submit(page, password1=PASSWORD, password2=PASSWORD)
    page.goto(site + link)
    look(page, "forgotten-link-used")
    assert "no longer works" in page.inner_text("h1")


def test_pages_of_somebody_signed_in(site: str, new_page: NewPage) -> None:
    page, user = new_page(), UserFactory.create(email="yves@example.org")
    page.goto(f"{site}/accounts/login/")
    submit(page, login=user.email, password="wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    look(page, "sign-in-refused")
    submit(page, login=user.email, password=PASSWORD)
    page.wait_for_url(f"{site}/")
    for path, name in (("email/", "emails"), ("password/change/", "password-change"), ("sessions/", "sessions"), ("2fa/", "second-factor")):
        page.goto(f"{site}/accounts/{path}")
        look(page, name)


@pytest.mark.gap("10.4")
def test_pages_of_somebody_with_a_second_factor(site: str, new_page: NewPage) -> None:
    page, zoe = new_page(), person("zoe@example.org")
    page.goto(f"{site}/accounts/login/")
    submit(page, login=zoe.user.email, password=PASSWORD)
    look(page, "second-factor-asked")
    enter_code(page, zoe)
    page.wait_for_url(f"{site}/")
    page.goto(f"{site}/accounts/2fa/")
    look(page, "second-factor-active")
    page.goto(f"{site}/accounts/2fa/totp/deactivate/")
    submit(page, **again(page))
    look(page, "second-factor-off")
    page.goto(f"{site}/accounts/2fa/recovery-codes/generate/")
    look(page, "recovery-codes-new")
    submit(page)
    look(page, "recovery-codes-made")


def again(page: Page) -> dict[str, Any]:
    """What the page that confirms who it is asks for."""
    return {"password": PASSWORD} if page.locator("main [name=password]").count() else {"code": ""}
