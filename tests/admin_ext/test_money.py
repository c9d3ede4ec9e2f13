"""The money page: figures that are the sums of the rows behind them, currencies apart, nobody else's money."""

import re
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin_ext.dashboards import money
from admin_ext.dashboards.money import Period
from audit.actor import Actor
from billing.models import Payment
from core.money import Money
from ledger.models import LedgerEntry
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting, sign_in
from tests.billing.test_refund_books import hear

pytestmark = pytest.mark.django_db
EVERYBODY = Actor.system("tests")
TODAY = date(2027, 3, 15)


def now() -> Period:
    return money.period({"days": "7"})


def figures(by: Actor = EVERYBODY, *, site: str = "admin", **of: Any) -> dict[tuple[str, str], tuple[int | None, str]]:
    found = money.blocks(by, now(), site=site, **of)
    return {(block.currency, one.title): (one.count, str(one.money)) for block in found for one in block.figures}


@pytest.fixture
def books(people: People) -> People:
    """North sold two places in USD and one in JPY, gave 10.00 back, and one is disputed; Rival sold one."""
    first = making.payment(people.north, amount=5000)
    making.dispute(making.payment(people.north, amount=7000))
    making.payment(people.north, amount=900, currency="JPY")
    making.payment(people.north, amount=100, paid=False)
    making.payment(people.rival, amount=1111)
    hear(making.refund(first, by=acting(people.finance), amount=1000), "succeeded")
    making.refund(first, by=acting(people.finance), amount=500)
    return people


class TestBlocks:
    def test_add_up_each_currency_by_itself(self, books: People) -> None:
        found = figures(organization_id=books.north.pk)

        assert found["USD", "Sales"] == (2, "120.00 USD")
        assert found["USD", "Refunds"] == (1, "10.00 USD")
        assert found["USD", "Disputes opened"] == (1, "70.00 USD")
        assert found["USD", "Payouts"] == (0, "0.00 USD")
        assert found["JPY", "Sales"] == (1, "900 JPY")
        assert figures()["USD", "Sales"] == (3, "131.11 USD")

    def test_agree_with_the_books(self, books: People) -> None:
        found = figures()
        for currency in ("USD", "JPY"):
            entries = LedgerEntry.objects.filter(currency=currency)
            sold = entries.filter(account="stripe_balance", transaction__reference__regex="^payment:[^:]+$").aggregate(Sum("amount"))
            fees = entries.filter(account="stripe_fees").aggregate(Sum("amount"))
            earned = entries.filter(account="organizer_payable").aggregate(Sum("amount"))
            assert found[currency, "Sales"][1] == str(Money(sold["amount__sum"], currency))
            assert found[currency, "Stripe's fees, by the books"][1] == str(Money(fees["amount__sum"], currency))
            assert found[currency, "Earned, after fees, tax and refunds"][1] == str(Money(-earned["amount__sum"], currency))

    def test_leave_out_what_happened_on_other_days(self, books: People) -> None:
        Payment.objects.filter(amount=7000).update(paid_at=timezone.now() - timedelta(days=7))
        assert figures(organization_id=books.north.pk)["USD", "Sales"] == (1, "50.00 USD")
        Payment.objects.filter(amount=7000).update(paid_at=timezone.now() - timedelta(days=6))
        assert figures(organization_id=books.north.pk)["USD", "Sales"] == (2, "120.00 USD")

    def test_show_an_organizer_their_own_organization_alone(self, books: People) -> None:
        found = figures(acting(books.charlie), site="console")
        assert found["USD", "Sales"] == (1, "11.11 USD")
        assert ("JPY", "Sales") not in found
        assert figures(acting(books.charlie), site="console", organization_id=books.north.pk) == {}


class TestPage:
    @pytest.mark.parametrize(("prefix", "who"), [("staff", "finance"), ("console", "alice")])
    def test_every_figure_leads_to_exactly_its_rows(self, books: People, prefix: str, who: str) -> None:
        client = sign_in(getattr(books, who))
        page = client.get(f"/{prefix}/billing/payment/money/?days=7").content.decode()
        rows = re.findall(r'<th scope="row"[^>]*>([^<]+)</th>\s*<td>(\d*)</td>\s*<td><a class="[^"]+" href="([^"]+)"', page)

        counted = [(title, int(count), unescape(url)) for title, count, url in rows if count]
        assert len(counted) == 8
        for title, count, url in counted:
            assert shown_rows(client, url) == count, title

    def test_asks_a_constant_number_of_questions(self, books: People) -> None:
        client = sign_in(books.finance)
        asked = []
        for _ in range(2):
            client.get("/staff/billing/payment/money/")
            with CaptureQueriesContext(connection) as queries:
                assert client.get("/staff/billing/payment/money/").status_code == 200
            asked.append(len(queries))
            making.payment(books.north, currency="EUR")
        with CaptureQueriesContext(connection) as own:
            money.blocks(EVERYBODY, now(), site="admin")

        assert asked[0] == asked[1]
        assert len(own) == 6

    def test_shows_one_organization_to_staff_and_none_of_others_to_organizers(self, books: People) -> None:
        url = f"billing/payment/money/?days=7&organization={books.north.public_id}"
        assert "120.00 USD" in sign_in(books.finance).get(f"/staff/{url}").content.decode()
        assert sign_in(books.charlie).get(f"/console/{url}").status_code == 404
        assert sign_in(books.finance).get("/staff/billing/payment/money/?organization=nonsense").status_code == 404

    def test_says_so_where_nothing_moved(self, people: People) -> None:
        assert "No money moved in this period." in sign_in(people.alice).get("/console/billing/payment/money/").content.decode()


def shown_rows(client: Client, url: str) -> int:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return len(answer.context["cl"].result_list)


class TestPeriod:
    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [
            ({}, date(2027, 2, 14), TODAY),
            ({"days": "7"}, date(2027, 3, 9), TODAY),
            ({"days": "8"}, date(2027, 2, 14), TODAY),
            ({"month": "2027-02"}, date(2027, 2, 1), date(2027, 2, 28)),
            ({"month": "2026-12"}, date(2026, 12, 1), date(2026, 12, 31)),
            ({"month": "9999-12"}, date(2027, 2, 14), TODAY),
            ({"month": "x"}, date(2027, 2, 14), TODAY),
            ({"from": "2027-01-05", "to": "2027-01-05"}, date(2027, 1, 5), date(2027, 1, 5)),
            ({"from": "2027-01-05", "to": "2027-01-04"}, date(2027, 2, 14), TODAY),
            ({"from": "2020-01-01", "to": "2027-01-04"}, date(2027, 2, 14), TODAY),
            ({"from": "2027-01-05"}, date(2027, 2, 14), TODAY),
            ({"from": "9998-01-01", "to": "9998-01-02"}, date(2027, 2, 14), TODAY),
        ],
    )
    def test_is_what_was_asked_for_or_thirty_days(self, asked: dict[str, str], first: date, last: date) -> None:
        assert money.period(asked, today=TODAY) == Period(first, last)
