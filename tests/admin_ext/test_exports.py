"""A list as a file: what it shows, for whom it may be, and that somebody can see later who took it."""

import csv
import io
from typing import Any

import pytest
from django.test import Client

from admin_ext.console import export
from admin_ext.sites import console_site, staff_site
from audit.models import AuditEntry
from billing.models import Payment
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting, sign_in
from tests.factories import attendance as attended

pytestmark = pytest.mark.django_db
PAYMENTS = "/staff/billing/payment/"
TEN_MINUTES = 601


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.status_code
    text = b"".join(answer.streaming_content).decode()
    assert text.startswith(export.BOM)
    return list(csv.DictReader(io.StringIO(text.removeprefix(export.BOM))))


def exported(client: Client, url: str = PAYMENTS, query: str = "") -> list[dict[str, str]]:
    return rows_of(client.post(f"{url}export.csv{query}"))


class TestExport:
    def test_holds_what_the_list_shows_in_its_order(self, people: People) -> None:
        first, second = making.payment(people.north, email="zoe@example.org"), making.payment(people.rival, amount=1234)
        made = exported(sign_in(people.finance))

        assert [row["Id"] for row in made] == [second.public_id, first.public_id]
        assert (made[1]["Email"], made[0]["Due"], made[0]["Organization"]) == ("zoe@example.org", "12.34", "Rival Academy")
        assert made[0]["Paid"].endswith("Z")

    def test_leaves_out_what_filters_and_search_leave_out(self, people: People) -> None:
        wanted = making.payment(people.north, email="zoe@example.org", paid=False)
        making.payment(people.north, email="other@example.org", paid=False)
        making.payment(people.north, email="zoe@example.com")
        made = exported(sign_in(people.finance), query="?q=zoe&state__in=pending")

        assert [row["Id"] for row in made] == [wanted.public_id]

    def test_is_whole_from_whatever_page_it_is_asked_for(self, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "CHUNK", 100)
        for _ in range(5):
            making.payment(people.north, paid=False)
        assert len(exported(sign_in(people.finance), query="?p=WyJhIl0")) == 5

    @pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1"])
    def test_holds_no_formula(self, people: People, name: str) -> None:
        making.payment(people.north, name=name, paid=False)
        assert exported(sign_in(people.finance))[0]["Name"] == f"'{name}"

    def test_keeps_quotes_lines_and_letters(self, people: People) -> None:
        name = 'Zoë "the\nsurgeon", 外科 100%s \\.'
        making.payment(people.north, name=name, paid=False)
        assert exported(sign_in(people.finance))[0]["Name"] == name

    def test_writes_money_by_its_currency(self, people: People) -> None:
        making.payment(people.north, amount=5000, currency="JPY", paid=False)
        assert exported(sign_in(people.finance))[0]["Due"] == "5000"

    @pytest.mark.parametrize(("prefix", "site", "who"), [("staff", staff_site, "finance"), ("console", console_site, "alice")])
    def test_works_for_every_list_that_offers_it(self, people: People, prefix: str, site: Any, who: str) -> None:
        event = making.event(people.north, people.alice)
        making.registration(event, payment=making.payment(people.north, for_event=event))
        making.refund(making.payment(people.north), by=acting(people.francis))
        making.document(making.payment(people.north))
        making.invoice(people.north)
        making.invitation(people.north, people.alice, "asked@example.org")
        making.redemption(making.promo_code(people.north, people.alice), making.registration(event))
        attended.verdict(making.registration(event))
        client, tried = sign_in(getattr(people, who)), []
        for model, admin in site._registry.items():
            if admin.export_fields:
                url = f"/{prefix}/{model._meta.app_label}/{model._meta.model_name}/"
                assert f"{url}export.csv" in client.get(url).content.decode()
                assert exported(client, url), url
                tried.append(model)
        assert len(tried) >= 5


class TestWhoMay:
    def test_organizers_only_their_own(self, people: People) -> None:
        mine = making.payment(people.north)
        making.payment(people.rival, email="payer@rival.example")
        made = exported(sign_in(people.alice), "/console/billing/payment/")

        assert [row["Id"] for row in made] == [mine.public_id]
        assert "Organization" not in made[0]

    def test_nobody_with_a_second_factor_used_long_ago(self, people: People) -> None:
        making.payment(people.north)
        answer = sign_in(people.finance, factor_age=TEN_MINUTES).post(f"{PAYMENTS}export.csv")

        assert answer.status_code == 302
        assert not AuditEntry.objects.filter(action="list.exported").exists()

    def test_nobody_by_following_a_link(self, people: People) -> None:
        assert sign_in(people.finance).get(f"{PAYMENTS}export.csv").status_code == 405

    def test_no_course_manager(self, people: People) -> None:
        person = making.user("cora")
        making.member(people.north, person, "course_manager")
        client = sign_in(person)
        answer = client.post("/console/organizations/membership/export.csv", follow=True)

        assert not answer.streaming
        assert "export.csv" not in client.get("/console/organizations/membership/").content.decode()
        assert not AuditEntry.objects.filter(action="list.exported").exists()

    def test_no_more_rows_than_the_limit(self, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "MOST", 1)
        making.payment(people.north, paid=False)
        making.payment(people.north, paid=False)
        answer = sign_in(people.finance).post(f"{PAYMENTS}export.csv", follow=True)

        assert "at most 1 rows" in answer.content.decode()
        assert Payment.objects.count() == 2


class TestTrace:
    def test_says_who_took_what(self, people: People) -> None:
        making.payment(people.north, email="zoe@example.org")
        exported(sign_in(people.alice), "/console/billing/payment/", "?q=zoe")
        entry = AuditEntry.objects.get(action="list.exported")

        assert (entry.user_id, entry.organization_id) == (people.alice.pk, people.north.pk)
        assert entry.after == {"list": "billing.payment", "rows": 1, "filters": "q=zoe"}
