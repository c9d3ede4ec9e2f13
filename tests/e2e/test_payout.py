"""A payout from set-up and request to its statement: the organizer asks, somebody else approves, Stripe's bank pays."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from audit.actor import StaffGroup
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, PayoutRequest, Transfer
from ledger import balances, invariants
from ledger.chart import connected_balance, organizer_payable
from organizations.models import Membership, Organization, Role
from tests import flows
from tests.e2e.conftest import Product, person, sign_in
from tests.e2e.money_work import bought, file_of, follow, look, open_dialog, released, send
from tests.paper import words
from tests.processes import until

pytestmark = [pytest.mark.gap("2.1"), pytest.mark.gap("4.2"), pytest.mark.rule("M13")]
DAYS = 3 * 86_400


def test_payout_from_set_up_to_statement(product: Product, new_page: Any) -> None:
    organization = flows.organization(country="US", name="North Clinic")
    released(bought(product, flows.open_event(of=organization, price=500_000)))
    admin = person("alice@example.org", name="Alice")
    Membership.objects.create(organization=organization, user=admin.user, role=Role.ADMIN)
    alice, fiona = new_page(), new_page()

    sign_in(alice, product.address, admin, to="/console/")
    set_up(alice, organization)
    payout = ask(alice, "4000.00")
    sign_in(fiona, product.address, person("fiona@example.org", StaffGroup.FINANCE))
    approve(fiona, product, payout)
    paid(product, payout)
    take_the_statement(alice, product, payout)
    assert_books(organization, payout)


def set_up(page: Page, organization: Organization) -> None:
    """On Stripe's pages, and back."""
    page.get_by_role("link", name="Earnings").first.click()
    look(page, "earnings-not-set-up")
    page.get_by_role("button", name="Set up payouts").click()
    page.get_by_role("button", name="Complete").click()
    expect(page.get_by_text("Usable", exact=True).first).to_be_visible()
    assert ConnectedAccount.objects.get(organization=organization).is_usable


def ask(page: Page, amount: str) -> PayoutRequest:
    look(page, "payout-account")
    dialog = open_dialog(page, "Ask for a payout…")
    expect(dialog.get_by_text("5,000.00 USD").first).to_be_visible()
    dialog.locator("[name=amount]").fill(amount)
    look(page, "payout-dialog")
    send(page, dialog, "Ask for payout", "Asked for; finance decides about it")
    payout = PayoutRequest.objects.get()
    assert (payout.state, payout.amount) == (PayoutRequest.State.REQUESTED, 400_000)
    return payout


def approve(page: Page, product: Product, payout: PayoutRequest) -> None:
    """From the work queue on the home page."""
    look(page, "home-with-a-payout")
    page.goto(f"{product.address}/staff/billing/payoutrequest/")
    follow(page, page.get_by_role("link", name=payout.public_id))
    look(page, "payout-to-approve")
    dialog = open_dialog(page, "Approve…")
    expect(dialog.get_by_text("4,000.00 USD").first).to_be_visible()
    expect(dialog.get_by_text("Alice", exact=True)).to_be_visible()
    expect(dialog.locator("dl > div").filter(has_text="Second person needed")).to_contain_text("yes")
    look(page, "payout-approve-dialog")
    send(page, dialog, "Approve payout", "Approved; the money goes to the organization's account")


def paid(product: Product, payout: PayoutRequest) -> None:
    """The workers transfer the money and pay it out; days later Stripe says that it has arrived."""
    until(lambda: PayoutRequest.objects.get(pk=payout.pk).stripe_payout_id, "the payout is at Stripe")
    assert Transfer.objects.get().amount == 400_000
    product.sandbox.control.advance(DAYS)
    until(lambda: PayoutRequest.objects.get(pk=payout.pk).state == PayoutRequest.State.PAID, "payout.paid came in")
    until(lambda: payout.statements.exists(), "the statement is made")


def take_the_statement(page: Page, product: Product, payout: PayoutRequest) -> None:
    page.goto(f"{product.address}/console/billing/payoutrequest/{payout.public_id}/change/")
    look(page, "payout-paid")
    rows = list(csv.reader(io.StringIO(file_of(page, page.get_by_role("link", name="CSV", exact=True)).decode())))
    amounts = [Decimal(row[-1]) for row in rows[1:]]
    assert (rows[1][1], rows[-1][1]) == ("Opening", "Closing")
    assert amounts == [Decimal(0), Decimal(5000), Decimal(-4000), Decimal(1000)]
    assert sum(amounts[:-1]) == amounts[-1]

    paper = words(file_of(page, page.get_by_role("link", name="PDF", exact=True)))
    for wanted in ("Payout statement", "North Clinic", payout.public_id, "5,000.00", "-4,000.00", "1,000.00"):
        assert wanted in paper.replace("\u2212", "-"), wanted


def assert_books(organization: Organization, payout: PayoutRequest) -> None:
    """What is left is owed; the account at Stripe is empty; every invariant of the books holds."""
    assert -balances.balance(organizer_payable(organization.pk), "USD") == 100_000
    assert balances.balance(connected_balance(organization.pk), "USD") == 0
    held = gateway().holdings(account=PayoutRequest.objects.get(pk=payout.pk).stripe_account_id)
    assert {each.available + each.pending for each in held.values()} == {0}
    assert {name: found for name, found in invariants.violations().items() if found} == {}
