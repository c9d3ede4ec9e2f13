"""Reconcile now, settle what it found, close the month: as finance does it, Stripe slow enough that the progress is seen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from audit.actor import StaffGroup
from billing.models import Discrepancy, ReconciliationPeriod, ReconciliationRun
from ledger import balances, invariants
from ledger.chart import PLATFORM_BANK
from tests import flows
from tests.e2e.conftest import Product, person, sign_in
from tests.e2e.money_work import bought, follow, look, open_dialog, send
from tests.processes import until

pytestmark = [pytest.mark.gap("2.2"), pytest.mark.gap("4.2")]
RUNS, PERIODS = "/staff/billing/reconciliationrun/", "/staff/billing/reconciliationperiod/"
AMOUNT = -3_000


def test_difference_is_found_and_fixed_and_the_month_closed(product: Product, new_page: Any) -> None:
    bought(product, flows.open_event())
    payout_that_nobody_here_made(product)
    page = new_page()
    sign_in(page, product.address, person("fiona@example.org", StaffGroup.FINANCE))

    reconcile(page, product, name="first", slow=True)
    expect(page.get_by_text("-30.00 USD").first).to_be_visible()
    refused(page, product, "Settle the open differences first: 1 from before its end.")
    settle(page, product)
    refused(page, product, "A residual of -30.00 USD is left; run a reconciliation and settle what it finds.")
    reconcile(page, product, name="second")
    expect(page.get_by_text("-30.00 USD")).to_have_count(0)
    close(page, product)


def last_month() -> datetime:
    first = timezone.now().astimezone(UTC).replace(day=1, hour=12, minute=0, second=0, microsecond=0)
    return (first - timedelta(days=1)).replace(day=15)


def payout_that_nobody_here_made(product: Product) -> None:
    record = {"type": "balance_transaction", "suffix": "bank", "kind": "payout", "amount": AMOUNT, "currency": "usd"}
    product.sandbox.control.load([{**record, "created": int(last_month().timestamp())}])


def reconcile(page: Page, product: Product, *, name: str, slow: bool = False) -> None:
    """By the button; the page shows how far it is and, by itself, what came out."""
    if slow:
        product.sandbox.control.fault("slow", method="GET", path="/v1/balance_transactions", seconds=2.0)
    page.goto(f"{product.address}{RUNS}")
    page.get_by_role("button", name="Reconcile now").click()
    if slow:
        expect(page.get_by_role("progressbar")).to_be_visible()
        look(page, "reconciliation-progress")
    expect(page.get_by_role("heading", name="Residual per account and currency")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    look(page, f"reconciliation-{name}")
    assert ReconciliationRun.objects.latest("created_at").state == ReconciliationRun.State.DONE


def open_period(page: Page, product: Product) -> None:
    period = ReconciliationPeriod.objects.get(starts_on=last_month().date().replace(day=1))
    page.goto(f"{product.address}{PERIODS}{period.public_id}/change/")


def refused(page: Page, product: Product, why: str) -> None:
    """The dialog says what is in the way and has no button that closes."""
    open_period(page, product)
    dialog = open_dialog(page, "Close period…")
    expect(dialog.get_by_text(why)).to_be_visible()
    expect(dialog.get_by_role("button", name="Close period")).to_have_count(0)
    look(page, f"period-refused-{why.split()[0].lower()}")
    assert not ReconciliationPeriod.objects.filter(state=ReconciliationPeriod.State.CLOSED).exists()


def settle(page: Page, product: Product) -> None:
    """The one difference there is, by way of the run that found it."""
    found = Discrepancy.objects.get()
    page.goto(f"{product.address}{RUNS}{found.found_in.public_id}/change/")
    follow(page, page.get_by_role("link", name="Made at Stripe"))
    look(page, "differences")
    follow(page, page.get_by_role("link", name=found.public_id))
    look(page, "difference")
    dialog = open_dialog(page, "Import from Stripe…")
    expect(dialog.get_by_text("-30.00 USD").first).to_be_visible()
    look(page, "difference-import-dialog")
    send(page, dialog, "Import", "It is recorded and booked as Stripe has it.")
    until(lambda: Discrepancy.objects.get().state == Discrepancy.State.FIXED, "the payout is booked")
    assert balances.balance(PLATFORM_BANK, "USD") == -AMOUNT


def close(page: Page, product: Product) -> None:
    open_period(page, product)
    dialog = open_dialog(page, "Close period…")
    dialog.locator("[name=note]").fill("Signed by the auditor")
    look(page, "period-close-dialog")
    send(page, dialog, "Close period", "Closed; nothing can be booked into it any more.")
    expect(page.get_by_label("Timeline").get_by_text("-30.00 USD").first).to_be_visible()
    look(page, "period-closed")
    period = ReconciliationPeriod.objects.get(starts_on=last_month().date().replace(day=1))
    assert (period.state, period.stripe_closing, period.books_closing, period.in_transit) == ("closed", AMOUNT, AMOUNT, 0)
    assert {name: found for name, found in invariants.violations().items() if found} == {}
