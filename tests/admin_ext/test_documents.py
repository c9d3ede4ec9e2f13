"""Receipts and credit notes in both consoles: found by number, downloaded, reached from payment and refund, never foreign."""

import pytest

from audit.models import AuditEntry
from billing.documents import issuing
from billing.models import Document, Payment, Refund
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting, sign_in
from tests.billing.test_refund_books import hear
from tests.paper import words

pytestmark = [pytest.mark.django_db, pytest.mark.gap("9.3")]


@pytest.fixture
def refund(people: People) -> Refund:
    made = making.refund(making.payment(people.north), by=acting(people.finance))
    hear(made, "succeeded")
    issuing.issue(payment_id=made.payment_id)
    return made


def papers(refund: Refund) -> list[Document]:
    return list(Document.objects.filter(payment=refund.payment_id).order_by("id"))


@pytest.mark.parametrize(("prefix", "who"), [("staff", "finance"), ("console", "alice"), ("console", "bob")])
class TestForThoseWhoMaySee:
    def test_the_pdf_is_one_click_from_payment_and_refund(self, people: People, refund: Refund, prefix: str, who: str) -> None:
        client, (receipt, note) = sign_in(getattr(people, who)), papers(refund)
        payment_page = client.get(f"/{prefix}/billing/payment/{refund.payment.public_id}/change/").content.decode()
        refund_page = client.get(f"/{prefix}/billing/refund/{refund.public_id}/change/").content.decode()

        links = {one: f"/{prefix}/billing/document/{one.public_id}/pdf/" for one in (receipt, note)}
        assert all(f'href="{link}"' in payment_page for link in links.values())
        assert links[note] in refund_page
        assert links[receipt] not in refund_page
        answer = client.get(links[note])
        assert answer["Content-Type"] == "application/pdf"
        assert words(answer.content).startswith(f"Credit note {note.shown_number}")

    def test_the_list_finds_a_number_in_any_spelling(self, people: People, refund: Refund, prefix: str, who: str) -> None:
        client, (receipt, note) = sign_in(getattr(people, who)), papers(refund)
        for typed in (receipt.shown_number, receipt.shown_number.lower(), f"R-{receipt.year}-1", receipt.public_id):
            shown = client.get(f"/{prefix}/billing/document/?q={typed}").content.decode()
            assert f"{receipt.public_id}/pdf/" in shown, typed
            assert note.public_id not in shown, typed
        assert note.public_id in client.get(f"/{prefix}/billing/document/?kind__exact=credit_note").content.decode()
        assert note.public_id in client.get(f"/{prefix}/billing/document/?q={refund.payment.email}").content.decode()

    def test_the_page_shows_lines_and_what_followed(self, people: People, refund: Refund, prefix: str, who: str) -> None:
        client, (receipt, note) = sign_in(getattr(people, who)), papers(refund)
        page = client.get(f"/{prefix}/billing/document/{receipt.public_id}/change/").content.decode()

        assert "Later documents about it" in page
        assert note.shown_number in page
        assert "Later documents" not in client.get(f"/{prefix}/billing/document/{note.public_id}/change/").content.decode()


class TestForTheWrongPeople:
    def test_it_does_not_exist(self, people: People, refund: Refund) -> None:
        receipt = papers(refund)[0]
        for prefix in ("console", "staff"):
            answer = sign_in(people.charlie).get(f"/{prefix}/billing/document/{receipt.public_id}/pdf/")
            assert answer.status_code in (302, 403, 404)
            assert b"%PDF" not in answer.content
        assert sign_in(people.charlie).get(f"/console/billing/document/{receipt.public_id}/pdf/").status_code == 404

    def test_it_cannot_be_posted_to(self, people: People, refund: Refund) -> None:
        receipt = papers(refund)[0]
        assert sign_in(people.alice).post(f"/console/billing/document/{receipt.public_id}/pdf/").status_code == 405
        assert Payment.objects.get().documents.count() == 2


class TestOrganization:
    def test_edits_what_stands_on_its_receipts_with_a_trail(self, people: People) -> None:
        client = sign_in(people.alice)
        url = f"/console/organizations/organization/{people.north.public_id}/change/"
        seen = people.north.updated_at.isoformat()
        form = {"name": people.north.name, "description": "", "country": "US", "_seen": seen}
        client.post(url, {**form, "legal_name": "North Clinic Inc.", "address": "1 Main St\nSpringfield", "tax_id": "12-3456789"})

        north = type(people.north).objects.get(pk=people.north.pk)
        assert (north.legal_name, north.tax_id) == ("North Clinic Inc.", "12-3456789")
        entry = AuditEntry.objects.get(action="organization.edited")
        assert entry.before == {"legal_name": "", "address": "", "tax_id": ""}
        assert entry.after["legal_name"] == "North Clinic Inc."
