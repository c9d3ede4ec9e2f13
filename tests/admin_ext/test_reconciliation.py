"""Reconciliation as finance sees it: start a run, look at what it found, settle it, close a month, take the files along."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from audit.models import AuditEntry
from billing.models import BalanceTransaction, ChargeFee, Discrepancy, ReconciliationPeriod, ReconciliationRun
from ledger.models import LedgerTransaction
from sandbox.stripe.server import Sandbox
from tests.admin_ext.conftest import People, sign_in
from tests.draining import drain
from tests.factories.billing import payment_at_stripe

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]
RUNS, DIFFERENCES, PERIODS = "/staff/billing/reconciliationrun/", "/staff/billing/discrepancy/", "/staff/billing/reconciliationperiod/"


@pytest.fixture
def finance(people: People) -> Client:
    return sign_in(people.finance)


@pytest.fixture
def found(sandbox: Sandbox, finance: Client) -> Discrepancy:
    """A run's one difference: Stripe paid out what nobody here knows of, in a description that a spreadsheet would run."""
    payment_at_stripe(sandbox)
    loaded = {"type": "balance_transaction", "suffix": "out", "kind": "payout", "amount": -300, "currency": "usd"}
    created = int(timezone.now().timestamp()) - 3600
    sandbox.control.load([{**loaded, "created": created, "description": "=HYPERLINK(1)"}])
    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        assert finance.post(f"{RUNS}start/").status_code == 302
        drain()
    return Discrepancy.objects.get()


def page_of(row: Any, path: str = "change") -> str:
    return f"/staff/billing/{row._meta.model_name}/{row.public_id}/{path}/"


def token(shown: str) -> str:
    match = re.search(r'name="token" value="([^"]+)"', shown)
    assert match
    return match[1]


def submit(client: Client, url: str, **values: str) -> str:
    """Open the dialog and submit it; the page that follows."""
    opened = client.get(url).content.decode()
    return client.post(url, {"token": token(opened), **values}, follow=True).content.decode()


def rows_of(client: Client, run: ReconciliationRun, what: str) -> list[dict[str, str]]:
    answer = client.get(f"/staff/billing/reconciliationrun/{run.public_id}/{what}.csv")
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


class TestRuns:
    def test_are_started_by_finance_and_show_the_residual_of_each_currency(self, found: Discrepancy, finance: Client) -> None:
        run = ReconciliationRun.objects.get()
        shown = finance.get(page_of(run)).content.decode()

        assert "-3.00 USD" in shown
        assert "Made at Stripe" in shown
        assert "-3.00 USD" in finance.get(RUNS).content.decode()
        assert finance.get(page_of(run, "progress"))["HX-Refresh"] == "true"

    def test_show_how_far_they_are(self, finance: Client, sandbox: Sandbox) -> None:
        finance.post(f"{RUNS}start/")
        run = ReconciliationRun.objects.get()

        answer = finance.get(page_of(run, "progress"))

        assert "Waiting" in answer.content.decode()
        assert "HX-Refresh" not in answer
        assert "under way" in finance.post(f"{RUNS}start/", follow=True).content.decode()
        assert ReconciliationRun.objects.count() == 1

    def test_cannot_be_started_by_support_and_do_not_exist_for_organizers(self, people: People) -> None:
        support, alice = sign_in(people.support), sign_in(people.alice)

        assert "Reconcile now" not in support.get(RUNS).content.decode()
        assert "You may not" in support.post(f"{RUNS}start/", follow=True).content.decode()
        assert alice.get("/console/billing/reconciliationrun/").status_code == 404
        assert not ReconciliationRun.objects.exists()


class TestDifferences:
    def test_are_filtered_and_lead_home(self, found: Discrepancy, finance: Client) -> None:
        assert "Open discrepancies" in finance.get("/staff/").content.decode()
        for query, is_there in (("?currency=USD", True), ("?currency=JPY", False), ("?state__in=open&kind__in=external", True)):
            assert (found.public_id in finance.get(DIFFERENCES + query).content.decode()) is is_there, query

    def test_are_settled_by_an_adjustment(self, found: Discrepancy, finance: Client) -> None:
        shown = submit(finance, page_of(found, "adjust"), account="platform_bank", reason="The bank's statement says so")

        assert "both sides agree" in shown
        settled = Discrepancy.objects.get()
        assert (settled.state, settled.closed_by.email, settled.reason) == (  # type: ignore[union-attr]
            "fixed", "finance@example.org", "The bank's statement says so",
        )  # fmt: skip
        assert LedgerTransaction.objects.get(reference=f"discrepancy:{found.pk}").entries.count() == 2

    def test_need_an_owner_where_the_account_has_one(self, found: Discrepancy, finance: Client, people: People) -> None:
        url = page_of(found, "adjust")
        for owner in ("", "org_nobody", people.north.name):
            assert "kept by organization" in submit(finance, url, account="organizer_payable", owner=owner, reason="Theirs")
        assert Discrepancy.objects.get().state == "open"

        submit(finance, url, account="organizer_payable", owner=people.north.public_id, reason="Theirs")

        entry = LedgerTransaction.objects.get(reference=f"discrepancy:{found.pk}").entries.get(account="organizer_payable")
        assert (entry.owner, entry.amount) == (str(people.north.pk), 300)

    def test_are_written_off_and_explained_with_a_reason_only(self, found: Discrepancy, finance: Client) -> None:
        for path in ("write-off", "explain"):
            assert "at least 3 characters" in submit(finance, page_of(found, path), reason="-").replace("\n", " ")
        assert Discrepancy.objects.get().state == "open"
        assert "Kept with your explanation" in submit(finance, page_of(found, "explain"), reason="Paid out before we began")
        assert Discrepancy.objects.get().state == "explained"

    def test_are_not_touched_by_support(self, found: Discrepancy, people: People) -> None:
        support = sign_in(people.support)
        assert "Write off" not in support.get(page_of(found)).content.decode()
        support.post(page_of(found, "write-off"), {"token": "t" * 12, "reason": "Because"})
        assert Discrepancy.objects.get().state == "open"

    @pytest.mark.gap("10.4")
    def test_ask_for_the_second_factor_again(self, found: Discrepancy, people: People) -> None:
        tired = sign_in(people.finance, factor_age=3600)
        answer = tired.get(page_of(found, "write-off"))
        assert answer.status_code == 302
        assert "reauthenticate" in answer["Location"]


class TestPeriods:
    def test_say_what_keeps_them_open(self, found: Discrepancy, finance: Client) -> None:
        period = ReconciliationPeriod.objects.get()
        shown = finance.get(page_of(period, "close")).content.decode()
        assert "close it after that day has come" in shown
        assert "Close period</button>" not in " ".join(shown.split())
        assert period.public_id in finance.get(PERIODS).content.decode()


class TestFiles:
    @pytest.mark.rule("S23")
    def test_hold_differences_and_matches_and_nothing_that_a_spreadsheet_runs(self, found: Discrepancy, finance: Client) -> None:
        run = ReconciliationRun.objects.get()
        (difference,) = rows_of(finance, run, "differences")
        assert (difference["kind"], difference["their_amount"], difference["difference"]) == ("external", "-3.00", "'-3.00 USD")
        assert AuditEntry.objects.get(action="reconciliation.exported").after == {"file": "differences"}
        (matched,) = rows_of(finance, run, "matched")
        assert (matched["amount"], matched["about"].partition(":")[0]) == ("50.00", "payment")

        BalanceTransaction.objects.filter(stripe_id=matched["stripe_id"]).update(description="=1+1")

        assert rows_of(finance, run, "matched")[0]["description"] == "'=1+1"

    def test_hold_what_stripe_took_of_each_charge(self, found: Discrepancy, finance: Client) -> None:
        (fees,) = rows_of(finance, ReconciliationRun.objects.get(), "fees")
        assert (fees["taken_by_stripe"], fees["booked"], fees["borne_by_organization"]) == ("1.75", "1.75", "0.00")
        assert ChargeFee.objects.count() == 2
        shown = finance.get("/staff/billing/chargefee/").content.decode()
        assert "Agrees" in shown
        assert "-3.00" not in shown

    @pytest.mark.gap("10.4")
    def test_need_a_fresh_second_factor(self, found: Discrepancy, people: People) -> None:
        run = ReconciliationRun.objects.get()
        answer = sign_in(people.finance, factor_age=3600).get(f"/staff/billing/reconciliationrun/{run.public_id}/fees.csv")
        assert answer.status_code == 302
        assert "reauthenticate" in answer["Location"]
        assert not AuditEntry.objects.filter(action="reconciliation.exported").exists()
