"""What is earned, what of it is reserved, disputed, asked for, and what can be paid out: always adding up to what the books hold."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing import earnings, refund_sync
from billing.earnings import Balance
from billing.gateway.base import GatewayRefund
from billing.models import FeeSchedule, Payment
from core.money import Money
from organizations.models import Organization
from tests.billing.test_disputes import open_dispute
from tests.factories.accounts import usable_account
from tests.factories.billing import SYSTEM, again, paid_payment, priced, requested_refund
from tests.factories.organizations import OrganizationFactory
from tests.factories.payouts import approved_payout, earning_organization, read_balances, requested_payout

SOON = timedelta(days=5)
AMOUNTS = st.integers(min_value=-(10**9), max_value=10**9)
PARTS = st.integers(min_value=0, max_value=10**9)


def balance(organization: Organization, currency: str = "USD") -> Balance:
    return earnings.balance(organization.pk, currency, at=timezone.now())


class TestBalance:
    @given(payable=AMOUNTS, reserved=PARTS, disputed=PARTS, requested=PARTS, at_stripe=st.none() | PARTS)
    def test_is_never_more_than_what_is_free_nor_than_stripe_has_nor_below_zero(self, **parts: Any) -> None:
        found = Balance(currency="USD", **parts)
        free = parts["payable"] - parts["reserved"] - parts["disputed"] - parts["requested"]

        assert 0 <= found.available <= max(0, free)
        assert parts["at_stripe"] is None or found.available <= parts["at_stripe"]
        assert found.available == max(0, free) or found.available == parts["at_stripe"]
        assert found.owed == max(0, -parts["payable"])
        assert not (found.owed and found.available)


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestEarned:
    @pytest.mark.parametrize(("currency", "amount"), [("USD", 5000), ("JPY", 7000), ("KWD", 12_000)])
    def test_is_what_the_buyer_paid_less_fees_and_less_what_went_back(self, currency: str, amount: int) -> None:
        organization = OrganizationFactory()
        FeeSchedule.objects.create(organization=organization, payer="organizer", service_basis_points=1000)
        payment = paid_payment(quote=priced(organization, amount, currency), organization=organization)
        assert again(payment).earned == balance(organization, currency).payable == amount - amount // 10

        requested_refund(payment, amount // 2)
        left = again(payment).earned
        assert left == balance(organization, currency).payable == (amount - amount // 10) // 2

    def test_is_whole_again_once_a_refund_failed(self) -> None:
        payment = paid_payment(amount=5000)
        refund = requested_refund(payment, 2000)
        refund_sync.fail(refund_id=refund.pk, attempt=1, why="closed account", at=timezone.now(), by=SYSTEM)

        assert again(payment).earned == balance(payment.organization).payable == 5000

    def test_bears_stripes_fee_of_a_refund_where_the_organization_agreed_so(self) -> None:
        payment = paid_payment(amount=5000, organization=OrganizationFactory(refund_fee_policy="organizer"))
        refund = requested_refund(payment)
        answer = GatewayRefund("re_1", "succeeded", 5000, "USD", None, None, balance_transaction_id="txn_1")
        refund_sync.sync(refund_id=refund.pk, answer=answer, at=timezone.now(), by=SYSTEM)

        assert again(payment).earned == balance(payment.organization).payable == -175
        assert balance(payment.organization).owed == 175

    def test_loses_what_a_dispute_took(self) -> None:
        payment = paid_payment(amount=5000)
        open_dispute(payment, status="lost")

        found = balance(payment.organization)
        assert again(payment).earned == found.payable
        assert found.disputed == 0


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestReserved:
    def test_is_held_until_its_moment_and_then_available(self) -> None:
        until = timezone.now() + SOON
        payment = paid_payment(amount=5000, release_at=until)
        read_balances()

        before, after = (earnings.balance(payment.organization_id, "USD", at=at) for at in (until - timedelta(seconds=1), until))
        assert (before.payable, before.reserved, before.available) == (5000, 5000, 0)
        assert (after.payable, after.reserved, after.available) == (5000, 0, 5000)

    def test_moves_with_what_was_sold_when_that_is_rescheduled(self) -> None:
        organization = OrganizationFactory()
        until = timezone.now() + SOON
        for group in ("evt_a", "evt_a", "evt_b"):
            paid_payment(amount=5000, organization=organization, group=group, release_at=until)

        assert earnings.move_release(group="evt_a", at=timezone.now()) == 2
        assert balance(organization).reserved == 5000
        assert earnings.move_release(group="evt_b", at=None) == 1
        assert balance(organization).reserved == 0

    def test_counts_what_is_left_after_refunds(self) -> None:
        payment = paid_payment(amount=5000, release_at=timezone.now() + SOON)
        requested_refund(payment, 2000)

        found = balance(payment.organization)
        assert (found.payable, found.reserved, found.available) == (3000, 3000, 0)

    def test_and_disputed_of_the_same_payment_counts_once(self) -> None:
        payment = paid_payment(amount=5000, release_at=timezone.now() + SOON)
        other = paid_payment(amount=700, organization=payment.organization)
        open_dispute(payment, amount=6000)

        found = balance(other.organization)
        assert (found.reserved, found.disputed, found.unrequested) == (0, 6000, -300)

    def test_is_nothing_of_an_unpaid_payment(self) -> None:
        Payment.objects.filter(pk=paid_payment(amount=5000).pk).update(paid_at=None, release_at=timezone.now() + SOON)
        assert balance(Organization.objects.get()).reserved == 0


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestDisputed:
    def test_is_held_back_while_nobody_has_decided(self) -> None:
        payment = paid_payment(amount=5000)
        paid_payment(amount=1000, organization=payment.organization)
        open_dispute(payment, amount=5000)

        found = balance(payment.organization)
        assert (found.payable, found.disputed, found.available) == (6000, 5000, 1000)


@pytest.mark.gap("2.1")
@pytest.mark.django_db
class TestAvailable:
    def test_is_less_what_is_asked_for_already(self) -> None:
        organization = OrganizationFactory()
        usable_account(organization)
        paid_payment(amount=5000, organization=organization)
        requested_payout(organization, 3000)

        found = balance(organization)
        assert (found.requested, found.available) == (3000, 2000)

    def test_is_never_more_than_stripe_can_send(self) -> None:
        organization = OrganizationFactory()
        paid_payment(amount=5000, organization=organization)
        read_balances(available=1200)
        assert balance(organization).available == 1200

        read_balances(available=300, account=usable_account(organization))
        assert balance(organization).available == 1500

    def test_leaves_to_others_what_was_promised_to_them(self) -> None:
        first, second = earning_organization(amount=5000), earning_organization(amount=5000)
        read_balances(available=7000)
        approved_payout(first, 4000)

        assert balance(second).at_stripe == 3000
        assert balance(first).at_stripe == 7000

    def test_is_told_per_currency_with_the_same_number_of_queries(self, django_assert_num_queries: Any) -> None:
        organization = OrganizationFactory()
        for currency, amount in (("USD", 5000), ("JPY", 7000), ("KWD", 12_340)):
            paid_payment(amount=amount, currency=currency, organization=organization)
        with django_assert_num_queries(6):
            found = earnings.balances_of(organization.pk, at=timezone.now())

        assert [str(one.money("payable")) for one in found] == ["7,000 JPY", "12.340 KWD", "50.00 USD"]
        assert found[0].money("available") == Money(7000, "JPY")

    def test_of_nothing_is_nothing(self) -> None:
        organization = OrganizationFactory()
        assert earnings.balances_of(organization.pk, at=timezone.now()) == []
        assert balance(organization) == Balance("USD")
