"""A real browser, a real web server, real workers and Stripe's stand-in on a socket."""

import base64
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Page, sync_playwright

from accounts.models import User
from audit.actor import StaffGroup
from billing.gateway.selection import gateway
from sandbox.stripe.server import Sandbox
from tests.conftest import hear_of_accounts, point_at
from tests.contract.stripe.recording import Recorder
from tests.processes import free_port, web, worker

PASSWORD = "correct horse battery staple"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", django_settings.VAR_DIR / "screenshots"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "The browser tests need Chromium: run them by `make test`, which brings it, or set CHROMIUM to its path."
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@dataclass(frozen=True)
class Product:
    """The whole of it, running: address of the web server, and Stripe's stand-in."""

    address: str
    sandbox: Sandbox


@pytest.fixture
def product(transactional_db: None, recorder: Recorder, settings: Any) -> Iterator[Product]:
    port = free_port()
    with Sandbox(observer=recorder.exchange, webhook_observer=recorder.webhook) as sandbox:
        point_at(sandbox, settings, f"http://127.0.0.1:{port}/webhooks/stripe")
        hear_of_accounts(sandbox, settings, f"http://127.0.0.1:{port}/webhooks/stripe-connect")
        environment = {"BASE_URL": f"http://127.0.0.1:{port}"}
        with (
            web(environment, port=port) as address,
            worker("money", environment),
            worker("default", environment),
            worker("bulk", environment),
        ):
            yield Product(address, sandbox)
    gateway.cache_clear()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """new_page(width=375): somebody else's browser window; what goes wrong in its scripts fails the test."""
    contexts, problems = [], []

    def make(*, width: int = 1440, height: int = 900) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not problems, problems


def screenshot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{name}.png"), full_page=True)


def accessibility_findings(page: Page, *, ignore: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds on the page, one line each."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:160]}" for each in found if each["id"] not in ignore]


@dataclass(frozen=True)
class Person:
    user: User
    secret: str

    def code(self) -> str:
        """The six digits of now; each can be used once, so two sign-ins within 30 s need two people. To be entered by `enter_code`."""
        return str(format_hotp_value(hotp_value(self.secret, int(time.time()) // 30)))


def person(email: str, *groups: StaffGroup, name: str = "") -> Person:
    """Somebody who can sign in: address proven, password set, second factor enrolled."""
    user = User.objects.create_user(
        email, PASSWORD, name=name or email.split("@")[0].title(), staff_groups=[str(group) for group in groups]
    )
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    assert base64.b32decode(secret)
    return Person(user, secret)


def sign_in(page: Page, address: str, who: Person, *, to: str = "/staff/") -> None:
    page.goto(f"{address}{to}")
    page.fill("input[name=login]", who.user.email)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit], button[type=submit]")
    page.wait_for_selector("input[name=code]")
    enter_code(page, who)
    page.wait_for_url(f"**{to}")


def enter_code(page: Page, who: Person) -> None:
    """The second factor, on the page that asks for it: a code whose half minute ended on its way is refused, the next one is not."""
    for _ in range(2):
        code = who.code()
        page.fill("input[name=code]", code)
        with page.expect_navigation():
            page.click("main button[type=submit], button[type=submit]")
        if not page.locator("input[name=code]").count():
            return
        assert who.code() != code, "the code was refused within its half minute"
    raise AssertionError("two codes were refused one after the other")
