"""Promo codes in the consoles: made, changed, stopped, imported, exported, and who used them."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from admin_ext.models import BulkItem, BulkRun
from events.models import Event
from promo_codes import code_files
from promo_codes.models import PromoCode, PromoCodeLine
from promo_codes.purging import purge
from tests.admin_ext import making
from tests.admin_ext.conftest import People, sign_in
from tests.admin_ext.test_people import press
from tests.draining import drain
from tests.factories.promo_codes import now, promo_code
from tests.factories.registrations import register

CODES = "/console/promo_codes/promocode/"
TYPED = {"code": "SPRING", "kind": "percent", "value": "20", "first_time_only": ""}


@pytest.fixture
def alice(people: People) -> Client:
    return sign_in(people.alice)


@pytest.fixture
def event(people: People) -> Event:
    return making.event(people.north, people.alice)


def page(code: PromoCode) -> str:
    return f"{CODES}{code.public_id}/change/"


def saved(client: Client, address: str, **typed: Any) -> Any:
    answer = client.get(address)
    return client.post(address, {**typed, "_seen": answer.context["seen"]}, follow=True)


class TestForm:
    def test_makes_a_code_of_the_consoles_organization(self, people: People, alice: Client, event: Event) -> None:
        given = {"currency": "USD", "cap": "50", "minimum": "10.50", "starts_at": "2026-01-01T10:00", "max_uses": "20"}
        answer = saved(alice, f"{CODES}add/", **{**TYPED, "value": "12.5 %"}, **given, events=f"{event.slug}\n{event.public_id}")

        made = PromoCode.objects.get()
        assert answer.status_code == 200
        assert (made.organization, made.responsible, made.basis_points) == (people.north, people.alice, 1250)
        assert (made.cap_amount, made.minimum_amount, made.max_uses, made.subjects) == (5000, 1050, 20, [event.public_id])
        assert made.starts_at is not None
        assert made.starts_at.isoformat() == "2026-01-01T10:00:00+00:00"
        assert "12.5 %, at most 50.00 USD" in alice.get(CODES).content.decode()

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            ({"value": "101"}, "up to 100"),
            ({"value": "a lot"}, "up to 100"),
            ({"cap": "5"}, "Choose the currency"),
            ({"kind": "fixed", "value": "1.005", "currency": "USD"}, "a number that USD has"),
            ({"kind": "fixed", "value": "12,50", "currency": "EUR"}, "a number that EUR has, such as 15.00"),
            ({"code": "two words"}, "no spaces"),
            ({"events": "no-such-event"}, "one of these is none"),
            ({"starts_at": "2027-01-01T10:00", "ends_at": "2026-01-01T10:00"}, "must end after it begins"),
            ({"currency": "USD"}, "leave the currency out"),
        ],
    )
    def test_says_what_to_do_and_makes_nothing(self, alice: Client, typed: dict[str, str], says: str) -> None:
        assert says in saved(alice, f"{CODES}add/", **{**TYPED, **typed}).content.decode()
        assert not PromoCode.objects.exists()

    def test_refuses_a_spelling_that_is_taken(self, people: People, alice: Client) -> None:
        promo_code(people.north, code="spring")
        assert "of this spelling already" in saved(alice, f"{CODES}add/", **TYPED).content.decode()

    def test_changes_everything_until_it_is_used_and_limits_after(self, people: People, alice: Client, event: Event) -> None:
        code = promo_code(people.north, code="OLD")
        saved(alice, page(code), **{**TYPED, "kind": "fixed", "value": "15", "currency": "USD"})
        assert (now(code).code, now(code).worth) == ("SPRING", "15.00 USD")

        register(event, promo_code="spring")
        shown = alice.get(page(code)).content.decode()
        assert 'name="value"' not in shown
        assert 'name="code"' not in shown
        assert event.title in shown
        saved(alice, page(code), description="Campaign", max_uses="5", code="HACKED", value="99")
        assert (now(code).code, now(code).amount, now(code).description, now(code).max_uses) == ("SPRING", 1500, "Campaign", 5)

    def test_is_only_read_where_nothing_can_be_changed(self, people: People, alice: Client) -> None:
        code = promo_code(people.north, amount=1500, currency="USD", minimum_amount=6000)
        readers = [sign_in(people.finance), alice]
        for client, site in zip(readers, ("staff", "console"), strict=True):
            if client is alice:
                press(alice, f"{CODES}{code.public_id}/archive/")
            shown = client.get(page(code).replace("console", site)).content.decode()
            assert 'name="description"' not in shown
            assert all(part in shown for part in ("15.00 USD", "60.00 USD", "All events"))

    def test_shows_an_amount_in_a_currency_that_is_not_sold_in_any_more(self, people: People, alice: Client) -> None:
        code = promo_code(people.north, amount=500, currency="SEK")
        assert '<option value="SEK" selected>' in alice.get(page(code)).content.decode()

    def test_needs_the_organization_on_the_staffs_console(self, people: People) -> None:
        support = sign_in(people.support)
        address = "/staff/promo_codes/promocode/add/"
        assert not PromoCode.objects.exists()
        saved(support, address, **TYPED)
        assert not PromoCode.objects.exists()
        saved(support, address, **TYPED, organization=str(people.north.pk))
        assert PromoCode.objects.get().organization == people.north


class TestButtons:
    def test_stop_and_resume(self, people: People, alice: Client) -> None:
        code = promo_code(people.north)
        for name, state in (("pause", "paused"), ("resume", "active"), ("archive", "archived")):
            press(alice, f"{CODES}{code.public_id}/{name}/")
            assert now(code).state == state


class TestBulkArchive:
    def test_shows_each_and_archives_after_the_confirmation(self, people: People, alice: Client) -> None:
        codes = [promo_code(people.north) for _ in range(3)]
        press(alice, f"{CODES}{codes[0].public_id}/archive/")
        keys = [str(code.pk) for code in codes]
        alice.post(CODES, {"action": "promo_code_archive", "_selected_action": keys, "select_across": "0"})
        drain()
        assert [now(code).state for code in codes] == ["archived", "active", "active"]
        alice.post(f"/console/admin_ext/bulkrun/{BulkRun.objects.get().public_id}/confirm/")
        drain()
        assert [now(code).state for code in codes] == ["archived"] * 3
        assert sorted(BulkItem.objects.values_list("state", flat=True)) == ["done", "done", "refused"]


def file(text: str | bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("codes.csv", text if isinstance(text, bytes) else text.encode(), "text/csv")


class TestFile:
    LINES = (
        "Code;Kind;Value;Currency;Max_uses;Events\r\n"
        "NEW-1;percent;20;;;\r\n"
        "there;fixed;15.00;USD;7;\r\n"
        "\r\n"
        "new-1;percent;5;;;\r\n"
        "BAD-1;percent;200;;;\r\n"
        "BAD-2;fixed;1,5;EUR;;\r\n"
        "BAD-3;percent;5;;many;\r\n"
        "BAD-4;percent;5;;;evt_none\r\n"
    )

    def send(self, people: People, client: Client, content: str | bytes) -> Any:
        return press(client, f"/console/organizations/organization/{people.north.public_id}/import-codes/", upload=file(content))

    def test_makes_and_changes_after_the_confirmation(self, people: People, alice: Client) -> None:
        there = promo_code(people.north, code="THERE")
        answer = self.send(people, alice, "\ufeff" + self.LINES)
        run = BulkRun.objects.get()
        drain()
        assert PromoCode.objects.count() == 1
        assert now(there).basis_points == 2000

        shown = alice.get(answer.request["PATH_INFO"]).content.decode()
        for said in ("Make NEW-1: 20 %", "Change there: 15.00 USD", "line 2 already", "up to 100", "whole number", "one of these is none"):
            assert said in shown, said
        alice.post(f"/console/admin_ext/bulkrun/{run.public_id}/confirm/")
        drain()

        assert set(PromoCode.objects.values_list("key", flat=True)) == {"new-1", "there"}
        assert (now(there).worth, now(there).max_uses) == ("15.00 USD", 7)
        states = [item.state for item in run.items.order_by("position")]
        assert states == ["done", "done", *["refused"] * 5]

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"code,kind\n", "at least code, kind and value"),
            (b"code,kind,value,value\n", "each once"),
            (b"code,kind,value,colour\nA1,percent,5,red\n", "no promo code has"),
            (b"code,kind,value\n", "names no code"),
            (b"code,kind,value\n\xff\xfe,percent,5\n", "UTF-8"),
            (b"PK\x03\x04\x00\x00code,kind,value\n", "no CSV file"),
            (b"code,kind,value\n" + b"A1,percent,5\n" * 1_001, "at most 1,000"),
            (b"code,kind,value\n" + b"x" * code_files.LARGEST_FILE, "larger than 512 KB"),
        ],
    )
    def test_that_is_none_is_refused_whole(self, people: People, alice: Client, content: bytes, says: str) -> None:
        assert says in self.send(people, alice, content).content.decode()
        assert not PromoCodeLine.objects.exists()
        assert not BulkRun.objects.exists()

    def test_has_a_sample_that_works(self, people: People, alice: Client) -> None:
        assert "import-codes/" in alice.get(CODES).content.decode()
        sample = alice.get(f"{CODES}sample.csv").content
        press(alice, f"/console/organizations/organization/{people.north.public_id}/import-codes/", upload=BytesIO(sample))
        drain()
        assert set(BulkItem.objects.values_list("state", flat=True)) == {"planned"}

    def test_is_forgotten_after_some_days(self, people: People, alice: Client, time_machine_at: Any) -> None:
        self.send(people, alice, self.LINES)
        purge()
        assert PromoCodeLine.objects.exists()
        with time_machine_at(days=8):
            purge()
        assert not PromoCodeLine.objects.exists()


class TestUses:
    def test_are_listed_and_told_with_their_code(self, people: People, alice: Client, event: Event) -> None:
        code = promo_code(people.north, description="=1+1")
        place = register(event, promo_code=code.code, email="zoe@example.org").registration
        shown = alice.get(page(code)).content.decode()
        assert "zoe@example.org" in shown
        assert "Redemption reserved" in shown

        listed = alice.get("/console/promo_codes/redemption/?q=zoe@example.org").content.decode()
        assert code.code in listed
        use = place.redemption
        assert use is not None
        assert event.title in alice.get(f"/console/promo_codes/redemption/{use.public_id}/change/").content.decode()
        assert code.code in alice.get(f"/console/registrations/registration/{place.public_id}/change/").content.decode()

    def test_exports_hold_no_formula(self, people: People, alice: Client) -> None:
        promo_code(people.north, description="=1+1")
        text = b"".join(alice.post(f"{CODES}export.csv").streaming_content).decode()
        assert "'=1+1" in text
        assert ",percent,2000," in text

    @pytest.mark.parametrize("address", [CODES, "/console/promo_codes/redemption/"])
    def test_take_the_same_number_of_queries_however_many(
        self, people: People, alice: Client, event: Event, address: str, django_assert_num_queries: Any
    ) -> None:
        def another() -> None:
            register(event, promo_code=promo_code(people.north).code)

        another()
        alice.get(address)
        with CaptureQueriesContext(connection) as one:
            alice.get(address)
        for _ in range(5):
            another()
        with django_assert_num_queries(len(one)):
            alice.get(address)
