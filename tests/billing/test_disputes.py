"""Disputes, mirrored so that a disputed payment is not refunded as well."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from audit.models import AuditEntry
from billing import disputes
from billing.gateway.base import GatewayDispute
from billing.models import Dispute, Payment
from core.money import Money
from notifications.models import Message
from tests.billing.conftest import Shop, Till
from tests.draining import drain
from tests.factories.billing import SYSTEM, again, paid_payment, pending_payment
from tests.factories.people import personas

DUE = datetime(2026, 12, 1, tzinfo=UTC)


def open_dispute(payment: Payment, status: str = "needs_response", **values: Any) -> Dispute | None:
    """Stripe's word about a dispute of this payment."""
    answer = GatewayDispute(
        **{
            "id": f"du_{payment.pk}",
            "status": status,
            "amount": payment.amount,
            "currency": payment.currency,
            "reason": "fraudulent",
            "charge_id": again(payment).stripe_charge_id or "",
            "payment_intent_id": payment.stripe_payment_intent_id,
            "due_by": DUE,
            **values,
        }
    )
    return disputes.sync(answer=answer, at=timezone.now(), by=SYSTEM)


@pytest.mark.django_db
class TestSync:
    def test_mirrors_stripes_dispute_and_tells_the_seller_once(self, shop: Shop) -> None:
        payment = paid_payment()
        dispute = open_dispute(payment)
        open_dispute(payment)
        open_dispute(payment, "under_review", due_by=None)

        assert dispute is not None
        kept = Dispute.objects.get()
        assert (kept.pk, kept.status, kept.amount, kept.due_by, str(kept)) == (
            dispute.pk, "under_review", 5000, None, "Dispute of 50.00 USD",
        )  # fmt: skip
        assert again(payment).amount_disputed == 5000
        assert shop.words() == ["paid", "disputed"]
        changes = AuditEntry.objects.filter(action="dispute.changed").order_by("id").values_list("before", "after")
        assert list(changes) == [
            ({"status": None}, {"status": "needs_response"}),
            ({"status": "needs_response"}, {"status": "under_review"}),
        ]

    @pytest.mark.parametrize(("status", "held"), [("won", 0), ("warning_closed", 0), ("lost", 5000), ("under_review", 5000)])
    def test_holds_what_is_open_or_lost(self, status: str, held: int) -> None:
        payment = paid_payment()
        open_dispute(payment, "warning_needs_response" if status.startswith("warning") else "needs_response")
        open_dispute(payment, status)
        assert again(payment).amount_disputed == held

    @pytest.mark.gap("6.2")
    def test_lets_no_older_word_reopen_a_decided_one(self) -> None:
        payment = paid_payment()
        open_dispute(payment)
        open_dispute(payment, "won")
        open_dispute(payment, "needs_response")
        assert (Dispute.objects.get().status, again(payment).amount_disputed) == ("won", 0)

    def test_lets_no_answer_from_before_the_evidence_ask_for_it_again(self) -> None:
        payment = paid_payment()
        open_dispute(payment)
        open_dispute(payment, "under_review", submission_count=1)
        open_dispute(payment, "needs_response", submission_count=0)
        assert Dispute.objects.get().status == "under_review"

    def test_tells_the_organizations_admins_once_for_each_status(self) -> None:
        people = personas()
        payment = paid_payment(organization=people.organization)
        open_dispute(payment)
        open_dispute(payment)
        open_dispute(payment, "lost")
        drain()
        sent = Message.objects.filter(kind="dispute_changed").order_by("id").values_list("to", "subject")
        assert list(sent) == [
            (people.alice.email, "Dispute over 50.00 USD: Needs response"),
            (people.alice.email, "Dispute over 50.00 USD: Lost"),
        ]

    def test_is_held_by_the_database_to_stripes_graph(self) -> None:
        payment = paid_payment()
        open_dispute(payment, "won")
        with pytest.raises(IntegrityError, match="no move from"):
            Dispute.objects.update(status="needs_response")

    def test_adds_up_several(self) -> None:
        payment = paid_payment()
        open_dispute(payment, id="du_1", amount=2000)
        open_dispute(payment, id="du_2", amount=3000)
        open_dispute(payment, "won", id="du_1", amount=2000)
        assert again(payment).amount_disputed == 3000

    def test_leaves_a_charge_alone_that_is_not_ours(self, shop: Shop) -> None:
        payment = pending_payment()
        assert open_dispute(payment, charge_id="ch_elsewhere") is None
        assert not Dispute.objects.exists()
        assert shop.told == []

    def test_is_seen_by_the_organizations_people_only(self) -> None:
        people = personas()
        open_dispute(paid_payment(organization=people.organization))
        assert Dispute.objects.visible_to(people.as_alice).count() == 1
        assert Dispute.objects.visible_to(people.as_charlie).count() == 0


@pytest.mark.gap("6.2")
@pytest.mark.django_db
class TestWebhooks:
    @pytest.mark.parametrize(("inquiry", "outcome", "held"), [(False, "won", 0), (False, "lost", 5000), (True, "warning_closed", 0)])
    def test_follow_a_dispute_at_stripe_to_its_end(self, till: Till, shop: Shop, inquiry: bool, outcome: str, held: int) -> None:
        payment = pending_payment()
        till.pay(payment)
        till.settle()
        dispute = till.control.open_dispute(again(payment).stripe_payment_intent_id or "", inquiry=inquiry)
        till.settle()
        assert (again(payment).amount_disputed, shop.words()) == (5000, ["paid", "disputed"])

        till.control.decide_dispute(dispute["id"], outcome)
        till.settle()
        assert (Dispute.objects.get().status, again(payment).amount_disputed) == (outcome, held)

    def test_are_understood_before_the_payments_own(self, till: Till, shop: Shop) -> None:
        payment = pending_payment()
        till.control.delivery(
            "lost", types=["checkout.session.completed", "payment_intent.succeeded", "charge.updated", "charge.succeeded"]
        )
        till.pay(payment, card="4000000000000259")
        till.settle()
        assert (again(payment).state, again(payment).amount_disputed) == ("succeeded", 5000)
        assert Money(5000, "USD") == payment.due
        assert shop.words() == ["paid", "disputed"]
