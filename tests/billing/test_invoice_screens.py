"""Invoices of subscriptions: listed to those who pay and to staff, each of Stripe's pages asked for at each click and kept nowhere."""

from collections.abc import Callable

import pytest
from django.contrib.messages import get_messages
from django.db import transaction

from billing import invoice_links
from billing.invoice_links import Page
from billing.models import Invoice, Subscription
from core.errors import NotFound
from core.outside_calls import OutsideCallInTransaction
from sandbox.stripe.server import Sandbox
from tests.admin_ext import making
from tests.admin_ext.conftest import sign_in
from tests.factories.billing import finance
from tests.factories.people import Personas, UserFactory
from tests.sandbox.test_pages import visit

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(subscribed: Callable[[], Subscription]) -> Invoice:
    subscribed()
    return Invoice.objects.get()


def address(prefix: str, invoice: Invoice, page: str) -> str:
    return f"/{prefix}/billing/invoice/{invoice.public_id}/{page}/"


class TestScreens:
    def test_show_number_period_amount_and_state(self, people: Personas, invoice: Invoice) -> None:
        making.invoice(people.elsewhere, number="ELSEWHERE-1")
        listed = sign_in(people.alice).get("/console/billing/invoice/").content.decode()
        assert invoice.period_starts_at is not None
        for text in (invoice.number, "49.00", "Paid", f"{invoice.period_starts_at:%-d %b %Y} to", address("console", invoice, "pdf")):
            assert text in listed
        assert "ELSEWHERE-1" not in listed
        client = sign_in(UserFactory(staff_groups=["finance"]))
        assert "ELSEWHERE-1" in client.get("/staff/billing/invoice/").content.decode()
        detail = client.get(f"/staff/billing/invoice/{invoice.public_id}/change/").content.decode()
        assert "Page at Stripe" in detail
        assert ("Ledger entries" in detail, "Nothing is posted" in detail) == (True, False)

    def test_offer_no_page_of_a_draft(self, people: Personas) -> None:
        draft = making.invoice(people.organization, status="draft", period_starts_at=None, period_ends_at=None)
        client = sign_in(people.alice)
        for page in (client.get("/console/billing/invoice/"), client.get(f"/console/billing/invoice/{draft.public_id}/change/")):
            assert "/pdf/" not in page.content.decode()

    def test_are_for_admins(self, people: Personas, invoice: Invoice) -> None:
        for who in (people.bob, people.charlie):
            client = sign_in(who)
            assert client.get(f"/console/billing/invoice/{invoice.public_id}/change/").status_code in (403, 404)
            assert client.get(address("console", invoice, "pdf")).status_code in (403, 404)


class TestPages:
    @pytest.mark.parametrize(("page", "field"), [("pdf", "invoice_pdf"), ("pay", "hosted_invoice_url")])
    def test_are_asked_for_at_each_click(self, people: Personas, invoice: Invoice, sandbox: Sandbox, page: str, field: str) -> None:
        client = sign_in(people.alice)
        first = client.get(address("console", invoice, page))
        assert (first.status_code, invoice.number in visit(sandbox, first.headers["Location"])[1]) == (302, True)
        theirs = sandbox.world.store.get("invoice", invoice.stripe_invoice_id)
        theirs[field] += "?moved"
        sandbox.world.store.save(theirs)
        assert client.get(address("console", invoice, page)).headers["Location"] == f"{first.headers['Location']}?moved"

    def test_say_in_a_sentence_that_stripe_does_not_answer(self, people: Personas, invoice: Invoice, sandbox: Sandbox) -> None:
        sandbox.control.fault("reset_before", method="GET", path=f"/v1/invoices/{invoice.stripe_invoice_id}")
        answer = sign_in(people.alice).get(address("console", invoice, "pay"))
        assert answer.headers["Location"] == f"/console/billing/invoice/{invoice.public_id}/change/"
        assert [str(one) for one in get_messages(answer.wsgi_request)] == [
            "Stripe does not answer just now, so nothing was shown and nothing was done; try again in a moment."
        ]

    def test_say_so_where_stripe_has_none(self, people: Personas, invoice: Invoice, sandbox: Sandbox) -> None:
        theirs = sandbox.world.store.get("invoice", invoice.stripe_invoice_id)
        sandbox.world.store.save({**theirs, "invoice_pdf": None})
        for one in (invoice, making.invoice(people.organization)):
            with pytest.raises(invoice_links.InvoiceUnreachable):
                invoice_links.url(invoice_id=one.pk, page=Page.PDF, by=finance())

    def test_are_never_asked_for_by_others_or_inside_a_transaction(self, people: Personas, invoice: Invoice) -> None:
        with pytest.raises(NotFound):
            invoice_links.url(invoice_id=invoice.pk, page=Page.PDF, by=people.as_charlie)
        with transaction.atomic(), pytest.raises(OutsideCallInTransaction):
            invoice_links.url(invoice_id=invoice.pk, page=Page.PDF, by=people.as_alice)
