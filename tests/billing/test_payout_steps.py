"""The steps of a payout's worker between its calls to Stripe: each stored before the call, each repeatable, nothing left half done."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing import commands, payout_emails, payout_submission, payout_sweeps, recovery, transfer_submission
from billing.models import ConnectedAccount, PayoutRequest, StripeCommand
from core.models import Job
from ledger import posting
from ledger.chart import STRIPE_FEES, organizer_payable
from ledger.posting import Entry
from notifications.models import Message
from organizations.models import Organization
from tests.billing.test_payout_sync import begun, books, hear, moved, transferred
from tests.billing.test_recovery import following, give_back, stranded
from tests.factories.billing import paid_payment
from tests.factories.organizations import MembershipFactory, OrganizationFactory
from tests.factories.payouts import approved_payout, earning_organization, now

State = PayoutRequest.State
pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.1")]


@pytest.fixture
def organization() -> Organization:
    return earning_organization(amount=50_000)


def queued(task: str) -> int:
    return Job.objects.filter(name=task).count()


def begin(payout: PayoutRequest) -> PayoutRequest | None:
    return payout_submission.begin(payout_request_id=payout.pk, at=timezone.now())


class TestBlocked:
    def test_while_the_account_is_not_usable(self, organization: Organization) -> None:
        payout = approved_payout(organization)
        ConnectedAccount.objects.update(payouts_enabled=False)
        assert begin(payout) is None
        assert now(payout).blocked == "The payout account is not usable in this currency at the moment."

        ConnectedAccount.objects.update(payouts_enabled=True)
        assert begin(payout) is not None

    def test_while_the_organization_owes_money(self, organization: Organization) -> None:
        payout = approved_payout(organization)
        entries = [Entry(organizer_payable(organization.pk), 50_100), Entry(STRIPE_FEES, -50_100)]
        posting.post(reference="test:owe", description="Taken", currency="USD", entries=entries, occurred_at=timezone.now())

        assert begin(payout) is None
        assert now(payout).blocked.startswith("The organization owes 1.00 USD;")


class TestSteps:
    def test_of_a_payout_count_from_the_first_call(self, organization: Organization) -> None:
        payout = transferred(approved_payout(organization))
        first, second = (payout_submission.sending(payout_request_id=payout.pk, at=timezone.now()) for _ in range(2))
        assert (first[1], second[1]) == (True, False)

        hear(payout, "paid")
        assert payout_submission.sending(payout_request_id=payout.pk, at=timezone.now()) == (None, False)

    def test_raise_a_key_once_for_two_workers(self, organization: Organization) -> None:
        payout = begun(approved_payout(organization))
        transfer = payout.transfers.get()
        for _ in range(2):
            payout = payout_submission.next_attempt(payout_request_id=payout.pk, given_up=1)
            transfer = transfer_submission.next_attempt(transfer_id=transfer.pk, given_up=1)
        assert (payout.stripe_key, transfer.stripe_key) == (f"payout-{payout.pk}-2", f"transfer-{transfer.pk}-2")

    def test_of_a_transfer_count_from_the_first_call(self, organization: Organization) -> None:
        transfer = begun(approved_payout(organization)).transfers.get()
        answers = [transfer_submission.sending(transfer_id=transfer.pk, at=timezone.now())[1] for _ in range(2)]
        assert answers == [True, False]

    def test_of_a_transfer_that_was_decided_are_not_repeated(self, organization: Organization) -> None:
        transfer = begun(approved_payout(organization)).transfers.get()
        assert transfer_submission.send(moved(transfer)) is True
        assert not StripeCommand.objects.exists()

    def test_fail_transfer_and_payout_together(self, organization: Organization) -> None:
        payout = begun(approved_payout(organization))
        transfer = payout.transfers.get()
        transfer_submission.refuse(transfer_id=transfer.pk, why="Insufficient funds.", at=timezone.now())

        assert (now(payout).state, now(payout).reason, payout.transfers.get().state) == (State.FAILED, "Insufficient funds.", "failed")
        assert books(organization) == (50_000, 0, 0)
        assert transfer_submission.send(payout.transfers.get()) is False

    def test_do_nothing_where_it_is_not_the_payouts_turn(self, organization: Organization) -> None:
        payout = transferred(approved_payout(organization))
        hear(payout, "paid")
        payout_submission.submit(payout_request_id=payout.pk)
        assert (now(payout).state, StripeCommand.objects.count()) == (State.PAID, 0)


class TestSpentKeys:
    def test_are_those_that_stripe_forgot_or_stored_an_error_for(self, organization: Organization) -> None:
        made = commands.prepare(operation="x", key="k", parameters={}, subject=organization, organization_id=None)
        recent, old = timezone.now() - timedelta(hours=22), timezone.now() - timedelta(hours=24)
        assert [commands.is_spent(key="k", since=since) for since in (None, recent, old)] == [False, False, True]
        assert not commands.is_spent(key="another", since=old)

        StripeCommand.objects.filter(pk=made.pk).update(error="stored by Stripe: api_error")
        assert commands.is_spent(key="k", since=recent)


class TestSweep:
    def test_queues_again_what_should_have_gone_on(self, organization: Organization) -> None:
        payout = approved_payout(organization)
        Job.objects.all().delete()
        payout_sweeps.payouts_under_way()
        assert queued("billing.payout_submission.submit") == 0  # it is young

        PayoutRequest.objects.update(updated_at=timezone.now() - timedelta(minutes=11))
        for _ in range(2):
            payout_sweeps.payouts_under_way()
        assert queued("billing.payout_submission.submit") == 1
        assert now(payout).state == State.APPROVED

    def test_leaves_to_the_open_job_what_has_one(self, organization: Organization) -> None:
        approved_payout(organization)
        PayoutRequest.objects.update(updated_at=timezone.now() - timedelta(minutes=11))
        payout_sweeps.payouts_under_way()
        assert queued("billing.payout_submission.submit") == 1

    def test_looks_again_at_money_that_should_come_back(self, organization: Organization) -> None:
        paid_payment(amount=9000, organization=organization)
        stranded(organization)
        give_back(organization, 3000)
        reversal = following(organization, 50_000)
        assert reversal is not None
        Job.objects.all().delete()
        type(reversal).objects.update(updated_at=timezone.now() - timedelta(minutes=11))
        for _ in range(2):
            payout_sweeps.payouts_under_way()

        assert queued("billing.recovery.recover") == 1


class TestRecoveryStops:
    def test_before_stripe_is_asked_where_there_is_nothing_to_fetch(self, organization: Organization) -> None:
        for each in (organization, OrganizationFactory()):
            recovery.recover(organization_id=each.pk, currency="USD")
        assert not StripeCommand.objects.exists()


class TestMails:
    def test_tell_the_admins_once_for_each_try(self, organization: Organization) -> None:
        admin = MembershipFactory(organization=organization).user
        MembershipFactory(organization=organization, role="organizer")
        payout = transferred(approved_payout(organization))
        hear(payout, "paid")
        hear(payout, "failed", failure_message="Account closed.")
        for send in (payout_emails.send_payout_paid, payout_emails.send_payout_failed, payout_emails.send_payout_failed):
            send(payout_request_id=payout.pk)

        sent = list(Message.objects.order_by("pk").values_list("kind", "to"))
        assert sent == [("payout_paid", admin.email), ("payout_failed", admin.email)]
