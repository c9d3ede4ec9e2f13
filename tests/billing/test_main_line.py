"""The main line of money on real parts: paid at Checkout, refunded in part and then whole, and the books agree with Stripe."""

from collections.abc import Callable

import pytest

from billing.models import FeeSchedule, Payment, Refund, TaxRate
from core.money import Money
from ledger import balances
from ledger.chart import PLATFORM_FEES, PROCESSING_FEES, STRIPE_BALANCE, STRIPE_FEES, organizer_payable, tax_payable
from notifications.models import Message
from tests.billing.conftest import Shop, Till
from tests.factories.billing import again, pending_payment, priced, requested_refund
from tests.factories.organizations import OrganizationFactory


@pytest.mark.gap("1.3")
@pytest.mark.gap("6.2")
@pytest.mark.rule("M7")
@pytest.mark.rule("M8")
@pytest.mark.django_db
class TestMainLine:
    def test_ends_with_books_that_agree_with_stripe(self, till: Till, shop: Shop, books: Callable[[], None]) -> None:
        organization = OrganizationFactory.create(refund_approval_limits={"USD": 100_000})
        FeeSchedule.objects.create(
            currency="USD", service_basis_points=500, service_fixed=50, processing_basis_points=300, processing_fixed=30
        )
        TaxRate.objects.create(jurisdiction="DE", name="VAT", basis_points=1900, starts_on="2026-01-01")
        quote = priced(organization, 10_000, jurisdiction="DE")
        assert quote.total == Money(10_000 + 550 + 330 + 2067, "USD")
        payment = pending_payment(organization=organization, quote=quote)

        till.pay(payment)
        till.settle()
        payment = again(payment)
        assert (payment.state, payment.amount_captured, payment.stripe_fee) == (Payment.State.SUCCEEDED, 12_947, 405)
        assert balances.balance(STRIPE_BALANCE, "USD") == 12_947 - 405
        assert balances.balance(organizer_payable(organization.pk), "USD") == -10_000
        books()

        requested_refund(payment, 2947)
        till.settle()
        assert (again(payment).state, again(payment).amount_refunded) == (Payment.State.PARTIALLY_REFUNDED, 2947)
        books()

        requested_refund(payment)
        till.settle()
        assert again(payment).state == Payment.State.REFUNDED
        assert [refund.state for refund in Refund.objects.all()] == [Refund.State.SUCCEEDED] * 2
        assert till.refunds(payment) == [("succeeded", 2947), ("succeeded", 10_000)]
        for account in (organizer_payable(organization.pk), PLATFORM_FEES, PROCESSING_FEES, tax_payable("DE")):
            assert balances.balance(account, "USD") == 0
        assert balances.balance(STRIPE_FEES, "USD") == 405 == -balances.balance(STRIPE_BALANCE, "USD")
        books()
        assert shop.words() == ["paid", "refunded 2947 of 2947", "refunded 10000 of 12947"]
        kinds = ["payment_receipt", "refund_requested", "refund_settled", "refund_requested", "refund_settled"]
        assert list(Message.objects.order_by("id").values_list("kind", flat=True)) == kinds
