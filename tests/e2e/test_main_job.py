"""The main job, from the first call of the API to the balanced trial balance, as an attendee and as finance."""

import json
import urllib.request
import uuid
from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing.models import FeeSchedule, Payment, Refund, TaxRate
from notifications.models import Message
from registrations.models import Registration
from tests import flows
from tests.e2e.conftest import Product, accessibility_findings, person, screenshot, sign_in
from tests.faults.books import assert_whole
from tests.processes import until

pytestmark = [pytest.mark.gap("1.3"), pytest.mark.gap("4.2"), pytest.mark.rule("C2"), pytest.mark.rule("M2")]


def call(address: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One call of the API, as a frontend makes it."""
    request = urllib.request.Request(f"{address}/api/v1{path}", method=method, data=json.dumps(body).encode() if body else None)  # noqa: S310
    request.add_header("Content-Type", "application/json")
    request.add_header("Idempotency-Key", str(uuid.uuid4()))
    with urllib.request.urlopen(request) as answer:  # noqa: S310  our own address
        return json.load(answer)


def priced_event() -> Any:
    """A German event in euros: price 100.00, service fee 5 %, processing 1.5 % and 0.25, 19 % tax on top."""
    FeeSchedule.objects.create(
        currency="EUR", service_basis_points=500, processing_basis_points=150, processing_fixed=25, payer=FeeSchedule.Payer.ATTENDEE
    )
    TaxRate.objects.create(jurisdiction="DE", name="VAT", basis_points=1900, starts_on=date(2020, 1, 1))
    event = flows.open_event(price=10_000, currency="EUR")
    event.title, event.format, event.venue, event.country, event.time_zone = (
        "Ethics in practice",
        "in_person",
        "Berlin",
        "DE",
        "Europe/Berlin",
    )
    event.save()
    return event


def test_main_job(product: Product, new_page: Any) -> None:
    event = priced_event()
    attendee, finance = new_page(), new_page()
    payment = pay_as_an_attendee(product, attendee, event)
    refund_as_finance(product, finance, payment)
    books_balance(product, finance, payment)


def pay_as_an_attendee(product: Product, page: Page, event: Any) -> Payment:
    listed = call(product.address, "GET", "/events")["items"]
    assert [each["id"] for each in listed] == [event.public_id]
    quote = call(product.address, "POST", f"/events/{event.public_id}/quote", {"country": "DE"})
    assert quote["total"] == {"amount": 12_703, "currency": "EUR"}
    order = {"name": "Zoë Ärztin", "email": "zoe@example.org", "expected_total": quote["total"]["amount"]}
    answer = call(product.address, "POST", f"/events/{event.public_id}/registrations", order)
    assert answer["needs"] == "payment"

    page.goto(answer["checkout_url"])
    screenshot(page, "checkout")
    page.get_by_role("button", name="Pay").first.click()
    page.wait_for_url(f"{product.address}/payments/**")
    expect(page.get_by_role("heading", name="You are registered")).to_be_visible()
    screenshot(page, "paid")
    assert accessibility_findings(page) == []
    shown = call(product.address, "GET", f"/registrations/{answer['id']}?key={answer['key']}")
    assert shown["state"] == "confirmed"

    payment = Registration.objects.get(email="zoe@example.org").payment
    assert payment is not None
    until(lambda: Message.objects.filter(kind="payment_receipt", state="sent").exists(), "the receipt is sent")
    product.sandbox.control.advance(30)
    until(lambda: Payment.objects.get(pk=payment.pk).stripe_fee is not None, "Stripe's fee is booked")
    return payment


def refund_as_finance(product: Product, page: Page, payment: Payment) -> None:
    """A part, then the rest."""
    sign_in(page, product.address, person("fiona@example.org", StaffGroup.FINANCE))
    screenshot(page, "staff-home")
    page.goto(f"{product.address}/staff/billing/payment/")
    screenshot(page, "payments")
    page.get_by_role("link", name=payment.public_id).click()
    screenshot(page, "payment")
    refund_by_dialog(page, "40.00")
    until(lambda: Refund.objects.filter(payment=payment, state="succeeded", amount=4_000).exists(), "the part is refunded")
    page.reload()
    screenshot(page, "payment-partly-refunded")
    refund_by_dialog(page, "87.03", releases_place=True)
    until(lambda: Payment.objects.get(pk=payment.pk).state == Payment.State.REFUNDED, "all is refunded")
    page.reload()
    expect(page.get_by_text("Refunded", exact=True).first).to_be_visible()
    screenshot(page, "payment-refunded")


def refund_by_dialog(page: Page, amount: str, *, releases_place: bool = False) -> None:
    page.get_by_text("Refund…", exact=True).first.click()
    page.locator("input[name=amount]").wait_for()
    page.fill("input[name=amount]", amount)
    page.select_option("select[name=reason]", "requested_by_customer")
    if releases_place:
        page.locator("input[name=releases_place]").check(force=True)
    screenshot(page, f"refund-dialog-{amount}")
    with page.expect_navigation():  # the timeline may show these words of an earlier refund already
        page.get_by_role("button", name="Request refund").click()
    expect(page.get_by_text("Refund requested").first).to_be_visible()


def books_balance(product: Product, page: Page, payment: Payment) -> None:
    product.sandbox.control.advance(30)
    until(lambda: not Refund.objects.filter(stripe_balance_transaction_id=None).exists(), "both refunds are booked")
    page.goto(f"{product.address}/staff/ledger/ledgertransaction/trial-balance/")
    screenshot(page, "trial-balance")
    assert "EUR" in page.inner_text("main, #main, body")
    assert_whole(Payment.objects.get(pk=payment.pk), refunds=[4_000, 8_703])
    until(lambda: Registration.objects.get(payment=payment).state == Registration.State.CANCELLED, "the place is free again")
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"registration.created", "payment.succeeded", "refund.requested", "refund.settled", "registration.cancelled"} <= actions
