"""Fetching back what was transferred and is not earned any more: at most what lies there, and never from under a payout."""

import pytest
from django.utils import timezone

from billing import payout_submission, recovery, transfer_sync
from billing.gateway.base import GatewayReversal, Held
from billing.models import Transfer, TransferReversal
from core.models import Job
from organizations.models import Organization
from tests.billing.test_disputes import open_dispute
from tests.billing.test_payout_sync import begun, books, hear, moved
from tests.factories.accounts import usable_account
from tests.factories.billing import SYSTEM, paid_payment, requested_refund
from tests.factories.organizations import OrganizationFactory
from tests.factories.payouts import approved_payout, now, read_balances

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.1"), pytest.mark.rule("M8")]


@pytest.fixture
def organization() -> Organization:
    """Earned 500.00 with two payments."""
    made = OrganizationFactory()
    usable_account(made)
    for _ in range(2):
        paid_payment(amount=25_000, organization=made)
    read_balances()
    return made


def stranded(organization: Organization, amount: int | None = None) -> Transfer:
    """A transfer whose payout failed: the money lies in the connected account."""
    payout = approved_payout(organization, amount)
    transfer = moved(begun(payout).transfers.get())
    hear(payout, "failed")
    return transfer


def give_back(organization: Organization, amount: int) -> None:
    requested_refund(organization.payments.order_by("pk")[0], amount)


def following(organization: Organization, held: int) -> TransferReversal | None:
    account = organization.connected_account
    return recovery.next_reversal(account_id=account.pk, currency="USD", held={"USD": Held(held, 0)})


def reversed_by_stripe(reversal: TransferReversal, amount: int) -> TransferReversal:
    answer = GatewayReversal(f"trr_{reversal.pk}", reversal.transfer.stripe_transfer_id or "", amount, "USD")
    given = {"transfer_id": reversal.transfer_id, "reversal_id": reversal.pk, "at": timezone.now(), "by": SYSTEM}
    return transfer_sync.record_reversal(answer=answer, **given)


def looks() -> int:
    return Job.objects.filter(name="billing.recovery.recover").count()


class TestAfter:
    def test_a_refund_has_it_looked_at_only_where_something_was_transferred(self, organization: Organization) -> None:
        give_back(organization, 1000)
        assert looks() == 0

        stranded(organization)
        before = looks()
        give_back(organization, 1000)
        assert looks() == before + 1

    def test_a_lost_dispute_too(self, organization: Organization) -> None:
        stranded(organization)
        before = looks()
        open_dispute(organization.payments.order_by("pk")[0], status="lost")
        assert looks() == before + 1


class TestNextReversal:
    def test_takes_what_is_not_earned_any_more(self, organization: Organization) -> None:
        transfer = stranded(organization)
        assert following(organization, 50_000) is None
        give_back(organization, 3000)

        reversal = following(organization, 50_000)
        assert reversal is not None
        assert (reversal.transfer_id, reversal.amount, reversal.source) == (transfer.pk, 3000, "recovery")
        assert books(organization) == (47_000, 50_000, 0)
        reversed_by_stripe(reversal, 3000)
        assert books(organization) == (47_000, 47_000, 0)
        assert following(organization, 47_000) is None

    def test_takes_at_most_what_stripe_says_is_there(self, organization: Organization) -> None:
        stranded(organization)
        give_back(organization, 3000)
        reversal = following(organization, 1200)
        assert reversal is not None
        assert reversal.amount == 1200
        assert following(organization, 0) is not None  # the one that is asked for already

    def test_reads_back_what_stripe_took(self, organization: Organization) -> None:
        stranded(organization)
        give_back(organization, 3000)
        reversal = following(organization, 50_000)
        assert reversal is not None
        done = reversed_by_stripe(reversal, 2999)

        assert (done.state, done.amount, done.amount_reversed) == ("succeeded", 3000, 2999)
        assert reversed_by_stripe(reversal, 2999).pk == done.pk
        assert books(organization) == (47_000, 47_001, 0)

    def test_takes_the_newest_transfer_first_and_each_as_far_as_it_goes(self, organization: Organization) -> None:
        first = stranded(organization, 2000)
        payout = approved_payout(organization, 3000)
        payout_submission.begin(payout_request_id=payout.pk, at=timezone.now())
        payout_submission.plan(payout_request_id=payout.pk, held={"USD": Held(2000, 0)})
        second = moved(now(payout).transfers.get())
        hear(payout, "failed")
        assert (second.amount, books(organization)) == (1000, (50_000, 3000, 0))

        for payment in organization.payments.all():
            requested_refund(payment)
        taken = []
        while (reversal := following(organization, 50_000)) is not None:
            taken.append((reversal.transfer_id, reversal.amount))
            reversed_by_stripe(reversal, reversal.amount)
        assert taken == [(second.pk, 1000), (first.pk, 2000)]
        assert books(organization) == (0, 0, 0)

    def test_leaves_alone_what_a_payout_is_taking(self, organization: Organization) -> None:
        payout = approved_payout(organization)
        moved(begun(payout).transfers.get())
        give_back(organization, 3000)
        assert following(organization, 50_000) is None

        hear(payout, "failed")
        assert following(organization, 50_000) is not None

    def test_leaves_the_rest_owed_once_the_bank_has_it(self, organization: Organization) -> None:
        payout = approved_payout(organization)
        moved(begun(payout).transfers.get())
        hear(payout, "paid")
        give_back(organization, 3000)

        assert following(organization, 0) is None
        assert books(organization) == (-3000, 0, 0)
        paid_payment(amount=5000, organization=organization)
        assert books(organization) == (2000, 0, 0)

    def test_keeps_a_payout_waiting_until_it_is_done(self, organization: Organization) -> None:
        stranded(organization)
        payout = approved_payout(organization, 5000)
        give_back(organization, 3000)
        reversal = following(organization, 50_000)
        assert reversal is not None
        assert payout_submission.begin(payout_request_id=payout.pk, at=timezone.now()) is None
        assert now(payout).blocked.startswith("Money is being fetched back")

        reversed_by_stripe(reversal, 3000)
        assert payout_submission.begin(payout_request_id=payout.pk, at=timezone.now()) is not None

    def test_stays_owed_where_stripe_refuses(self, organization: Organization) -> None:
        stranded(organization)
        give_back(organization, 3000)
        reversal = following(organization, 50_000)
        assert reversal is not None
        for why in ("Insufficient funds.", "Later word."):
            transfer_sync.fail_reversal(reversal_id=reversal.pk, why=why, by=SYSTEM)

        failed = TransferReversal.objects.get()
        assert (failed.state, failed.failure_reason) == ("failed", "Insufficient funds.")
        assert books(organization) == (47_000, 50_000, 0)


class TestKeys:
    def test_rise_once_for_two_workers_and_count_from_the_first_call(self, organization: Organization) -> None:
        stranded(organization)
        give_back(organization, 3000)
        reversal = following(organization, 50_000)
        assert reversal is not None
        first, is_first = recovery.sending(reversal_id=reversal.pk, at=timezone.now())
        _, is_second = recovery.sending(reversal_id=reversal.pk, at=timezone.now())
        assert (is_first, is_second) == (True, False)

        for _ in range(2):
            renewed = recovery.next_attempt(reversal_id=reversal.pk, given_up=1)
        assert (first.stripe_key, renewed.stripe_key) == (f"reversal-{reversal.pk}-1", f"reversal-{reversal.pk}-2")
