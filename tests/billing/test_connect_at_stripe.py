"""Accounts and payouts through Stripe itself: the real library, a real socket, signed events, whatever happens on the line."""

from collections.abc import Callable
from typing import Any

import pytest

from billing import connect, payout_statements, payout_submission, payout_sweeps
from billing.models import ConnectedAccount, PayoutRequest, Transfer
from core.jobs import RetryLater
from core.models import Job
from ledger import balances
from ledger.chart import connected_balance
from tests.billing.bank import PAGES, Bank, earned, submitted
from tests.factories.billing import SYSTEM
from tests.factories.organizations import OrganizationFactory
from tests.factories.payouts import approved_payout, now

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.1"), pytest.mark.rule("M8"), pytest.mark.rule("M13")]


class TestAccount:
    def test_is_opened_once_and_mirrored(self, bank: Bank) -> None:
        organization = OrganizationFactory.create(country="US")
        account = bank.account(organization)
        assert (account.state, account.payouts_enabled, account.currencies) == ("open", True, ["USD"])
        assert connect.usable_in(organization.pk, "USD")
        assert connect.onboarding_url(organization_id=organization.pk, by=SYSTEM, **PAGES)
        assert len(bank.client().v1.accounts.list().data) == 1

        bank.control.account(account.stripe_account_id or "", "restricted")
        bank.work()
        assert not connect.usable_in(organization.pk, "USD")

    def test_whose_answer_was_lost_is_found_again(self, bank: Bank, settings: Any) -> None:
        settings.STRIPE_REQUEST_TIMEOUT = 0.3
        organization = OrganizationFactory.create()
        bank.control.fault("timeout_after_success", method="POST", path="/v1/accounts", seconds=1.0)
        assert connect.onboarding_url(organization_id=organization.pk, by=SYSTEM, **PAGES) is None
        made = bank.client().v1.accounts.list().data
        bank.control.account(made[0].id, "complete", currencies=["usd"])
        bank.work()
        account = ConnectedAccount.objects.get()
        assert (account.stripe_account_id, account.payouts_enabled) == (made[0].id, True)

    def test_is_made_anew_where_stripe_stored_an_error(self, bank: Bank) -> None:
        organization = OrganizationFactory.create()
        bank.control.fault("stored_500", method="POST", path="/v1/accounts")
        assert connect.onboarding_url(organization_id=organization.pk, by=SYSTEM, **PAGES) is None
        assert connect.onboarding_url(organization_id=organization.pk, by=SYSTEM, **PAGES)
        assert len(bank.client().v1.accounts.list().data) == 1

    def test_is_found_where_the_error_came_after_the_work(self, bank: Bank) -> None:
        organization = OrganizationFactory.create()
        bank.control.fault("stored_500", method="POST", path="/v1/accounts", work=True)
        assert connect.onboarding_url(organization_id=organization.pk, by=SYSTEM, **PAGES) is None
        assert connect.onboarding_url(organization_id=organization.pk, by=SYSTEM, **PAGES)
        made = bank.client().v1.accounts.list().data
        assert [each.id for each in made] == [ConnectedAccount.objects.get().stripe_account_id]

    def test_says_why_stripe_opens_no_page(self, bank: Bank) -> None:
        account = bank.account(OrganizationFactory.create())
        bank.client().v1.accounts.delete(account.stripe_account_id or "")
        with pytest.raises(connect.OnboardingRefused, match="does not open"):
            connect.onboarding_url(organization_id=account.organization_id, by=SYSTEM, **PAGES)

    def test_that_is_not_open_yet_is_not_read(self, bank: Bank) -> None:
        account = connect.begin(organization_id=OrganizationFactory.create().pk, by=SYSTEM)
        assert connect.refresh(account_id=account.pk, by=SYSTEM).state == "opening"

    def test_that_is_taken_away_sells_nothing_more(self, bank: Bank) -> None:
        organization = OrganizationFactory.create()
        account = bank.account(organization)
        bank.control.account(account.stripe_account_id or "", "deauthorized")
        bank.work()
        assert ConnectedAccount.objects.get().state == "deauthorized"
        assert not connect.usable_in(organization.pk, "USD")

    def test_is_read_by_the_clock_where_nobody_told_us(self, bank: Bank) -> None:
        account = bank.account(OrganizationFactory.create())
        bank.control.delivery("lost", types=["account.updated"])
        bank.control.account(account.stripe_account_id or "", "restricted")
        bank.work()
        assert ConnectedAccount.objects.get().payouts_enabled
        ConnectedAccount.objects.update(synced_at=account.created_at.replace(year=2025))
        payout_sweeps.stale_accounts()
        assert not ConnectedAccount.objects.get().payouts_enabled

    def test_of_somebody_else_is_none_of_ours(self, bank: Bank) -> None:
        other = bank.client().v1.accounts.create({"country": "US"}).id
        bank.control.account(other, "complete")
        bank.work()
        bank.control.account(other, "deauthorized")
        bank.work()
        assert not ConnectedAccount.objects.exists()


class TestPayout:
    @pytest.mark.parametrize(("currency", "amount"), [("USD", 50_000), ("JPY", 50_000), ("KWD", 150_000)])
    def test_goes_from_earnings_to_the_bank(self, bank: Bank, books: Callable[[], None], currency: str, amount: int) -> None:
        organization = earned(bank, amount, currency)
        payout = approved_payout(organization, currency=currency)
        bank.work()
        books()
        assert (now(payout).state, now(payout).amount) == (
            "transferring" if now(payout).stripe_payout_id is None else now(payout).state,
            amount,
        )
        bank.pass_days(3)

        assert now(payout).state == "paid"
        assert balances.balance(connected_balance(organization.pk), currency) == 0
        assert (bank.transfers(), Transfer.objects.get().state) == (1, "succeeded")
        books()

    @pytest.mark.parametrize("path", ["/v1/transfers", "/v1/payouts"])
    @pytest.mark.parametrize("kind", ["timeout_after_success", "reset_before", "rate_limit", "stored_500"])
    def test_is_made_once_whatever_happens_on_the_line(self, bank: Bank, settings: Any, kind: str, path: str) -> None:
        settings.STRIPE_TIMEOUT = 0.3
        payout = approved_payout(earned(bank))
        bank.control.fault(kind, method="POST", path=path, **({"seconds": 1.0} if kind == "timeout_after_success" else {}))
        with pytest.raises(RetryLater):
            payout_submission.submit(payout_request_id=payout.pk)
        for _ in range(3):
            payout_submission.submit(payout_request_id=payout.pk)
        bank.pass_days(3)

        assert now(payout).state == "paid"
        account = ConnectedAccount.objects.get(organization=payout.organization)
        assert (bank.transfers(), bank.held(account)) == (1, 0)
        made = bank.client().v1.payouts.list({}, {"stripe_account": account.stripe_account_id or ""}).data
        assert [each.amount for each in made] == [payout.amount]

    def test_fails_with_its_transfer_where_stripe_says_no(self, bank: Bank) -> None:
        organization = earned(bank)
        payout = approved_payout(organization)
        account = ConnectedAccount.objects.get(organization=organization)
        bank.control.delivery("lost", types=["account.updated"])
        bank.control.account(account.stripe_account_id or "", "restricted")
        assert submitted(payout).state == "failed"
        assert Transfer.objects.get().state == "failed"

    @pytest.mark.parametrize("days", [0.1, 3])
    def test_that_comes_back_is_paid_by_the_next_one_without_a_transfer(self, bank: Bank, books: Callable[[], None], days: float) -> None:
        organization = earned(bank)
        payout = submitted(approved_payout(organization))
        bank.pass_days(days)
        account = ConnectedAccount.objects.get(organization=organization)
        bank.control.fail_payout(now(payout).stripe_payout_id or "", account=account.stripe_account_id or "")
        bank.work()
        books()
        assert now(payout).state == "failed"
        assert balances.balance(connected_balance(organization.pk), "USD") == payout.amount

        again = submitted(approved_payout(organization))
        bank.pass_days(3)
        books()
        assert (now(again).state, bank.transfers(), bank.held(account)) == ("paid", 1, 0)

    def test_is_refused_by_its_bank_and_says_why(self, bank: Bank) -> None:
        organization = earned(bank)
        payout = approved_payout(organization)
        account = ConnectedAccount.objects.get(organization=organization)
        bank.control.fault("reset_before", method="POST", path="/v1/payouts")
        with pytest.raises(RetryLater):
            payout_submission.submit(payout_request_id=payout.pk)
        bank.control.delivery("lost", types=["account.updated"])
        bank.control.account(account.stripe_account_id or "", "restricted")
        failed = submitted(payout)
        assert failed.state == "failed"

    def test_is_found_by_the_clock_where_its_events_were_lost(self, bank: Bank) -> None:
        payout = submitted(approved_payout(earned(bank)))
        bank.control.delivery("lost")
        bank.control.advance(3 * 86_400)
        bank.deliver()
        assert now(payout).state != "paid"
        PayoutRequest.objects.update(updated_at=payout.created_at.replace(year=2025))
        payout_sweeps.payouts_under_way()
        assert now(payout).state == "paid"

    def test_of_nobody_here_changes_nothing(self, bank: Bank) -> None:
        organization = earned(bank)
        account = ConnectedAccount.objects.get(organization=organization).stripe_account_id or ""
        client = bank.client()
        client.v1.transfers.create({"amount": 900, "currency": "usd", "destination": account})
        client.v1.payouts.create({"amount": 900, "currency": "usd"}, {"stripe_account": account})
        bank.pass_days(3)
        assert not PayoutRequest.objects.exists()
        assert not Transfer.objects.exists()

    def test_goes_on_where_its_message_was_lost(self, bank: Bank) -> None:
        payout = approved_payout(earned(bank))
        Job.objects.all().delete()
        PayoutRequest.objects.update(updated_at=payout.created_at.replace(year=2025))
        payout_sweeps.payouts_under_way()
        bank.work()
        bank.pass_days(3)
        assert now(payout).state == "paid"

    def test_has_a_statement_even_where_the_account_was_taken_away(self, bank: Bank) -> None:
        payout = submitted(approved_payout(earned(bank)))
        bank.pass_days(3)
        account = payout.stripe_account_id
        bank.control.fault("rate_limit", method="GET", path="/v1/balance")
        with pytest.raises(RetryLater):
            payout_statements.make(payout_request_id=payout.pk)
        bank.client().v1.accounts.delete(account)
        payout_statements.make(payout_request_id=payout.pk)
        assert now(payout).statements.exists()
