"""What the clock finds: answers to disputes that got stuck, and decisions that nobody told us."""

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from billing import dispute_responses, dispute_sweeps
from billing.models import Dispute, DisputeResponse
from core.models import Job
from tests.billing.conftest import Till
from tests.factories.billing import finance, payment_at_stripe
from tests.flows import forget_the_queue

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]


@pytest.fixture
def dispute(till: Till, settings: Any, tmp_path: Path) -> Dispute:
    settings.MEDIA_ROOT = tmp_path
    payment = payment_at_stripe(till.sandbox)
    till.control.open_dispute(payment.stripe_payment_intent_id or "")
    till.settle()
    return Dispute.objects.get()


def long_ago(row: Dispute | DisputeResponse) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(updated_at=timezone.now() - dispute_sweeps.ASKED_EVERY * 2)


class TestUnderWay:
    def test_sends_an_answer_whose_message_was_lost(self, till: Till, dispute: Dispute) -> None:
        answer = dispute_responses.accept(dispute_id=dispute.pk, by=finance())
        forget_the_queue()
        dispute_sweeps.disputes_under_way()
        assert Job.objects.filter(state="queued").count() == 0

        long_ago(answer)
        dispute_sweeps.disputes_under_way()
        dispute_sweeps.disputes_under_way()
        long_ago(answer)
        dispute_sweeps.disputes_under_way()
        till.settle()
        assert Dispute.objects.get().status == "lost"
        assert len(till.calls("POST", f"/v1/disputes/{dispute.stripe_dispute_id}/close")) == 1

    def test_reads_a_decision_that_nobody_told_us(self, till: Till, dispute: Dispute) -> None:
        till.control.delivery("lost", types=["charge.dispute.closed", "charge.dispute.funds_reinstated"])
        till.control.decide_dispute(dispute.stripe_dispute_id, "won")
        till.settle()
        assert Dispute.objects.get().status == "needs_response"

        long_ago(dispute)
        dispute_sweeps.disputes_under_way()
        assert Dispute.objects.get().status == "won"
