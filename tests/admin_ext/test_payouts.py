"""Earnings, payout accounts and payouts in both consoles: who sees what, and that each button is its operation."""

import pytest
from django.test import Client
from django.utils import timezone

from billing import stripe_balances
from billing.gateway.base import Held
from billing.models import ConnectedAccount, PayoutRequest
from core import jobs
from core.models import Job
from tests.admin_ext import making
from tests.admin_ext import test_bulk as bulk
from tests.admin_ext.conftest import People, acting, sign_in
from tests.admin_ext.test_buttons import page, press, told
from tests.billing.test_payout_statements import paid_out, written
from tests.factories.accounts import usable_account
from tests.factories.payouts import read_balances, requested_payout

EARNINGS = "billing/payoutrequest/earnings/"


@pytest.fixture
def account(people: People) -> ConnectedAccount:
    making.payment(people.north, amount=50_000)
    read_balances()
    return usable_account(people.north)


def shown(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def payout() -> PayoutRequest:
    return PayoutRequest.objects.get()


@pytest.mark.gap("2.1")
class TestEarnings:
    def test_tell_an_admin_what_can_be_paid_out(self, people: People, account: ConnectedAccount) -> None:
        text = shown(sign_in(people.alice), f"/console/{EARNINGS}")

        assert "500.00 USD" in text
        assert "Payouts are set up" in text
        assert page(account, "console") in text

    def test_begin_the_set_up_where_there_is_no_account(self, people: People) -> None:
        assert "Set up payouts" in shown(sign_in(people.alice), f"/console/{EARNINGS}")

    def test_are_not_for_organizers_nor_for_support(self, people: People, account: ConnectedAccount) -> None:
        assert sign_in(people.bob).get(f"/console/{EARNINGS}").status_code == 403
        assert sign_in(people.support).get(f"/staff/{EARNINGS}").status_code == 403

    def test_of_others_are_nobodys_business(self, people: People, account: ConnectedAccount) -> None:
        text = shown(sign_in(people.charlie), f"/console/{EARNINGS}")
        assert "500.00" not in text
        assert "Nothing was earned yet." in text

    def test_of_everybody_are_finances(self, people: People, account: ConnectedAccount) -> None:
        making.payment(people.rival, amount=70_000, currency="JPY")
        text = shown(sign_in(people.finance), f"/staff/{EARNINGS}")

        assert "North Clinic" in text
        assert "70,000 JPY" in text

    def test_of_nobody_say_so(self, people: People) -> None:
        assert "No organization has earned anything yet." in shown(sign_in(people.finance), f"/staff/{EARNINGS}")


@pytest.mark.gap("2.1")
class TestAccountPage:
    def test_shows_balance_and_payouts(self, people: People, account: ConnectedAccount) -> None:
        requested_payout(people.north, 2000, by=acting(people.alice))
        text = shown(sign_in(people.alice), page(account, "console") + "change/")

        assert "20.00 USD" in text
        assert "Open Stripe&#x27;s pages" in text or "Open Stripe's pages" in text

    def test_shows_support_the_set_up_but_no_money(self, people: People, account: ConnectedAccount) -> None:
        text = shown(sign_in(people.support), page(account, "staff") + "change/")
        assert "Usable" in text
        assert "500.00 USD" not in text

    def test_asks_for_a_payout_of_all_that_is_available(self, people: People, account: ConnectedAccount) -> None:
        answer = press(sign_in(people.alice), account, "request-payout", site="console", currency="USD", amount="")
        assert "finance decides" in told(answer)
        assert (payout().amount, payout().source, payout().requested_by_id) == (50_000, "console", people.alice.pk)

    def test_takes_an_amount_as_people_write_it(self, people: People, account: ConnectedAccount) -> None:
        press(sign_in(people.alice), account, "request-payout", site="console", currency="USD", amount="123.45")
        assert payout().amount == 12_345

    @pytest.mark.parametrize("amount", ["plenty", "1.234"])
    def test_says_what_an_amount_looks_like(self, people: People, account: ConnectedAccount, amount: str) -> None:
        answer = press(sign_in(people.alice), account, "request-payout", site="console", currency="USD", amount=amount)
        assert "as a number that USD has" in answer.content.decode()
        assert not PayoutRequest.objects.exists()

    def test_wants_a_currency_that_was_earned(self, people: People, account: ConnectedAccount) -> None:
        press(sign_in(people.alice), account, "request-payout", site="console", currency="EUR", amount="20")
        assert not PayoutRequest.objects.exists()

    def test_changes_the_schedule(self, people: People, account: ConnectedAccount) -> None:
        press(sign_in(people.alice), account, "payout-schedule", site="console", payout_schedule="weekly")
        assert ConnectedAccount.objects.get().payout_schedule == "weekly"


@pytest.mark.gap("2.1", "10.4")
class TestPayoutButtons:
    def test_decide_as_their_operations_do(self, people: People, account: ConnectedAccount) -> None:
        row = requested_payout(people.north, by=acting(people.alice))
        finance = sign_in(people.finance)
        for name, values, state in [
            ("approve", {}, "approved"),
            ("hold", {"why": "Odd sales."}, "on_hold"),
            ("release", {}, "approved"),
            ("hold", {"why": "Odd sales."}, "on_hold"),
            ("reject", {"why": "Fraud."}, "rejected"),
        ]:
            press(finance, row, name, **values)
            assert payout().state == state

    def test_show_finance_what_is_available_or_why_not(self, people: People, account: ConnectedAccount) -> None:
        row = requested_payout(people.north, 2000, by=acting(people.alice))
        finance = sign_in(people.finance)
        assert "500.00 USD" in shown(finance, f"{page(row, 'staff')}approve/")

        read_balances(available=0)
        account.balances.all().delete()
        assert "0.00 USD" in shown(finance, f"{page(row, 'staff')}approve/")

    def test_give_the_organization_its_own_to_take_back_and_nothing_to_decide(self, people: People, account: ConnectedAccount) -> None:
        row = requested_payout(people.north, by=acting(people.alice))
        alice = sign_in(people.alice)
        text = shown(alice, page(row, "console") + "change/")
        assert "Approve…" not in text
        press(alice, row, "approve", site="console", token="t" * 12)
        assert payout().state == "requested"

        press(alice, row, "cancel", site="console")
        assert payout().state == "cancelled"

    def test_ask_for_the_second_factor_again(self, people: People, account: ConnectedAccount) -> None:
        row = requested_payout(people.north, by=acting(people.alice))
        press(sign_in(people.finance, factor_age=3600), row, "approve", token="t" * 12)
        assert payout().state == "requested"


@pytest.mark.gap("2.1")
class TestHome:
    def test_names_what_waits(self, people: People, account: ConnectedAccount) -> None:
        requested_payout(people.north, by=acting(people.alice))
        assert "Payouts awaiting approval" in shown(sign_in(people.finance), "/staff/")


@pytest.mark.gap("2.1")
class TestSetUp:
    def test_is_a_button_on_the_organization_too(self, people: People) -> None:
        press(sign_in(people.support), people.north, "set-up-payouts")
        account = ConnectedAccount.objects.get()
        assert (account.organization_id, account.state, account.country) == (people.north.pk, "opening", "US")

        press(sign_in(people.support), people.north, "set-up-payouts")
        assert ConnectedAccount.objects.count() == 1

    def test_is_for_admins(self, people: People) -> None:
        assert sign_in(people.bob).post("/console/billing/connectedaccount/set-up/").status_code == 403
        assert not ConnectedAccount.objects.exists()


def work() -> None:
    """The run's own jobs; what they queue for Stripe waits."""
    while (job := Job.objects.filter(name__startswith="admin_ext.", state="queued").first()) is not None:
        assert jobs.run(str(job.pk)) == "done"


@pytest.mark.gap("2.1")
class TestInBulk:
    def test_are_previewed_with_totals_and_approved_one_by_one(self, people: People, account: ConnectedAccount) -> None:
        making.payment(people.rival, amount=70_000, currency="JPY")
        usable_account(people.rival)
        stripe_balances.store(account_id=None, found={one: Held(10**9, 0) for one in ("USD", "JPY")}, at=timezone.now())
        mine = requested_payout(people.north, 2000, by=acting(people.alice))
        yours = requested_payout(people.rival, 30_000, currency="JPY", by=acting(people.charlie))
        finance = sign_in(people.finance)

        run = bulk.select(finance, "/staff/billing/payoutrequest/", "payout_approve", [mine, yours])
        bulk.press(finance, run, "describe")
        work()
        preview = shown(finance, f"/staff/admin_ext/bulkrun/{run.public_id}/change/")
        assert "20.00 USD" in preview
        assert "30,000 JPY" in preview
        assert {row.state for row in PayoutRequest.objects.all()} == {"requested"}

        bulk.press(finance, run, "confirm")
        work()
        assert PayoutRequest.objects.get(pk=mine.pk).approved_by_id == people.finance.pk
        assert {row.state for row in PayoutRequest.objects.all()} == {"approved"}

    def test_name_in_the_preview_what_would_be_refused(self, people: People, account: ConnectedAccount) -> None:
        row = requested_payout(people.north, 2000, by=acting(people.alice))
        account.balances.all().delete()
        read_balances(available=0)
        finance = sign_in(people.finance)
        run = bulk.select(finance, "/staff/billing/payoutrequest/", "payout_approve", [row])
        bulk.press(finance, run, "describe")
        work()

        assert "Only 0.00 USD can be paid out now." in shown(finance, f"/staff/admin_ext/bulkrun/{run.public_id}/change/")


@pytest.mark.gap("2.1")
class TestStatement:
    def test_is_taken_away_as_pdf_or_csv_by_the_right_people(self, people: People, account: ConnectedAccount) -> None:
        payout = paid_out(people.north)
        alice = sign_in(people.alice)
        base = page(payout, "console")
        assert alice.get(f"{base}statement.pdf").status_code == 404
        statement = written(payout)

        text = shown(alice, f"{base}change/")
        assert f"{base}statement.pdf" in text
        assert alice.get(f"{base}statement.pdf").content.startswith(b"%PDF-")
        sheet = alice.get(f"{base}statement.csv")
        assert b"Closing" in b"".join(sheet.streaming_content)
        assert sheet["Content-Disposition"] == f'attachment; filename="{statement.public_id}.csv"'
        assert sign_in(people.charlie).get(f"{base}statement.csv").status_code == 404
