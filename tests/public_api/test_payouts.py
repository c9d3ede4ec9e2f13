"""Balance, payouts and statements over the API: for the organization's admins, and nobody else."""

import csv
from typing import Any

import pytest
from django.test import Client

from billing import fulfillment
from billing.models import PayoutRequest
from organizations.models import Organization
from tests.admin_ext.conftest import Nothing
from tests.billing.test_payout_statements import paid_out, written
from tests.factories.billing import paid_payment
from tests.factories.payouts import read_balances
from tests.factories.people import Personas, personas
from tests.paper import words
from tests.public_api.calling import code, get, post, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.1")]


@pytest.fixture(autouse=True)
def sells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fulfillment._handlers, "test", Nothing())


@pytest.fixture
def people(settings: Any) -> Personas:
    settings.SECOND_FACTOR_REQUIRED = False  # tests of the operation ask for it
    made = personas()
    paid_payment(amount=50_000, organization=made.organization)
    read_balances()
    return made


@pytest.fixture
def alice(people: Personas) -> Client:
    return signed_in(people.alice)


def of(organization: Organization, what: str) -> str:
    return f"/organizations/{organization.public_id}/{what}"


class TestBalance:
    def test_tells_each_part_per_currency(self, people: Personas, alice: Client) -> None:
        paid_payment(amount=12_000, currency="KWD", organization=people.organization)
        found = get(alice, of(people.organization, "balance")).json()["balances"]

        assert [(one["currency"], one["payable"]["amount"], one["available"]["amount"]) for one in found] == [
            ("KWD", 12_000, 12_000),
            ("USD", 50_000, 50_000),
        ]
        assert found[0]["read_at"] is None
        assert found[1]["minimum"] == {"amount": 1000, "currency": "USD"}

    def test_is_not_for_organizers_or_strangers(self, people: Personas) -> None:
        assert get(signed_in(people.bob), of(people.organization, "balance")).status_code == 403
        assert get(signed_in(people.charlie), of(people.organization, "balance")).status_code == 404


class TestRequest:
    def test_asks_for_all_that_is_available(self, people: Personas, alice: Client) -> None:
        answer = post(alice, of(people.organization, "payouts"), {"currency": "USD"})
        assert answer.status_code == 201
        body = answer.json()
        assert (body["state"], body["amount"], body["statement"]) == ("requested", {"amount": 50_000, "currency": "USD"}, None)
        assert PayoutRequest.objects.get().source == "api"
        assert get(alice, f"/payouts/{body['id']}").json() == body

    def test_is_one_payout_for_one_key(self, people: Personas, alice: Client) -> None:
        address, body = of(people.organization, "payouts"), {"currency": "USD", "amount": 2000}
        first, again = (post(alice, address, body, key="one-key") for _ in range(2))
        assert first.json() == again.json()
        assert PayoutRequest.objects.count() == 1
        assert code(post(alice, address, body)) == "PAYOUT_ALREADY_OPEN"

    @pytest.mark.parametrize(
        ("body", "refusal"),
        [
            ({"currency": "USD", "amount": 999}, "BELOW_PAYOUT_MINIMUM"),
            ({"currency": "USD", "amount": 50_001}, "EXCEEDS_AVAILABLE"),
            ({"currency": "CHF"}, "PAYOUTS_NOT_USABLE"),
            ({"currency": "usd"}, "VALIDATION_ERROR"),
            ({"currency": "USD", "amount": 0}, "VALIDATION_ERROR"),
            ({}, "VALIDATION_ERROR"),
        ],
    )
    def test_says_why_not_and_makes_none(self, people: Personas, alice: Client, body: dict[str, Any], refusal: str) -> None:
        assert code(post(alice, of(people.organization, "payouts"), body)) == refusal
        assert not PayoutRequest.objects.exists()

    def test_wants_the_second_factor(self, people: Personas, alice: Client, settings: Any) -> None:
        settings.SECOND_FACTOR_REQUIRED = True
        assert code(post(alice, of(people.organization, "payouts"), {"currency": "USD"})) == "SECOND_FACTOR_REQUIRED"
        assert not PayoutRequest.objects.exists()

    def test_is_not_for_organizers_or_strangers(self, people: Personas) -> None:
        for person, status in ((people.bob, 403), (people.charlie, 404)):
            assert post(signed_in(person), of(people.organization, "payouts"), {"currency": "USD"}).status_code == status
        assert not PayoutRequest.objects.exists()


class TestList:
    def test_goes_page_by_page_and_filters_by_state(self, people: Personas, alice: Client, django_assert_num_queries: Any) -> None:
        for amount in (2000, 3000, 4000):
            paid_out(people.organization, amount)
        post(alice, of(people.organization, "payouts"), {"currency": "USD"})
        address = of(people.organization, "payouts")
        first = get(alice, f"{address}?limit=3").json()
        rest = get(alice, f"{address}?limit=3&cursor={first['next']}").json()

        assert [one["amount"]["amount"] for one in [*first["items"], *rest["items"]]] == [41_000, 4000, 3000, 2000]
        assert rest["next"] is None
        assert [one["state"] for one in get(alice, f"{address}?state=requested").json()["items"]] == ["requested"]

    def test_is_not_for_organizers_or_strangers(self, people: Personas) -> None:
        assert get(signed_in(people.bob), of(people.organization, "payouts")).status_code == 403
        assert get(signed_in(people.charlie), of(people.organization, "payouts")).status_code == 404


class TestStatement:
    def test_is_given_as_csv_or_pdf_once_it_was_made(self, people: Personas, alice: Client) -> None:
        payout = paid_out(people.organization)
        assert get(alice, f"/payouts/{payout.public_id}/statement").status_code == 404
        written(payout)
        path = get(alice, f"/payouts/{payout.public_id}").json()["statement"].removeprefix("/api/v1")
        sheet, paper = get(alice, path), get(alice, f"{path}?format=pdf")

        lines = list(csv.reader(b"".join(sheet.streaming_content).decode().splitlines()))
        assert [row[1] for row in lines] == ["What", "Opening", "Sales", "Payouts", "Closing"]
        assert "Payout statement" in words(paper.content)
        assert sheet["Content-Disposition"].endswith('.csv"')

    def test_is_not_for_organizers_or_strangers(self, people: Personas) -> None:
        payout = paid_out(people.organization)
        written(payout)
        for person in (people.bob, people.charlie):
            for path in (f"/payouts/{payout.public_id}", f"/payouts/{payout.public_id}/statement"):
                assert get(signed_in(person), path).status_code == 404
