"""Stripe tells us the same thing through several doors at once: a dispute's money is booked once."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from audit.actor import Actor
from billing import disputes
from billing.gateway.base import BalanceTransaction, GatewayDispute
from billing.models import Dispute, DisputeMovement
from ledger import balances
from ledger.chart import DISPUTES_HELD
from ledger.models import LedgerTransaction
from sandbox.stripe.server import Sandbox
from tests import flows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("5.3"), pytest.mark.gap("2.2")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]


class TestOneDisputeThroughManyDoors:
    def test_is_booked_once(self, sandbox: Sandbox, race: Race) -> None:
        payment = flows.paid(sandbox)
        moved = BalanceTransaction("txn_1", -payment.amount, 1500, payment.currency, datetime(2026, 11, 1, tzinfo=UTC))
        answer = GatewayDispute(
            id="du_1",
            status="needs_response",
            amount=payment.amount,
            currency=payment.currency,
            reason="fraudulent",
            charge_id=payment.stripe_charge_id or "",
            payment_intent_id=None,
            due_by=None,
            movements=(moved,),
        )
        results = race(6, lambda _number: disputes.sync(answer=answer, at=timezone.now(), by=Actor.system("race")))

        assert {type(each) for each in results} == {Dispute}
        assert DisputeMovement.objects.count() == 1
        assert LedgerTransaction.objects.filter(reference__startswith="dispute:").count() == 1
        assert balances.balance(DISPUTES_HELD, payment.currency) == payment.amount
