"""Lists go on from a row: every row once whatever is added meanwhile, forwards and back, and a search goes through an index."""

import base64
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.views.main import PAGE_VAR
from django.db import connection
from django.utils import timezone

from admin_ext.console import keyset, row_search
from audit.models import AuditEntry
from billing.models import Dispute, Payment
from core import full_text
from core.public_ids import uuid7
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting, sign_in
from tests.sizes import SIZES

pytestmark = pytest.mark.django_db
UNIQUE = ("stripe_payment_intent_id", "stripe_charge_id", "stripe_balance_transaction_id")
LIST = "/staff/billing/payment/"


def walk(names: list[str], size: int, rows: Any = None, *, between: Any = None) -> list[Any]:
    """The keys of every row, page by page."""
    found, token, first = [], "", True
    while first or token:
        page = keyset.page(Payment.objects.all() if rows is None else rows, names, size, token)
        found += [row.pk for row in page.rows]
        token, first = page.later or "", False
        if between is not None:
            between()
    return found


class TestPages:
    @pytest.mark.parametrize("names", [["-pk"], ["pk"], ["amount", "pk"], ["-currency", "amount", "-pk"], ["organization__name", "-pk"]])
    def test_show_every_row_once_in_the_lists_order(self, people: People, names: list[str]) -> None:
        for amount in (5000, 5000, 7000, 100, 5000):
            making.payment(people.north, amount=amount)
        assert walk(names, 2) == list(Payment.objects.order_by(*names).values_list("pk", flat=True))

    @pytest.mark.parametrize("names", [["paid_at", "-pk"], ["-paid_at", "-pk"]])
    def test_know_where_rows_without_a_value_stand(self, people: People, names: list[str]) -> None:
        for hours in (None, 3, 1, None, 2, None):
            payment = making.payment(people.north)
            Payment.objects.filter(pk=payment.pk).update(paid_at=hours and timezone.now() - timedelta(hours=hours))
        for size in (1, 2, 4):
            assert walk(names, size) == list(Payment.objects.order_by(*names).values_list("pk", flat=True))

    def test_show_nobody_twice_when_rows_are_added_in_between(self, people: People) -> None:
        old = [making.payment(people.north).pk for _ in range(5)]
        seen = walk(["-pk"], 2, between=lambda: making.payment(people.north))
        assert [pk for pk in seen if pk in old] == old[::-1]
        assert len(seen) == len(set(seen))

    def test_lead_back_the_way_they_came(self, people: People) -> None:
        for _ in range(5):
            making.payment(people.north)
        first = keyset.page(Payment.objects.all(), ["-pk"], 2, "")
        second = keyset.page(Payment.objects.all(), ["-pk"], 2, first.later or "")
        third = keyset.page(Payment.objects.all(), ["-pk"], 2, second.later or "")
        assert (first.earlier, third.later, len(third.rows)) == (None, None, 1)
        back = keyset.page(Payment.objects.all(), ["-pk"], 2, third.earlier or "")
        assert back.rows == second.rows
        again = keyset.page(Payment.objects.all(), ["-pk"], 2, back.earlier or "")
        assert (again.rows, again.earlier) == (first.rows, None)

    def test_are_the_first_one_for_a_token_that_is_not_ours(self, people: People) -> None:
        making.payment(people.north)
        bad: list[Any] = [
            [], ["a"], ["c", "x"], ["a", "x"], ["a", 1, 2], ["a", {}], ["a", "\x00"], ["b", [1]], "text", 7, ["a", "2026-13-45"],
        ]  # fmt: skip
        tokens = [base64.urlsafe_b64encode(json.dumps(value).encode()).decode() for value in bad]
        for token in [*tokens, "2", "-1", "%%%", "ä", "x" * 2000]:
            assert len(keyset.page(Payment.objects.all(), ["-pk"], 2, token).rows) == 1, token


class TestLists:
    def test_lead_from_page_to_page(self, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("admin_ext.billing.payments.PaymentAdmin.list_per_page", 2, raising=False)
        emails = [f"p{number}@example.org" for number in range(5)]
        for email in emails:
            making.payment(people.north, email=email)
        client, url, seen = sign_in(people.finance), f"{LIST}?state__in=pending,succeeded", []
        while url:
            shown = client.get(url).content.decode()
            seen += list(dict.fromkeys(re.findall(r"p\d@example\.org", shown)))
            following = re.search(r'href="([^"]*)" rel="next"', shown)
            url = LIST + following[1].replace("&amp;", "&") if following else ""
            assert len(seen) <= 5
        assert seen == emails[::-1]

    def test_take_an_old_page_number_for_the_first_page(self, people: People) -> None:
        making.payment(people.north, email="zoe@example.org")
        for page in ("0", "7", "99999999999999999999", "x"):
            assert "zoe@example.org" in sign_in(people.finance).get(LIST, {PAGE_VAR: page}).content.decode()

    def test_show_no_foreign_row_whatever_the_token_names(self, people: People) -> None:
        mine, foreign = making.payment(people.north, email="mine@example.org"), making.payment(people.rival, email="foreign@example.org")
        client = sign_in(people.alice)
        for row in (mine, foreign):
            for backwards in (True, False):
                token = keyset._token(row, ["-pk"], backwards=backwards)
                assert "foreign@example.org" not in client.get("/console/billing/payment/", {PAGE_VAR: token}).content.decode()

    def test_sort_by_a_column_that_says_so(self, people: People) -> None:
        client = sign_in(people.finance)
        for days in (3, 1, 2):
            dispute = making.dispute(making.payment(people.north, email=f"day{days}@example.org"))
            Dispute.objects.filter(pk=dispute.pk).update(due_by=timezone.now() + timedelta(days=days))
        header = re.search(r'href="(\?o=[^"]*)"[^>]*>\s*Answer by', client.get("/staff/billing/dispute/").content.decode())
        assert header is not None
        shown = client.get(f"/staff/billing/dispute/{header[1]}").content.decode()
        assert list(dict.fromkeys(re.findall(r"day\d", shown))) == ["day1", "day2", "day3"]


class TestSearch:
    def finds(self, people: People, text: str) -> set[str]:
        shown = sign_in(people.finance).get(LIST, {"q": text}).content.decode()
        return set(re.findall(r"(?:zoe|max)@[a-z]+\.example", shown))

    @pytest.mark.parametrize(
        "text", ["zoe@north.example", "zoe@", "north.example", "Ågr", "ågren zo", "zebra", "Zebra cross", "pi_zoe_1", "ZOE"]
    )
    def test_finds_by_the_beginnings_of_words_and_by_whole_ids(self, people: People, text: str) -> None:
        wanted = making.payment(people.north, email="zoe@north.example", name="Zoë Ågren", description="The Zebra crossing")
        Payment.objects.filter(pk=wanted.pk).update(stripe_payment_intent_id="pi_zoe_1")
        making.payment(people.north, email="max@south.example", name="Max", description="Ethics")
        assert self.finds(people, text) == {"zoe@north.example"}

    @pytest.mark.parametrize("text", ["ebra", "zebra ethics", "@@@", "& | ! :* ( '", "\\", "%", "pi_zoe"])
    def test_finds_nothing_else(self, people: People, text: str) -> None:
        making.payment(people.north, email="zoe@north.example", name="Zoë", description="The Zebra crossing")
        making.payment(people.north, email="max@south.example", name="Max", description="Ethics")
        assert self.finds(people, text) == set()

    def test_reaches_through_to_a_payment(self, people: People) -> None:
        making.refund(making.payment(people.north, email="zoe@north.example"), by=acting(people.francis))
        making.refund(making.payment(people.north, email="max@south.example"), by=acting(people.francis))
        shown = sign_in(people.finance).get("/staff/billing/refund/", {"q": "north"}).content.decode()
        assert "zoe@north.example" in shown
        assert "max@south.example" not in shown

    def test_goes_through_indexes_alone(self, people: People) -> None:
        template = making.payment(people.north, paid=False, description="Ethics in practice")
        many(template, SIZES.list_rows)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE billing_payment")
        found = row_search.search(Payment.objects.all(), ("email", "name", "description", "=subject", "=stripe_charge_id"), "zebra")
        last = Payment.objects.filter(pk__lt=Payment.objects.order_by("pk")[10].pk).order_by("-pk")[:50]
        for rows in (found, found.order_by("-pk")[:51], last):
            plan = rows.explain()
            assert "Seq Scan" not in plan, plan
        assert found.count() == 1


def many(template: Payment, count: int) -> None:
    """Copies of a payment, one of them about a zebra, in one statement."""
    columns = [field.column for field in Payment._meta.concrete_fields if field.column not in ("id", "description", *UNIQUE)]
    keys = [uuid7() for _ in range(count)]
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO billing_payment (id, description, {names}) "
            f"SELECT made.k, CASE WHEN made.n = 7 THEN 'Zebra crossing' ELSE 'Ethics ' || made.n END, {names} "
            "FROM billing_payment, unnest(%s::uuid[]) WITH ORDINALITY AS made (k, n) WHERE id = %s",
            [keys, template.pk],
        )


class TestWords:
    def test_are_looked_for_in_the_columns_that_the_index_holds(self) -> None:
        assert full_text.indexed(Payment) == ("email", "name", "description")
        assert full_text.indexed(AuditEntry) == ("reason",)
        assert full_text.indexed(Dispute) == ()

    def test_need_a_word(self) -> None:
        with pytest.raises(ValueError, match="without a word"):
            full_text.query("@@")
        assert not full_text.matching(Payment.objects.all(), "@@").exists()
