"""What seldom happens to money: a lock that is not had, a draft that says nothing new, rows that only a defect could make."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, OperationalError
from django.utils import timezone

from audit.actor import Actor
from billing import dispute_evidence, dispute_submission, earnings, payout_invariants, refunds
from billing.gateway import answers
from billing.gateway.base import GatewayDispute
from billing.models import Discrepancy, DisputeResponse, PayoutRequest
from billing.reconciliation import fixing
from ledger import periods
from ledger.models import LedgerTransaction
from tests.billing.test_dispute_answers import open_here
from tests.billing.test_dispute_books import word
from tests.factories.accounts import usable_account
from tests.factories.billing import finance, paid_payment
from tests.factories.organizations import OrganizationFactory
from tests.factories.payouts import read_balances

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

    def test_shows_nothing_to_somebody_unknown(self) -> None:
        for model in apps.get_app_config("billing").get_models():
            rows: Any = model._default_manager.all()
            if hasattr(rows, "visible_to"):
                assert not rows.visible_to(Actor.anonymous()).exists(), model

    def test_what_an_account_holds_counts_only_beside_the_platforms(self) -> None:
        organization = OrganizationFactory.create()
        paid_payment(organization=organization)
        read_balances("USD", 700, account=usable_account(organization))
        assert earnings.balance(organization.pk, "USD", at=timezone.now()).at_stripe is None

    def test_an_inquiry_is_asked_again(self) -> None:
        dispute = open_here("warning_under_review")
        assert word(dispute.payment, "warning_needs_response").status == "warning_needs_response"
        assert word(dispute.payment, "prevented").closed_at is not None

    def test_a_movement_in_a_connected_account_is_named_by_what_moved_it(self) -> None:
        assert answers._claim(SimpleNamespace(source_transfer="tr_1")) == "transfer:tr_1"
        assert answers._claim(SimpleNamespace(source_transfer_reversal="trr_1")) == "reversal:trr_1"

    def test_a_difference_of_nothing_posts_nothing(self) -> None:
        fixing._write(Discrepancy(), "none", "USD", [], "why")
        assert not LedgerTransaction.objects.filter(reference="none").exists()

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
