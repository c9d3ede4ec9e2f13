"""Every screen and dialog of both consoles, looked at by axe-core against WCAG 2.2 AA.

The registry says which there are, so a new screen or button is looked at without being named here; it only needs a row in `rows`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import axe_playwright_python
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db.models import Model
from playwright.sync_api import Page

from accounts.models import User
from admin_ext import bulk_kinds
from admin_ext.console import bulk_runs
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.scope import visible
from admin_ext.console.urls import change_url, list_url
from admin_ext.models import BulkRun
from admin_ext.sites import ConsoleSite, console_site, staff_site
from audit.actor import Actor
from billing import fulfillment
from billing.documents import issuing
from billing.models import FeeSchedule, Payment, PayoutRequest, Refund, StripeCommand, TaxRate
from config import schedules
from notifications.models import Message
from organizations.models import Organization
from tests.admin_ext import making
from tests.admin_ext.conftest import Nothing, acting, sign_in
from tests.factories import attendance as attended
from tests.factories.accounts import usable_account
from tests.factories.payouts import approved_payout, earning_organization, read_balances, requested_payout
from tests.factories.people import actor
from tests.factories.reconciliation import difference, finished_run, last_month, movement
from tests.processes import free_port, web
from tests.sizes import SIZES

pytestmark = pytest.mark.django_db(transaction=True)
type NewPage = Callable[..., Page]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RULES = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"], "preload": False}
RUN = f"at => axe.run(document.querySelector(at), {json.dumps(RULES)})"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
OTHERS = (
    "/staff/ledger/ledgertransaction/trial-balance/",
    "/staff/ledger/ledgertransaction/invariants/",
    "/staff/billing/payoutrequest/earnings/",
    "/staff/events/event/add/",
    "/staff/promo_codes/promocode/add/",
)
KINDS = {"payment", "event", "bulkrun"}
EARNINGS = "/console/billing/payoutrequest/earnings/"
OPEN = """async path => {
    const answer = await fetch(path, {headers: {"HX-Request": "true"}});
    document.querySelector("main").innerHTML = await answer.text();
    history.replaceState(null, "", path);
}"""
SWAP = """async path => {
    const answer = await fetch(path);
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    document.querySelector("main").replaceWith(document.adoptNode(found));
    history.replaceState(null, "", path);
    return answer.status;
}"""


@dataclass(frozen=True, slots=True)
class Consoles:
    """Both consoles, running. alice is switched to North Clinic; root is of the platform and may do everything."""

    address: str
    alice: User
    root: User
    north: Organization

    @property
    def as_alice(self) -> Actor:
        return actor(self.alice, organization=self.north)


@pytest.fixture
def consoles(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Consoles]:
    cache.clear()
    monkeypatch.setitem(fulfillment._handlers, "test", Nothing())
    alice, root, francis = making.user("alice"), making.user("root", groups=("superuser",)), making.user("francis", groups=("finance",))
    north = making.organization("North Clinic")
    making.member(north, alice)
    making.invitation(north, alice, "asked@example.org")
    making.admin_offer(north, alice, making.user("otto"))
    making.invoice(north, status="open")
    making.acting_grant(north, making.user("sol", groups=("support",)))
    making.trial(north)
    making.drift(north)
    making.seat_drift(north)
    _sales(north, alice, acting(francis))
    _payouts(north, acting(francis))
    _machinery()
    _reconciliation()
    _bulk_runs(north, acting(root))
    rows = Payment.objects.filter(organization=north)
    bulk_runs.freeze(kind=bulk_kinds.REFUND_PAYMENTS.name, rows=rows, as_staff=False, by=actor(alice, organization=north))
    port = free_port()
    with web({"BASE_URL": f"http://127.0.0.1:{port}"}, port=port) as address:
        yield Consoles(address, alice, root, north)


def _sales(north: Organization, alice: User, by: Actor) -> None:
    making.event(north, alice, "Wound care", published=False)
    event = making.event(north, alice)
    payment = making.payment(north, for_event=event)
    attended.verdict(making.registration(event, payment=payment))
    attended.line(event.sessions.get(), by=actor(alice))
    making.redemption(making.promo_code(north, alice, "USED"), making.registration(event))
    making.paused_code(north, alice)
    making.promo_code(north, alice)
    making.checkout_session(payment)
    making.dispute(making.payment(north))
    issuing.issue(payment_id=payment.pk)
    making.refund(payment, by=by)
    making.waiting_refund(north, by=by)
    failed = making.refund(making.payment(north), by=by)
    move(failed, Refund.State.FAILED)
    StripeCommand.objects.create(operation="refund.create", key="refund-1", parameters={}, subject_type="refund", subject_id=failed.pk)


def _payouts(north: Organization, by: Actor) -> None:
    usable_account(north)
    making.payment(north, amount=90_000)
    read_balances()
    requested_payout(north, 2_000, by=by)
    approved_payout(earning_organization(name="Approved"))
    move(approved_payout(earning_organization(name="Held")), PayoutRequest.State.ON_HOLD)
    move(approved_payout(earning_organization(name="Failed")), PayoutRequest.State.TRANSFERRING, PayoutRequest.State.FAILED)
    making.organization("Without an account")


def _machinery() -> None:
    making.inbound_event(dead=True)
    making.dead_job()
    schedules.sync()
    message = Message.objects.create(kind="test", to="buyer@example.org", subject="Your place", text="Welcome.", html="<p>Welcome.</p>")
    move(message, Message.State.FAILED)
    FeeSchedule.objects.create(currency="USD", service_basis_points=300)
    TaxRate.objects.create(name="VAT", jurisdiction="DE", basis_points=1900, starts_on="2026-01-01")


def _reconciliation() -> None:
    difference(finished_run(residual=-100))
    movement("charge", 5_000, 175)
    last_month()


def move(row: Model, *states: str) -> None:
    for state in states:
        type(row)._default_manager.filter(pk=row.pk).update(state=state)


def _bulk_runs(north: Organization, by: Actor) -> None:
    """A run at each of its pages: asked for details, previewed, at work, done."""
    paid, unpaid = making.payment(north), making.payment(north, paid=False)
    rows = Payment.objects.visible_to(by).filter(pk__in=[paid.pk, unpaid.pk])
    for pages in range(4):
        run = bulk_runs.freeze(kind=bulk_kinds.REFUND_PAYMENTS.name, rows=rows, as_staff=True, by=by)
        if pages > 0:
            bulk_runs.describe(run_id=run.pk, values={"how_much": "terms", "reason": "other"}, by=by)
            bulk_runs.plan(run_id=run.pk)
        if pages > 1:
            bulk_runs.confirm(run_id=run.pk, by=by)
        if pages > 2:
            bulk_runs.work(run_id=run.pk)


class Looker:
    """A person's window (nobody's where left out), and what axe-core found in it so far."""

    def __init__(self, page: Page, consoles: Consoles, person: User | None = None) -> None:
        self.page, self.address, self.found = page, consoles.address, list[str]()
        page.add_init_script(AXE)
        if person is not None:
            cookie = sign_in(person).cookies[settings.SESSION_COOKIE_NAME]
            page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": consoles.address}])

    def look(self, path: str, *, at: str = "main") -> None:
        """at: "body" for all of it; header and sidebar are the same on every page of a console.

        What is inside them is put into the page that is open, which is many times as fast; `make soak` opens each page by itself.
        """
        if at == "main" and not SIZES.whole_pages:
            status = self.page.evaluate(SWAP, path)
        else:
            answer = self.page.goto(self.address + path)
            assert answer is not None
            status = answer.status
        assert status == 200, f"{path}: {status}"
        self.judge(at)

    def look_at_dialog(self, path: str) -> None:
        """The dialog as the button loads it, in the place of whatever the page shows."""
        self.page.evaluate(OPEN, path)
        self.judge("#dialog")

    def judge(self, at: str = "main") -> None:
        violations = self.page.evaluate(RUN, at)["violations"]
        where = self.page.url.removeprefix(self.address)
        self.found += [f"{where} {one['id']}: {node['target']} {node['html'][:200]}" for one in violations for node in one["nodes"][:3]]


def screens(site: ConsoleSite) -> list[ConsoleModelAdmin]:
    return list(site._registry.values())


def latest(admin: ConsoleModelAdmin, by: Actor, count: int = 30) -> list[Model]:
    return list(visible(admin.model, by).order_by("-pk")[:count])


def lists(site: ConsoleSite) -> list[str]:
    return [list_url(site.name, admin.model) for admin in screens(site)]


def forms(site: ConsoleSite, by: Actor) -> list[str]:
    """One page of each kind of object; of bulk runs one in each state, they look different."""
    found = []
    for admin in screens(site):
        rows = latest(admin, by)
        assert rows, f"no {admin.model.__name__} to look at"
        distinct = {row.state: row for row in rows}.values() if admin.model is BulkRun else rows[:1]
        found += [change_url(site.name, row) for row in distinct]
    return found


def dialogs(site: ConsoleSite, by: Actor) -> list[str]:
    """The dialog of each button, on an object that it is offered for; where there is none, it says why not."""
    found = []
    for admin in screens(site):
        for name in admin.buttons:
            button = getattr(admin, name).button
            rows = latest(admin, by)
            row = next((row for row in rows if button.possible(row)), rows[0])
            found.append(change_url(site.name, row).replace("/change/", f"/{getattr(admin, name).url_path}/"))
    return found


def test_every_screen_and_dialog(consoles: Consoles, new_page: NewPage) -> None:
    """All in one test: making the rows and starting the server takes longer than looking."""
    nobody = Looker(new_page(width=1280), consoles)
    nobody.look("/staff/", at="body")
    root, by = Looker(new_page(width=1280), consoles, consoles.root), acting(consoles.root)
    root.look("/staff/", at="body")
    for path in [*lists(staff_site), *forms(staff_site, by), *OTHERS]:
        root.look(path)
    for path in dialogs(staff_site, by):
        root.look_at_dialog(path)
    alice = Looker(new_page(width=1280), consoles, consoles.alice)
    alice.look("/console/", at="body")
    mine = forms(console_site, consoles.as_alice)
    for path in [*lists(console_site), *mine]:
        alice.look(path)
    _in_the_dark_and_on_a_telephone(
        alice, ["/console/", "/console/billing/payment/", EARNINGS, *[one for one in mine if KINDS & {*one.split("/")}]]
    )
    found = nobody.found + root.found + alice.found
    assert not found, "\n".join(found)


def _in_the_dark_and_on_a_telephone(looker: Looker, paths: list[str]) -> None:
    looker.page.emulate_media(color_scheme="dark")
    for path in paths:
        looker.page.set_viewport_size({"width": 1280, "height": 900})
        looker.look(path, at="body")
        assert "dark" in (looker.page.locator("html").get_attribute("class") or "")
        looker.page.set_viewport_size({"width": 375, "height": 800})
        looker.judge("body")
