"""What the browser tests of disputes, payouts and reconciliation have in common: a paid place, dialogs, files, and a look at each page."""

import os
from datetime import timedelta
from pathlib import Path

from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from billing import checkout, earnings
from billing.models import Payment
from events.models import Event
from tests import flows
from tests.e2e.conftest import Product, screenshot
from tests.processes import until

DESKTOP, TELEPHONE = (1440, 900), (375, 800)
AT_ONCE = "4000000000000077"  # Stripe's test card whose money is available at once


def bought(product: Product, event: Event) -> Payment:
    """A place that its buyer paid for, its webhooks worked by the real workers, Stripe's fee booked."""
    payment_id = flows.registered(event).payment_id
    assert payment_id is not None
    assert checkout.open(payment_id=payment_id)
    paid = Payment.objects.get(pk=payment_id)
    product.sandbox.control.pay(paid.checkout_sessions.get().stripe_session_id or "", card=AT_ONCE)
    until(lambda: Payment.objects.filter(pk=payment_id, state=Payment.State.SUCCEEDED).exists(), "the payment is booked")
    product.sandbox.control.advance(30)
    until(lambda: Payment.objects.get(pk=payment_id).stripe_fee is not None, "Stripe's fee is booked")
    return Payment.objects.get(pk=payment_id)


def released(payment: Payment) -> None:
    """The event is over, and the days that its earnings are kept back too."""
    earnings.move_release(group=payment.group, at=timezone.now() - timedelta(days=1))


def follow(page: Page, link: Locator) -> None:
    """Click the link; the page behind it is there on return."""
    with page.expect_navigation():
        link.click()


def look(page: Page, name: str) -> None:
    """The page never scrolls sideways, at a desk or on a telephone; with SCREENSHOTS set, a picture of each."""
    for width, height in (TELEPHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if "SCREENSHOTS" in os.environ:
            screenshot(page, f"{name}-{width}")
        assert wide <= 0, f"{page.url} is {wide} px too wide at {width}"


def open_dialog(page: Page, label: str) -> Locator:
    """The dialog of the object page's button, its form loaded."""
    page.get_by_role("link", name=label, exact=True).or_(page.get_by_role("button", name=label, exact=True)).first.click()
    dialog = page.locator("#dialog")
    dialog.locator("#dialog-body").wait_for()
    return dialog


def send(page: Page, dialog: Locator, button: str, answer: str) -> None:
    """Press the dialog's button; its answer stands on the page on return."""
    dialog.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_text(answer).first).to_be_visible()


def file_of(page: Page, link: Locator) -> bytes:
    """What the browser stores for a link that is a file."""
    with page.expect_download() as waiting:
        link.click()
    return Path(waiting.value.path()).read_bytes()
