"""The buyer's receipt and credit notes: by the guest's key, by one's account, by the organizer; nobody else's."""

from typing import Any

import pytest
from django.test import Client

from billing.documents import issuing
from billing.models import Document
from notifications.models import Message
from registrations import guest_links
from registrations.models import Registration
from tests.factories.people import UserFactory
from tests.factories.registrations import paid, paid_event, pay, register
from tests.paper import words

pytestmark = [pytest.mark.django_db, pytest.mark.gap("9.3")]


def address(place: Registration, what: str = "receipt", *, key: str | None = None) -> str:
    key = guest_links.manage_key(place.pk) if key is None else key
    return f"/api/v1/registrations/{place.public_id}/{what}" + (f"?key={key}" if key else "")


def issue(place: Registration) -> list[Document]:
    assert place.payment_id is not None
    return issuing.issue(payment_id=place.payment_id)


@pytest.fixture
def place() -> Registration:
    made = pay(register(paid_event(title="Ethics in practice")).registration)
    issue(made)
    return made


class TestReceipt:
    def test_is_a_pdf_that_no_cache_keeps(self, place: Registration) -> None:
        answer = Client().get(address(place))

        document = Document.objects.get(payment=place.payment_id)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["Content-Disposition"] == f'inline; filename="{document.shown_number}.pdf"'
        assert "Ethics in practice 50.00 USD Total paid 50.00 USD" in words(answer.content)

    def test_opens_to_the_account_that_bought_it(self) -> None:
        zoe = UserFactory.create()
        place = paid(user=zoe)
        issue(place)
        client = Client()
        client.force_login(zoe)

        assert client.get(address(place, key="")).status_code == 200
        client.force_login(UserFactory.create())
        assert client.get(address(place, key="")).status_code == 404

    def test_is_not_found_before_it_is_issued_or_where_nothing_was_paid(self) -> None:
        unpaid, free = register(paid_event()).registration, register(paid_event(price_amount=0)).registration
        for place in (unpaid, free):
            answer = Client().get(address(place))
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")

    def test_does_not_open_by_a_wrong_key(self, place: Registration) -> None:
        assert Client().get(address(place, key="wrong")).status_code == 404
        assert Client().get(address(place, key="")).status_code == 404


class TestDocument:
    def test_is_listed_with_the_registration_and_found_by_its_id(self, place: Registration) -> None:
        receipt = Document.objects.get(payment=place.payment_id)
        shown = Client().get(f"/api/v1/registrations/{place.public_id}?key={guest_links.manage_key(place.pk)}").json()
        listed = shown["payment"]["documents"]

        assert [(one["id"], one["kind"], one["number"], one["amount"]) for one in listed] == [
            (receipt.public_id, "receipt", receipt.shown_number, {"amount": 5000, "currency": "USD"})
        ]
        assert Client().get(address(place, f"documents/{receipt.public_id}")).status_code == 200

    def test_of_another_place_is_not_found(self, place: Registration) -> None:
        other = pay(register(paid_event()).registration)
        theirs = issue(other)[0]

        assert Client().get(address(place, f"documents/{theirs.public_id}")).status_code == 404
        assert Client().get(address(other, f"documents/{theirs.public_id}")).status_code == 200


class TestPages:
    def test_link_the_documents_of_the_place_with_its_key(self, place: Registration) -> None:
        receipt, key = Document.objects.get(payment=place.payment_id), guest_links.manage_key(place.pk)
        page = Client().get(f"/registrations/{place.public_id}?key={key}").content.decode()
        link = f"/registrations/{place.public_id}/documents/{receipt.public_id}?key={key}"

        assert f'href="{link}"' in page
        assert receipt.shown_number in page
        assert words(Client().get(link).content).startswith(f"Receipt {receipt.shown_number}")

    def test_open_to_nobody_else(self, place: Registration) -> None:
        receipt = Document.objects.get(payment=place.payment_id)
        other = pay(register(paid_event()).registration)
        key = guest_links.manage_key(other.pk)
        for url in (
            f"/registrations/{place.public_id}/documents/{receipt.public_id}",
            f"/registrations/{place.public_id}/documents/{receipt.public_id}?key={key}",
            f"/registrations/{other.public_id}/documents/{receipt.public_id}?key={key}",
            f"/registrations/{other.public_id}/documents/nonsense?key={key}",
        ):
            assert Client().get(url).status_code == 404, url

    def test_of_a_free_place_have_none(self) -> None:
        free, receipt = register(paid_event(price_amount=0)).registration, issue(pay(register(paid_event()).registration))[0]
        url = f"/registrations/{free.public_id}/documents/{receipt.public_id}?key={guest_links.manage_key(free.pk)}"

        assert Client().get(url).status_code == 404


class TestMail:
    def test_leads_a_guest_to_the_receipt_with_the_key(self, place: Registration, settings: Any, run_jobs: Any) -> None:
        run_jobs()
        receipt = Document.objects.get(payment=place.payment_id)
        link = f"{settings.BASE_URL}/registrations/{place.public_id}/documents/{receipt.public_id}?key={guest_links.manage_key(place.pk)}"
        assert link in Message.objects.get(kind="payment_receipt").text
