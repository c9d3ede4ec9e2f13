"""What a dispute does to the books: held while it is open, given back when won, borne by whom it was agreed when lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing import disputes, invariants
from billing.gateway.base import BalanceTransaction, GatewayDispute
from billing.models import Dispute, DisputeMovement, Payment
from ledger import balances, posting
from ledger.chart import DISPUTE_LOSSES, DISPUTES_HELD, STRIPE_FEES, organizer_payable
from ledger.models import LedgerTransaction
from ledger.posting import Entry
from tests.billing.conftest import Till
from tests.factories.billing import SYSTEM, again, paid_payment, pending_payment, plain_quote
from tests.factories.organizations import OrganizationFactory

FEE = 1500
AT = datetime(2026, 11, 1, tzinfo=UTC)


def word(payment: Payment, status: str, *movements: tuple[int, int], **values: Any) -> Dispute:
    """Stripe's word: the dispute in `status`, with these movements (amount, fee), in their order."""
    found = tuple(
        BalanceTransaction(f"txn_{payment.pk}_{number}", amount, fee, payment.currency, AT)
        for number, (amount, fee) in enumerate(movements)
    )
    given = {"amount": payment.amount, "currency": payment.currency, "reason": "general", "payment_intent_id": None, "due_by": None}
    charge = again(payment).stripe_charge_id or ""
    answer = GatewayDispute(id=f"du_{payment.pk}", status=status, charge_id=charge, movements=found, **{**given, **values})
    dispute = disputes.sync(answer=answer, at=timezone.now(), by=SYSTEM)
    assert dispute is not None
    return dispute


def held(currency: str = "USD") -> int:
    return balances.balance(DISPUTES_HELD, currency)


def owed(payment: Payment) -> int:
    return -balances.balance(organizer_payable(payment.organization_id), payment.currency)


def references(dispute: Dispute) -> list[str]:
    name = f"dispute:{dispute.pk}:"
    found = LedgerTransaction.objects.filter(reference__startswith=name).order_by("id").values_list("reference", flat=True)
    return [reference.removeprefix(name) for reference in found]


def paid(currency: str = "USD", amount: int = 5000, *, policy: str = "organizer") -> Payment:
    organization = OrganizationFactory.create(dispute_policy=policy)
    return paid_payment(amount=amount, currency=currency, organization=organization, quote=plain_quote(amount, currency))


@pytest.mark.django_db
class TestWithdrawn:
    def test_holds_the_amount_and_spends_the_fee_once(self) -> None:
        payment = paid()
        before = balances.balance(STRIPE_FEES, "USD")
        dispute = word(payment, "needs_response", (-5000, FEE))
        word(payment, "needs_response", (-5000, FEE))

        assert (held(), balances.balance(STRIPE_FEES, "USD") - before, owed(payment)) == (5000, FEE, 5000)
        assert references(dispute) == ["withdrawn"]
        movement = DisputeMovement.objects.get()
        assert (str(movement), movement.happened_at) == (f"-50.00 USD (txn_{payment.pk}_0)", AT)

    def test_moves_nothing_for_an_inquiry(self) -> None:
        payment = paid()
        dispute = word(payment, "warning_needs_response")
        assert (held(), references(dispute), again(payment).amount_disputed) == (0, [], 5000)

    def test_books_a_movement_that_is_heard_of_after_the_decision(self) -> None:
        payment = paid()
        word(payment, "lost")
        dispute = word(payment, "lost", (-5000, FEE))
        assert (held(), owed(payment), references(dispute)) == (0, -FEE, ["withdrawn", "lost"])


@pytest.mark.django_db
class TestLost:
    @pytest.mark.parametrize(("currency", "amount"), [("USD", 5000), ("JPY", 5000), ("KWD", 15_000)])
    def test_is_borne_by_the_organization_with_its_fee(self, currency: str, amount: int) -> None:
        payment = paid(currency, amount)
        fees = balances.balance(STRIPE_FEES, currency)
        word(payment, "needs_response", (-amount, FEE))
        dispute = word(payment, "lost", (-amount, FEE))
        word(payment, "lost", (-amount, FEE))

        assert (held(currency), owed(payment), balances.balance(STRIPE_FEES, currency)) == (0, -FEE, fees)
        assert references(dispute) == ["withdrawn", "lost"]
        assert not any(balances.totals().values())

    def test_is_borne_by_the_platform_where_that_was_agreed(self) -> None:
        payment = paid(policy="platform")
        fees = balances.balance(STRIPE_FEES, "USD")
        dispute = word(payment, "lost", (-5000, FEE))
        word(payment, "lost", (-5000, FEE))

        assert (held(), owed(payment), balances.balance(DISPUTE_LOSSES, "USD")) == (0, 5000, 5000)
        assert balances.balance(STRIPE_FEES, "USD") == fees + FEE
        assert references(dispute) == ["withdrawn", "lost"]

    def test_keeps_to_what_was_agreed_when_it_came(self) -> None:
        payment = paid(policy="platform")
        word(payment, "needs_response", (-5000, FEE))
        payment.organization.dispute_policy = "organizer"
        payment.organization.save()
        word(payment, "lost", (-5000, FEE))
        assert (owed(payment), balances.balance(DISPUTE_LOSSES, "USD")) == (5000, 5000)

    def test_is_only_what_stripe_did_not_give_back(self) -> None:
        payment = paid()
        word(payment, "lost", (-5000, FEE), (2000, 0))
        assert (held(), owed(payment)) == (0, 5000 - 3000 - FEE)


@pytest.mark.django_db
class TestWon:
    def test_gives_back_what_the_balance_transaction_says(self) -> None:
        payment = paid()
        word(payment, "needs_response", (-5000, FEE))
        dispute = word(payment, "won", (-5000, FEE), (5000, 0))
        assert (held(), owed(payment), references(dispute)) == (0, 5000, ["withdrawn", "reinstated"])
        assert again(payment).amount_disputed == 0

    def test_waits_for_the_money_where_the_decision_comes_first(self) -> None:
        payment = paid()
        word(payment, "won", (-5000, FEE))
        assert held() == 5000
        word(payment, "won", (-5000, FEE), (5000, -FEE))
        assert (held(), balances.balance(STRIPE_FEES, "USD")) == (0, 175)

    @pytest.mark.parametrize("policy", ["organizer", "platform"])
    def test_takes_a_loss_back_when_it_is_won_after_all(self, policy: str) -> None:
        payment = paid(policy=policy)
        word(payment, "lost", (-5000, FEE))
        dispute = word(payment, "won", (-5000, FEE))
        assert (held(), owed(payment), balances.balance(DISPUTE_LOSSES, "USD")) == (5000, 5000, 0)
        word(payment, "won", (-5000, FEE), (5000, 0))
        assert (held(), owed(payment)) == (0, 5000)
        assert references(dispute) == ["withdrawn", "lost", "lost:2", "reinstated"]

    def test_numbers_what_happens_again(self) -> None:
        payment = paid()
        dispute = word(payment, "under_review", (-5000, FEE), (5000, 0), (-5000, 0))
        assert (held(), references(dispute)) == (5000, ["withdrawn", "reinstated", "withdrawn:2"])


@pytest.mark.gap("2.2")
@pytest.mark.django_db
class TestThroughStripe:
    @pytest.mark.parametrize(("currency", "amount"), [("USD", 5000), ("JPY", 5000), ("KWD", 15_000)])
    @pytest.mark.parametrize(("outcome", "kept"), [("won", True), ("lost", False)])
    def test_agrees_with_stripes_balance_at_every_step(
        self, till: Till, books: Callable[[], None], currency: str, amount: int, outcome: str, kept: bool
    ) -> None:
        payment = pending_payment(amount=amount, currency=currency)
        till.pay(payment)
        till.settle()
        dispute = till.control.open_dispute(again(payment).stripe_payment_intent_id or "")
        till.settle()
        books()
        assert held(currency) == amount

        till.control.decide_dispute(dispute["id"], outcome)
        till.settle()
        books()
        assert (held(currency), owed(payment)) == (0, amount if kept else -FEE)

    def test_books_an_inquiry_that_becomes_a_dispute(self, till: Till, books: Callable[[], None]) -> None:
        payment = pending_payment()
        till.pay(payment, card="4000000000001976")
        till.settle()
        assert (Dispute.objects.get().status, held()) == ("warning_needs_response", 0)
        till.control.decide_dispute(Dispute.objects.get().stripe_dispute_id, "escalate")
        till.settle()
        books()
        assert (Dispute.objects.get().status, held()) == ("needs_response", 5000)


@pytest.mark.django_db
class TestInvariants:
    def test_hold_through_a_disputes_life(self) -> None:
        payment = paid()
        for status, moves in (("needs_response", 1), ("lost", 1), ("won", 1), ("won", 2)):
            word(payment, status, *[(-5000, FEE), (5000, 0)][:moves])
            assert list(invariants.disputes_held_match()) == []
        assert list(invariants.decided_disputes_hold_nothing()) == []

    def test_name_what_the_books_hold_without_a_dispute(self) -> None:
        posting.post(
            reference="stray", description="", currency="USD", occurred_at=AT, entries=[Entry(DISPUTES_HELD, 500), Entry(STRIPE_FEES, -500)]
        )
        assert list(invariants.disputes_held_match()) == ["The books hold 5.00 USD for disputes, the disputes themselves 0.00 USD."]

    def test_name_a_decided_dispute_whose_money_did_not_come_back(self) -> None:
        dispute = word(paid(), "won", (-5000, FEE), (2000, 0))
        Dispute.objects.update(closed_at=timezone.now() - timedelta(days=8))
        assert list(invariants.decided_disputes_hold_nothing()) == [
            f"{dispute.public_id} was decided a week ago, and 30.00 USD did not come back."
        ]
