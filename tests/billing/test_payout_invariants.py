"""The rules about payouts hold after every step, and each names what breaks it."""

import pytest
from django.utils import timezone

from billing import payout_invariants, payout_submission
from billing.models import Payment, PayoutRequest, Transfer
from ledger import invariants, posting
from ledger.chart import STRIPE_BALANCE, Account
from ledger.posting import Entry
from tests.billing.test_disputes import open_dispute
from tests.billing.test_payout_sync import begun, hear, moved
from tests.factories.billing import paid_payment, requested_refund
from tests.factories.payouts import approved_payout, earning_organization

RULES = (
    payout_invariants.earned_matches,
    payout_invariants.payouts_in_transit_match,
    payout_invariants.transferred_matches,
    payout_invariants.payouts_within_available,
)
pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.1")]


def broken() -> list[str]:
    return [sentence for rule in RULES for sentence in rule()]


class TestRules:
    def test_are_registered(self) -> None:
        assert {"earned", "payouts_in_transit", "transferred", "payouts_available"} <= {one.name for one in invariants.registered()}

    @pytest.mark.parametrize("ends", [["pending", "paid", "failed"], ["pending", "failed"], ["paid"]])
    def test_hold_after_every_step(self, ends: list[str]) -> None:
        organization = earning_organization(amount=50_000)
        payment = paid_payment(amount=9000, organization=organization)
        requested_refund(payment, 2500)
        open_dispute(paid_payment(amount=3000, organization=organization), status="lost")
        assert broken() == []
        payout = approved_payout(organization, 30_000)
        moved(begun(payout).transfers.get())
        assert broken() == []
        for status in ends:
            hear(payout, status)
            assert broken() == []

    def test_name_a_payment_that_says_it_earned_something_else(self) -> None:
        payment = paid_payment(amount=5000)
        Payment.objects.filter(pk=payment.pk).update(earned=4999)

        assert broken() == [f"{payment.organization.name}: The books hold 50.00 USD of its sales, its payments say 49.99 USD."]

    def test_name_money_in_transit_that_no_payout_moves(self) -> None:
        organization = earning_organization()
        entries = [Entry(Account("payouts_in_transit", str(organization.pk)), 70), Entry(STRIPE_BALANCE, -70)]
        posting.post(reference="test:1", description="Wrong", currency="USD", entries=entries, occurred_at=timezone.now())

        assert [sentence.partition(": ")[2] for sentence in broken()] == [
            "The books hold 0.70 USD on its way to its bank, its payouts 0.00 USD.",
            "The books hold 0.70 USD in its account or on its way, transfers and payouts 0.00 USD.",
        ]

    def test_name_a_transfer_that_was_never_booked(self) -> None:
        payout = begun(approved_payout(earning_organization(amount=50_000)))
        Transfer.objects.filter(payout_request=payout).update(state="succeeded", stripe_transfer_id="tr_1")

        assert len(broken()) == 1
        assert PayoutRequest.objects.get().lacking == 50_000
        assert payout_submission.begin(payout_request_id=payout.pk, at=timezone.now()) is not None
