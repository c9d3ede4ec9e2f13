"""A dispute from the due-date queue to the money's return: evidence written, a document attached, submitted, won."""

from typing import Any

import pytest
import stripe
from playwright.sync_api import Page, expect

from audit.actor import StaffGroup
from billing.models import Dispute, DisputeResponse, Payment
from ledger import balances
from ledger.chart import DISPUTES_HELD
from tests import flows
from tests.e2e.conftest import Product, person, sign_in
from tests.e2e.money_work import bought, follow, look, open_dialog, send
from tests.faults.books import assert_whole
from tests.processes import until

pytestmark = [pytest.mark.gap("2.2"), pytest.mark.gap("4.2"), pytest.mark.gap("5.3")]
LETTER = b"%PDF-1.7 the list of participants, signed"
SAID = "Zoe attended both days and signed the list of participants."


def test_dispute_with_evidence_is_won(product: Product, new_page: Any) -> None:
    payment = bought(product, flows.open_event())
    product.sandbox.control.open_dispute(payment.stripe_charge_id or "")
    until(lambda: balances.balance(DISPUTES_HELD, "USD") == payment.amount, "the withdrawn money is booked as held")
    dispute = Dispute.objects.get()
    page = new_page()
    sign_in(page, product.address, person("fiona@example.org", StaffGroup.FINANCE))

    find_in_the_queue(page, dispute)
    answer_it(page)
    submitted_to_stripe(product, page, dispute)
    won(product, page, dispute, payment)


def find_in_the_queue(page: Page, dispute: Dispute) -> None:
    """The home page counts it; the list behind says until when it must be answered."""
    look(page, "home-with-a-dispute")
    page.get_by_role("link", name="Disputes to answer").first.click()
    assert dispute.due_by is not None
    row = page.get_by_role("row").filter(has_text=dispute.public_id)
    expect(row.get_by_text(f"{dispute.due_by:%Y}").first).to_be_visible()
    look(page, "disputes-due")
    follow(page, page.get_by_role("link", name=dispute.public_id))
    look(page, "dispute")


def answer_it(page: Page) -> None:
    dialog = open_dialog(page, "Evidence…")
    expect(dialog.locator("[name=customer_email_address]")).not_to_have_value("")
    dialog.locator("[name=uncategorized_text]").fill(SAID)
    look(page, "dispute-evidence-dialog")
    send(page, dialog, "Keep draft", "Kept as a draft; nothing was sent yet.")
    dialog = open_dialog(page, "Attach a document…")
    dialog.locator("[name=kind]").select_option("receipt")
    dialog.locator("[name=upload]").set_input_files({"name": "participants.pdf", "mimeType": "application/pdf", "buffer": LETTER})
    look(page, "dispute-attach-dialog")
    send(page, dialog, "Attach", "Attached; nothing was sent yet.")
    expect(page.get_by_role("link", name="participants.pdf")).to_be_visible()
    look(page, "dispute-answered")
    dialog = open_dialog(page, "Submit evidence…")
    expect(dialog.get_by_text("participants.pdf")).to_be_visible()
    look(page, "dispute-submit-dialog")
    send(page, dialog, "Submit evidence", "On its way to Stripe, which passes it to the bank.")


def submitted_to_stripe(product: Product, page: Page, dispute: Dispute) -> None:
    """Stripe has the words and the document, once, and nothing can be added any more."""
    sent = DisputeResponse.State.DONE
    until(lambda: DisputeResponse.objects.get(dispute=dispute).state == sent, "the evidence is at Stripe")
    until(lambda: Dispute.objects.get(pk=dispute.pk).status == "under_review", "the bank looks at it")
    client = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": product.sandbox.url})
    theirs = client.v1.disputes.retrieve(dispute.stripe_dispute_id)
    assert (theirs.status, theirs.evidence_details.submission_count) == ("under_review", 1)
    assert theirs.evidence.uncategorized_text == SAID
    assert [(each.id, each.size) for each in client.v1.files.list().data] == [(theirs.evidence.receipt, len(LETTER))]
    page.reload()
    expect(page.get_by_text("Under review").first).to_be_visible()
    expect(page.get_by_text("Submit evidence…")).to_have_count(0)


def won(product: Product, page: Page, dispute: Dispute, payment: Payment) -> None:
    product.sandbox.control.decide_dispute(dispute.stripe_dispute_id, "won")
    until(lambda: Dispute.objects.get(pk=dispute.pk).status == "won", "the dispute is won")
    until(lambda: balances.balance(DISPUTES_HELD, "USD") == 0, "the money is back")
    page.reload()
    expect(page.get_by_text("Won", exact=True).first).to_be_visible()
    look(page, "dispute-won")
    assert [each.amount for each in dispute.movements.order_by("id")] == [-payment.amount, payment.amount]
    assert_whole(payment, refunds=[])
