"""Stripe's word about payouts and transfers, in any order: each moves the books once, and an older word changes nothing back."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone

from billing import earnings, payout_approval, payout_submission, payout_sync, transfer_sync
from billing.gateway.base import GatewayPayout, GatewayReversal, GatewayTransfer, Held
from billing.models import PayoutRequest, Transfer
from billing.payout_requests import PayoutAlreadyOpen
from core.models import Job
from ledger import balances
from ledger.models import LedgerTransaction
from organizations.models import Organization
from tests.factories.billing import SYSTEM, finance, paid_payment, requested_refund
from tests.factories.payouts import approved_payout, earning_organization, now, requested_payout

State = PayoutRequest.State


def books(organization: Organization, currency: str = "USD") -> tuple[int, int, int]:
    """(payable, in the connected account, in transit)."""
    found = earnings.balance(organization.pk, currency, at=timezone.now())
    assert not any(balances.totals().values())
    return found.payable, found.connected, found.in_transit


def begun(payout: PayoutRequest, *, held: int = 0) -> PayoutRequest:
    """Begun, and planned with what Stripe says the connected account holds."""
    begun_one = payout_submission.begin(payout_request_id=payout.pk, at=timezone.now())
    assert begun_one is not None
    return payout_submission.plan(payout_request_id=payout.pk, held={payout.currency: Held(held, 0)})


def moved(transfer: Transfer, **values: Any) -> Transfer:
    """Stripe's word that it made the transfer."""
    given = {"id": f"tr_{transfer.pk}", "amount": transfer.amount, "currency": transfer.currency, "destination": transfer.stripe_account_id}
    answer = GatewayTransfer(**{**given, "balance_transaction_id": f"txn_{transfer.pk}", **values})
    return transfer_sync.sync(transfer_id=transfer.pk, answer=answer, at=timezone.now(), by=SYSTEM)


def transferred(payout: PayoutRequest) -> PayoutRequest:
    moved(begun(payout).transfers.get(number=payout.retries))
    return now(payout)


def hear(payout: PayoutRequest, status: str, **values: Any) -> PayoutRequest:
    """Stripe's word about the payout's present attempt."""
    row = now(payout)
    metadata = {"payout_request_id": str(row.pk), "attempt": str(row.attempt)}
    given = {"id": f"po_{row.pk}_{row.attempt}", "status": status, "amount": row.amount, "currency": row.currency, "metadata": metadata}
    return payout_sync.sync(payout_request_id=row.pk, answer=GatewayPayout(**{**given, **values}), at=timezone.now(), by=SYSTEM)


@pytest.fixture
def organization(db: None) -> Organization:
    return earning_organization(amount=50_000)


def mails(kind: str) -> int:
    return Job.objects.filter(name=f"billing.payout_emails.send_{kind}").count()


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestTheWayOut:
    @pytest.mark.parametrize(("currency", "amount"), [("USD", 50_000), ("JPY", 50_000), ("KWD", 50_000)])
    def test_posts_each_step_once(self, currency: str, amount: int) -> None:
        organization = earning_organization(amount=amount, currency=currency)
        payout = transferred(approved_payout(organization, currency=currency))
        assert (payout.state, books(organization, currency)) == (State.TRANSFERRING, (amount, amount, 0))

        for _ in range(2):
            assert hear(payout, "pending", arrives_at=timezone.now()).state == State.IN_TRANSIT
            assert books(organization, currency) == (amount, 0, amount)
        for status in ("paid", "in_transit", "paid", "pending"):
            assert hear(payout, status).state == State.PAID
            assert books(organization, currency) == (0, 0, 0)
        assert mails("payout_paid") == 1

    @pytest.mark.parametrize("order", list(permutations(["in_transit", "paid", "pending"])))
    def test_ends_paid_whatever_the_order(self, organization: Organization, order: tuple[str, ...]) -> None:
        payout = transferred(approved_payout(organization))
        for status in order:
            hear(payout, status)

        assert (now(payout).state, books(organization)) == (State.PAID, (0, 0, 0))
        assert LedgerTransaction.objects.filter(reference__startswith=f"payout:{payout.pk}").count() == 2

    @pytest.mark.parametrize("status", ["failed", "canceled"])
    def test_a_failure_leaves_the_money_in_the_connected_account(self, organization: Organization, status: str) -> None:
        payout = transferred(approved_payout(organization))
        for before in ("pending", status, "pending", "paid"):
            hear(payout, before, failure_message="The bank account is closed.")

        payout = now(payout)
        assert (payout.state, payout.reason) == (State.FAILED, "The bank account is closed.")
        assert books(organization) == (50_000, 50_000, 0)
        assert (mails("payout_failed"), mails("payout_paid")) == (1, 0)

    def test_a_failure_that_is_heard_first_posts_both_ways(self, organization: Organization) -> None:
        payout = transferred(approved_payout(organization))
        assert hear(payout, "failed").reason == "Stripe says: failed."
        assert books(organization) == (50_000, 50_000, 0)

    def test_a_failure_after_it_was_paid_gives_the_money_back_to_the_organization(self, organization: Organization) -> None:
        payout = transferred(approved_payout(organization))
        hear(payout, "paid")
        assert hear(payout, "failed").state == State.FAILED

        assert (now(payout).paid_at, books(organization)) == (None, (50_000, 50_000, 0))
        assert (mails("payout_failed"), mails("payout_paid")) == (1, 1)


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestAfterAFailure:
    def test_the_next_try_transfers_only_what_is_lacking(self, organization: Organization) -> None:
        payout = transferred(approved_payout(organization, 30_000))
        hear(payout, "failed")
        payout_approval.retry(payout_request_id=payout.pk, by=finance())
        again = begun(now(payout), held=30_000)
        assert (again.lacking, again.transfers.count(), again.stripe_payout_id) == (0, 1, None)

        hear(payout, "paid")
        assert books(organization) == (20_000, 0, 0)

    def test_the_next_payout_transfers_only_what_is_lacking(self, organization: Organization) -> None:
        hear(transferred(approved_payout(organization, 30_000)), "failed")
        following = begun(approved_payout(organization), held=30_000)

        assert (following.lacking, following.transfers.get().amount) == (20_000, 20_000)

    def test_money_at_stripe_that_the_books_do_not_know_is_left_alone(self, organization: Organization) -> None:
        assert begun(approved_payout(organization), held=7000).lacking == 50_000

    def test_what_is_lacking_is_decided_once(self, organization: Organization) -> None:
        payout = begun(approved_payout(organization))
        payout = payout_submission.plan(payout_request_id=payout.pk, held={"USD": Held(50_000, 0)})
        assert (payout.lacking, payout.transfers.count()) == (50_000, 1)

    def test_a_retry_waits_for_another_payout_that_was_asked_for_meanwhile(self, organization: Organization) -> None:
        payout = transferred(approved_payout(organization, 30_000))
        hear(payout, "failed")
        requested_payout(organization, 5000)
        with pytest.raises(PayoutAlreadyOpen):
            payout_approval.retry(payout_request_id=payout.pk, by=finance())
        assert now(payout).state == State.FAILED

    def test_a_word_about_the_attempt_that_failed_changes_nothing(self, organization: Organization) -> None:
        payout = transferred(approved_payout(organization))
        hear(payout, "failed")
        payout_approval.retry(payout_request_id=payout.pk, by=finance())
        old = {"id": f"po_{payout.pk}_1", "metadata": {"attempt": "1"}}
        assert hear(payout, "failed", **old).state == State.APPROVED

        with pytest.raises(payout_sync.SecondPayout):
            hear(payout, "paid", **old)
        assert now(payout).state == State.APPROVED

    def test_a_second_payout_for_one_of_ours_is_a_persons_matter(self, organization: Organization) -> None:
        payout = transferred(approved_payout(organization))
        hear(payout, "pending")
        with pytest.raises(payout_sync.SecondPayout) as refused:
            hear(payout, "paid", id="po_other", metadata={})
        assert refused.value.stripe_payout_id == "po_other"
        assert books(organization) == (50_000, 0, 50_000)

    def test_a_failure_of_another_attempt_is_not_ours(self, organization: Organization) -> None:
        payout = transferred(approved_payout(organization))
        payout_sync.fail(payout_request_id=payout.pk, attempt=9, why="late", at=timezone.now(), by=SYSTEM)
        assert now(payout).state == State.TRANSFERRING


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestBegin:
    def test_waits_its_turn(self, organization: Organization) -> None:
        payout = requested_payout(organization)
        assert payout_submission.begin(payout_request_id=payout.pk, at=timezone.now()) is None
        assert now(payout).state == State.REQUESTED

    def test_is_repeatable(self, organization: Organization) -> None:
        payout = begun(approved_payout(organization))
        same = payout_submission.begin(payout_request_id=payout.pk, at=timezone.now() + timedelta(hours=1))
        assert same is not None
        assert same.transfer_began_at == payout.transfer_began_at

    def test_says_that_refunds_took_it_after_the_approval_and_goes_on_once_it_is_there_again(self, organization: Organization) -> None:
        payment = paid_payment(amount=10_000, organization=organization)
        payout = approved_payout(organization)
        requested_refund(payment, 4000)
        assert payout_submission.begin(payout_request_id=payout.pk, at=timezone.now()) is None
        assert now(payout).blocked == "Only 560.00 USD is left since refunds or disputes came after the approval."
        assert now(payout).state == State.APPROVED

        paid_payment(amount=4000, organization=organization)
        assert begun(payout).blocked == ""


@pytest.mark.gap("2.1")
@pytest.mark.rule("M8")
@pytest.mark.django_db
class TestTransfers:
    def test_keep_stripes_id_and_are_booked_once(self, organization: Organization) -> None:
        transfer = begun(approved_payout(organization)).transfers.get()
        for _ in range(2):
            assert moved(transfer).stripe_transfer_id == f"tr_{transfer.pk}"
        assert books(organization) == (50_000, 50_000, 0)

    def test_two_for_one_of_ours_are_a_persons_matter(self, organization: Organization) -> None:
        transfer = moved(begun(approved_payout(organization)).transfers.get())
        with pytest.raises(transfer_sync.SecondTransfer):
            moved(transfer, id="tr_other")
        assert books(organization) == (50_000, 50_000, 0)

    def test_refused_ones_move_nothing(self, organization: Organization) -> None:
        transfer = begun(approved_payout(organization)).transfers.get()
        for why in ("Insufficient funds.", "Another word."):
            transfer = transfer_sync.fail(transfer_id=transfer.pk, why=why, by=SYSTEM)
        assert (transfer.state, transfer.failure_reason) == (Transfer.State.FAILED, "Insufficient funds.")
        assert books(organization) == (50_000, 0, 0)

    def test_reversed_at_stripe_are_booked_with_what_stripe_says(self, organization: Organization) -> None:
        transfer = moved(begun(approved_payout(organization)).transfers.get())
        answer = GatewayReversal("trr_1", transfer.stripe_transfer_id or "", 1234, "USD", balance_transaction_id="txn_r")
        for _ in range(2):
            made = transfer_sync.record_reversal(transfer_id=transfer.pk, answer=answer, at=timezone.now(), by=SYSTEM)

        transfer = Transfer.objects.get(pk=transfer.pk)
        assert (made.source, made.amount_reversed, transfer.amount_reversed) == ("external", 1234, 1234)
        assert books(organization) == (50_000, 48_766, 0)
