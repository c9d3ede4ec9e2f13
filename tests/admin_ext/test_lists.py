"""Lists stay fast however long they are, and show no column that nobody may read."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from admin_ext.console import paging
from admin_ext.sites import console_site, staff_site
from billing.models import Payment
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting, sign_in

pytestmark = pytest.mark.django_db


def fill(people: People, times: int) -> None:
    for _ in range(times):
        event = making.event(people.north, people.alice)
        making.registration(event, payment=making.payment(people.north, for_event=event))
        making.refund(making.payment(people.north), by=acting(people.francis))
        making.dispute(making.payment(people.north))
        making.document(making.payment(people.north))
        making.inbound_event()


class TestEveryList:
    @pytest.mark.parametrize(("prefix", "site", "who"), [("staff", staff_site, "finance"), ("console", console_site, "alice")])
    def test_asks_as_many_questions_for_many_rows_as_for_few(self, people: People, prefix: str, site: Any, who: str) -> None:
        client = sign_in(getattr(people, who))
        urls = [f"/{prefix}/{model._meta.app_label}/{model._meta.model_name}/" for model in site._registry]
        fill(people, 1)
        few = {url: queries(client, url) for url in urls for _ in range(2)}
        fill(people, 4)

        assert {url: queries(client, url) for url in urls} == few
        assert max(few.values()) <= 25

    def test_counts_no_further_than_it_says(self, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paging, "COUNTED", 3)
        fill(people, 2)
        client = sign_in(people.finance)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            shown = client.get("/staff/billing/payment/?state__in=succeeded").content.decode()

        assert "more than 3" in shown
        counts = [query["sql"] for query in asked if "COUNT(*)" in query["sql"] and "billing_payment" in query["sql"]]
        assert counts
        assert all("LIMIT 4" in sql for sql in counts)

    def test_cannot_be_asked_about_a_column_that_it_does_not_show(self, people: People) -> None:
        """Or a password's hash could be read letter by letter from which rows come back."""
        finance = sign_in(people.finance)
        answer = finance.get("/staff/accounts/user/?password__startswith=m")

        assert answer.status_code in (302, 400)

    def test_finds_a_row_by_its_public_id(self, people: People) -> None:
        wanted, other = making.payment(people.north, email="zoe@example.org"), making.payment(people.north, email="other@example.org")
        shown = sign_in(people.finance).get(f"/staff/billing/payment/?q={wanted.public_id}").content.decode()

        assert "zoe@example.org" in shown
        assert other.email not in shown
        assert Payment.objects.count() == 2


def queries(client: Any, url: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert client.get(url).status_code == 200, url
    return len(asked)
