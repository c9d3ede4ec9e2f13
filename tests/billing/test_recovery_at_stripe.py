"""Money fetched back from connected accounts, and keys that two workers renew, through Stripe itself."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from billing import connect, payout_submission, recovery, refunds, stripe_balances, transfer_submission
from billing.gateway.base import Held
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount, PayoutRequest, Transfer, TransferReversal
from core.jobs import RetryLater
from tests.billing.bank import Bank, earned, stranded, submitted
from tests.factories.billing import SYSTEM, finance
from tests.factories.payouts import approved_payout, now

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.1"), pytest.mark.rule("M8"), pytest.mark.rule("M13")]


class TestTwoWorkers:
    def test_renew_a_key_once_between_them(self, bank: Bank) -> None:
        payout = approved_payout(earned(bank))
        payout_submission.begin(payout_request_id=payout.pk, at=timezone.now())
        held = {"USD": Held(0, 0)}
        for _ in range(2):
            payout_submission.plan(payout_request_id=payout.pk, held=held)
        transfer = Transfer.objects.get()
        for _ in range(2):
            assert transfer_submission.next_attempt(transfer_id=transfer.pk, given_up=1).attempt == 2
            assert payout_submission.next_attempt(payout_request_id=payout.pk, given_up=1).attempt == 2
        assert transfer_submission.send(Transfer.objects.get()) is True
        assert transfer_submission.send(Transfer.objects.get()) is True
        assert submitted(payout).state in ("in_transit", "transferring")
        assert payout_submission.sending(payout_request_id=payout.pk, at=timezone.now()) == (None, False)
        assert payout_submission.begin(payout_request_id=payout.pk, at=timezone.now()) is None

    def test_take_nothing_for_theirs_that_somebody_made_by_hand(self, bank: Bank) -> None:
        organization, account = stranded(bank)
        client, transfer = bank.client(), Transfer.objects.get()
        acct = account.stripe_account_id or ""
        client.v1.transfers.create({"amount": 9, "currency": "usd", "destination": acct, "transfer_group": transfer.group})
        Transfer.objects.filter(pk=transfer.pk).update(attempt=9)
        assert transfer_submission.find_at_stripe(Transfer.objects.get()) is None
        refunds.request(payment_id=organization.payments.get().pk, amount=20_000, reason="other", source="console", by=finance())
        client.v1.transfers.reversals.create(transfer.stripe_transfer_id or "", {"amount": 5})
        reversal = recovery.next_reversal(account_id=account.pk, currency="USD", held={"USD": Held(50_000, 0)})
        assert reversal is not None
        assert recovery._find_at_stripe(reversal, transfer.stripe_transfer_id or "") is None
        client.v1.payouts.create({"amount": 7, "currency": "usd"}, {"stripe_account": acct})
        payout = PayoutRequest.objects.get()
        payout.attempt = 9
        assert payout_submission.find_at_stripe(payout) is None
        payout_submission._pay_out(payout.pk)
        connect.opened(account_id=account.pk, answer=gateway().retrieve_account(acct), at=timezone.now(), by=SYSTEM)
        client.v1.accounts.delete(acct)
        stripe_balances.read(account_id=account.pk)

    def test_renew_a_reversals_key_once_between_them(self, bank: Bank) -> None:
        organization, account = stranded(bank)
        refunds.request(payment_id=organization.payments.get().pk, amount=20_000, reason="other", source="console", by=finance())
        held = {"USD": Held(50_000, 0)}
        reversal = recovery.next_reversal(account_id=account.pk, currency="USD", held=held)
        assert reversal is not None
        assert recovery.next_reversal(account_id=account.pk, currency="USD", held=held) == reversal
        for _ in range(2):
            assert recovery.next_attempt(reversal_id=reversal.pk, given_up=1).attempt == 2
        assert connect.refresh(account_id=account.pk, by=SYSTEM).state == "open"


class TestRecovery:
    def test_fetches_back_what_the_account_still_holds(self, bank: Bank, books: Callable[[], None]) -> None:
        organization = earned(bank)
        account = ConnectedAccount.objects.get(organization=organization)
        payout = submitted(approved_payout(organization))
        bank.pass_days(3)
        bank.control.fail_payout(now(payout).stripe_payout_id or "", account=account.stripe_account_id or "")
        bank.work()
        payment = organization.payments.get()
        refunds.request(payment_id=payment.pk, amount=20_000, reason="other", source="console", by=finance())
        bank.work()
        recovery.recover(organization_id=organization.pk, currency="USD")
        bank.work()
        books()
        reversals = TransferReversal.objects.filter(state="succeeded").values_list("amount", flat=True)
        assert list(reversals) == [20_000]

    @pytest.mark.parametrize("kind", ["timeout_after_success", "reset_before", "rate_limit", "stored_500"])
    def test_fetches_back_once_whatever_happens_on_the_line(self, bank: Bank, settings: Any, kind: str) -> None:
        settings.STRIPE_TIMEOUT = 0.3
        organization, account = stranded(bank)
        refunds.request(payment_id=organization.payments.get().pk, amount=20_000, reason="other", source="console", by=finance())
        transfer = Transfer.objects.get().stripe_transfer_id
        slow = {"seconds": 1.0} if kind == "timeout_after_success" else {}
        bank.control.fault(kind, method="POST", path=f"/v1/transfers/{transfer}/reversals", **slow)
        with pytest.raises(RetryLater):
            recovery.recover(organization_id=organization.pk, currency="USD")
        for _ in range(3):
            recovery.recover(organization_id=organization.pk, currency="USD")
        assert bank.held(account) == 30_000
        assert list(TransferReversal.objects.values_list("amount", "state")) == [(20_000, "succeeded")]

    def test_takes_for_its_own_what_stripe_has_of_an_earlier_call(self, bank: Bank) -> None:
        """Other money came in meanwhile, so that the balance does not tell."""
        organization, account = stranded(bank)
        refunds.request(payment_id=organization.payments.get().pk, amount=20_000, reason="other", source="console", by=finance())
        reversal = recovery.next_reversal(account_id=account.pk, currency="USD", held={"USD": Held(50_000, 0)})
        assert reversal is not None
        sent, _ = recovery.sending(reversal_id=reversal.pk, at=timezone.now())
        transfer = reversal.transfer.stripe_transfer_id or ""
        bank.client().v1.transfers.reversals.create(transfer, recovery._parameters(sent))  # type: ignore[arg-type]

        assert recovery._send(reversal) is True
        assert TransferReversal.objects.get().state == "succeeded"
        assert len(list(gateway().reversals_of(transfer))) == 1

    def test_counts_what_somebody_fetched_back_by_hand_before_its_webhook_comes(self, bank: Bank, books: Callable[[], None]) -> None:
        organization, account = stranded(bank)
        transfer = Transfer.objects.get().stripe_transfer_id or ""
        bank.client().v1.transfers.reversals.create(transfer, {"amount": 5_000})
        refunds.request(payment_id=organization.payments.get().pk, amount=20_000, reason="other", source="console", by=finance())
        recovery.recover(organization_id=organization.pk, currency="USD")

        assert bank.held(account) == 30_000, "what is still earned stays"
        assert sorted(TransferReversal.objects.values_list("source", "amount")) == [("external", 5_000), ("recovery", 15_000)]
        bank.work()
        books()

    def test_leaves_owed_what_stripe_does_not_give_back(self, bank: Bank) -> None:
        organization, account = stranded(bank)
        refunds.request(payment_id=organization.payments.get().pk, amount=20_000, reason="other", source="console", by=finance())
        reversal = recovery.next_reversal(account_id=account.pk, currency="USD", held={"USD": Held(50_000, 0)})
        assert reversal is not None
        bank.client().v1.payouts.create({"amount": 50_000, "currency": "usd"}, {"stripe_account": account.stripe_account_id or ""})
        recovery.recover(organization_id=organization.pk, currency="USD")
        assert TransferReversal.objects.get().state == "failed"

        bank.client().v1.accounts.delete(account.stripe_account_id or "")
        recovery.recover(organization_id=organization.pk, currency="USD")
        assert TransferReversal.objects.count() == 1

    def test_of_somebody_at_stripe_is_recorded(self, bank: Bank, books: Callable[[], None]) -> None:
        organization = earned(bank)
        payout = submitted(approved_payout(organization))
        account = ConnectedAccount.objects.get(organization=organization)
        bank.pass_days(3)
        bank.control.fail_payout(now(payout).stripe_payout_id or "", account=account.stripe_account_id or "")
        bank.work()
        transfer = Transfer.objects.get()
        bank.client().v1.transfers.reversals.create(transfer.stripe_transfer_id or "", {"amount": 700})
        bank.work()
        books()
        assert TransferReversal.objects.get().source == "external"
