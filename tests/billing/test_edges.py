"""What seldom happens to money: a lock that is not had, a draft that says nothing new, rows that only a defect could make."""

from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.utils import timezone

from billing import dispute_evidence, dispute_submission, payout_invariants, refunds
from billing.gateway.base import GatewayDispute
from billing.models import DisputeResponse, PayoutRequest, StripeBalance, Transfer, TransferReversal
from ledger import periods
from tests.billing.test_dispute_answers import open_here
from tests.factories.billing import finance, paid_payment
from tests.factories.people import personas

pytestmark = pytest.mark.django_db


class TestEdges:
    def test_a_draft_that_says_nothing_new_is_not_written_down(self) -> None:
        dispute = open_here()
        by = finance()
        dispute_evidence.save(dispute_id=dispute.pk, by=by, customer_name="Zoë")
        before = dispute_evidence.save(dispute_id=dispute.pk, by=by, customer_name="Zoë").updated_at
        assert dispute_evidence.save(dispute_id=dispute.pk, by=by, customer_name=" Zoë ").updated_at == before

    def test_books_that_are_busy_say_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Busy:
            def cursor(self) -> "Busy":
                return self

            def __enter__(self) -> "Busy":
                return self

            def __exit__(self, *_: Any) -> None: ...

            def execute(self, sql: str) -> None:
                if sql.startswith("LOCK"):
                    raise OperationalError("canceling statement due to lock timeout")

        monkeypatch.setattr(periods, "connection", Busy())
        with pytest.raises(periods.BooksBusy, match="try again"):
            periods.hold_still()

    def test_a_payout_above_what_was_available_would_be_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Rows:
            def filter(self, **_: Any) -> "Rows":
                return self

            def values_list(self, *_: Any, **__: Any) -> list[Any]:
                return [PayoutRequest().pk]

        monkeypatch.setattr(PayoutRequest, "objects", Rows())
        (sentence,) = payout_invariants.payouts_within_available()
        assert "more than was available" in sentence

    def test_a_refund_that_the_database_refuses_is_not_taken_for_a_repetition(self) -> None:
        payment = paid_payment(amount=5000)
        with pytest.raises(IntegrityError):
            refunds._insert(payment, finance(), amount=-1, source="console", reason="other", request_token="t")

    def test_what_stripe_holds_is_for_staff(self) -> None:
        people = personas()
        for model in (StripeBalance, Transfer, TransferReversal):
            assert not model.objects.visible_to(people.as_charlie).exists()
            assert not model.objects.visible_to(finance()).exists()

    def test_an_answer_that_has_ended_is_finished_once(self) -> None:
        dispute = open_here()
        answer = DisputeResponse.objects.create(dispute=dispute, kind="accept")
        answer.begin(at=timezone.now())
        answer.save()
        charge = dispute.payment.stripe_charge_id or ""
        word = GatewayDispute(dispute.stripe_dispute_id, "lost", dispute.amount, "USD", "general", charge, None, None)
        for _ in range(2):
            dispute_submission.finish(response_id=answer.pk, answer=word, at=timezone.now())
        assert DisputeResponse.objects.get().state == "done"
