"""Answering a dispute: evidence is gathered, submitted once, or the dispute given up; whatever happens on the line."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing import dispute_evidence, dispute_responses, dispute_submission
from billing.dispute_evidence import LARGEST_FILE, DisputeNotAnswerable, Upload
from billing.models import Dispute, DisputeFile, DisputeResponse, StripeCommand
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.jobs import RetryLater
from core.models import Job
from tests.billing.conftest import Till
from tests.billing.test_dispute_books import word
from tests.draining import drain
from tests.factories.billing import finance, paid_payment, payment_at_stripe
from tests.factories.people import personas, staff

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]
PDF = Upload("Größe.pdf", b"%PDF-1.7 attendance list")


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def open_here(status: str = "needs_response", **values: Any) -> Dispute:
    """A dispute that Stripe does not know."""
    due_by = values.pop("due_by", timezone.now() + timedelta(days=6))
    return word(paid_payment(**values), status, due_by=due_by)


@pytest.fixture
def dispute(till: Till) -> Dispute:
    """One that stands at Stripe as well, and waits for an answer."""
    payment = payment_at_stripe(till.sandbox)
    till.control.open_dispute(payment.stripe_payment_intent_id or "")
    till.settle()
    return Dispute.objects.get()


def evidence(till: Till) -> dict[str, Any]:
    """What Stripe has of it."""
    found = till.sandbox.world.store.get("dispute", Dispute.objects.get().stripe_dispute_id)
    return {name: value for name, value in found["evidence"].items() if value}


class TestSave:
    def test_keeps_a_draft_and_sends_nothing(self) -> None:
        dispute = open_here()
        before = Job.objects.count()
        dispute_evidence.save(dispute_id=dispute.pk, by=finance(), customer_name=" Zoë ", service_date="2026-12-01")
        dispute_evidence.save(dispute_id=dispute.pk, by=finance(), service_date="", uncategorized_text="She was there.")

        assert Dispute.objects.get().evidence == {"customer_name": "Zoë", "uncategorized_text": "She was there."}
        assert (Job.objects.count(), DisputeResponse.objects.count()) == (before, 0)
        entry = AuditEntry.objects.filter(action="dispute.evidence_saved").latest("id")
        assert entry.before == {"customer_name": "Zoë", "service_date": "2026-12-01"}

    def test_suggests_what_is_known(self) -> None:
        dispute = open_here()
        dispute_evidence.save(dispute_id=dispute.pk, by=finance(), customer_name="Z. Ågren")
        known = dispute_evidence.suggested(Dispute.objects.select_related("payment").get())
        assert (known["customer_name"], known["product_description"]) == ("Z. Ågren", "Ethics in practice")
        assert known["refund_policy_disclosure"].startswith("Shown before payment: ")
        dispute.payment.service_starts_at = None
        assert dispute_evidence.suggested(dispute)["service_date"] == ""

    @pytest.mark.parametrize(("name", "text"), [("shipping_carrier", "x"), ("customer_name", "x" * 20_001), ("customer_name", "a\x00b")])
    def test_refuses_what_stripe_would_not_take(self, name: str, text: str) -> None:
        dispute = open_here()
        with pytest.raises(InvalidInput):
            dispute_evidence.save(dispute_id=dispute.pk, by=finance(), **{name: text})
        assert Dispute.objects.get().evidence == {}

    @pytest.mark.parametrize(
        ("status", "values", "why"),
        [
            ("lost", {}, "has decided"),
            ("under_review", {}, "is with the bank"),
            ("needs_response", {"due_by": timezone.now() - timedelta(minutes=1)}, "is over"),
        ],
    )
    def test_is_over_with_the_dispute_or_its_day(self, status: str, values: dict[str, Any], why: str) -> None:
        dispute = open_here(status, **values)
        for act in (
            lambda by: dispute_evidence.save(dispute_id=dispute.pk, by=by, customer_name="x"),
            lambda by: dispute_evidence.attach(dispute_id=dispute.pk, kind="receipt", upload=PDF, by=by),
            lambda by: dispute_responses.submit(dispute_id=dispute.pk, by=by),
            lambda by: dispute_responses.accept(dispute_id=dispute.pk, by=by),
            lambda by: dispute_responses.retry(dispute_id=dispute.pk, by=by),
        ):
            with pytest.raises(DisputeNotAnswerable, match=why):
                act(finance())
        assert not DisputeFile.objects.exists()
        assert not DisputeResponse.objects.exists()

    def test_is_for_those_who_look_after_the_money(self) -> None:
        people = personas()
        dispute = open_here(organization=people.organization)
        with pytest.raises(NotFound):
            dispute_evidence.save(dispute_id=dispute.pk, by=people.as_charlie, customer_name="x")
        dispute_evidence.save(dispute_id=dispute.pk, by=people.as_alice, customer_name="x")
        with pytest.raises(PermissionRefused):
            dispute_evidence.save(dispute_id=dispute.pk, by=staff(StaffGroup.SUPPORT), customer_name="y")

    def test_asks_for_a_fresh_second_factor(self, settings: Any) -> None:
        settings.SECOND_FACTOR_REQUIRED = True
        dispute, stale = open_here(), replace(finance(), second_factor_at=None)
        with pytest.raises(StepUpRequired):
            dispute_responses.accept(dispute_id=dispute.pk, by=stale)


class TestAttach:
    def test_keeps_the_document_under_a_name_of_ours(self) -> None:
        dispute = open_here()
        made = dispute_evidence.attach(
            dispute_id=dispute.pk, kind="receipt", upload=Upload("..\\..\\etc/pass\nwd.pdf", PDF.content), by=finance()
        )
        kept = DisputeFile.objects.get(pk=made.pk)
        assert (kept.name, kept.content_type, kept.size) == ("passwd.pdf", "application/pdf", len(PDF.content))
        assert kept.stored.name == f"disputes/{dispute.pk}/{kept.pk}"
        with kept.stored.open() as stored:
            assert stored.read() == PDF.content

    def test_replaces_the_earlier_one_of_its_kind(self) -> None:
        dispute = open_here()
        for content in (b"%PDF-1.7 first", b"\x89PNG\r\n\x1a\n second"):
            dispute_evidence.attach(dispute_id=dispute.pk, kind="receipt", upload=Upload("", content), by=finance())
        kept = DisputeFile.objects.get()
        assert (kept.content_type, kept.name, str(kept)) == ("image/png", "document", "document")

    def test_removes_the_file_of_each_replaced_one_after_the_commit(self, tmp_path: Path) -> None:
        dispute = open_here()
        made = [
            dispute_evidence.attach(dispute_id=dispute.pk, kind="receipt", upload=Upload(f"{number}.pdf", PDF.content), by=finance())
            for number in range(3)
        ]
        other = dispute_evidence.attach(dispute_id=dispute.pk, kind="refund_policy", upload=PDF, by=finance())
        assert sum(path.is_file() for path in tmp_path.rglob("*")) == 4  # nothing is gone before the work of the queue

        drain()
        left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
        assert left == sorted([made[-1].stored.name, other.stored.name])
        dispute_evidence.discard(stored=made[0].stored.name)  # a second time
        dispute_evidence.discard(stored=other.stored.name)  # one that is still somebody's
        assert sum(path.is_file() for path in tmp_path.rglob("*")) == 2

    def test_keeps_the_file_where_the_replacement_was_taken_back(self, tmp_path: Path) -> None:
        dispute = open_here()
        first = dispute_evidence.attach(dispute_id=dispute.pk, kind="receipt", upload=PDF, by=finance())
        with transaction.atomic():
            dispute_evidence.attach(dispute_id=dispute.pk, kind="receipt", upload=Upload("b.pdf", PDF.content), by=finance())
            transaction.set_rollback(True)
        drain()
        assert DisputeFile.objects.get().pk == first.pk
        with DisputeFile.objects.get().stored.open() as stored:
            assert stored.read() == PDF.content

    @pytest.mark.parametrize(
        ("kind", "content", "field"),
        [
            ("receipt", b"<svg onload=alert(1)>", "upload"),
            ("receipt", b"", "upload"),
            ("parcel", PDF.content, "kind"),
            ("receipt", b"%PDF-" + b" " * LARGEST_FILE, "upload"),
        ],
    )
    def test_refuses_what_no_bank_reads(self, kind: str, content: bytes, field: str) -> None:
        dispute = open_here()
        with pytest.raises(InvalidInput) as refused:
            dispute_evidence.attach(dispute_id=dispute.pk, kind=kind, upload=Upload("receipt.pdf", content), by=finance())
        assert refused.value.field == field
        assert not DisputeFile.objects.exists()

    def test_counts_all_documents_together(self) -> None:
        dispute, half = open_here(), b"%PDF-" + b" " * (LARGEST_FILE // 2)
        dispute_evidence.attach(dispute_id=dispute.pk, kind="receipt", upload=Upload("a.pdf", half), by=finance())
        dispute_evidence.attach(dispute_id=dispute.pk, kind="receipt", upload=Upload("b.pdf", half), by=finance())
        with pytest.raises(InvalidInput, match="smaller file"):
            dispute_evidence.attach(dispute_id=dispute.pk, kind="refund_policy", upload=Upload("c.pdf", half), by=finance())


class TestSubmit:
    def test_gives_the_bank_everything_once(self, till: Till, dispute: Dispute) -> None:
        dispute_evidence.save(dispute_id=dispute.pk, by=finance(), customer_name="Zoë", uncategorized_text="She was there.")
        file = dispute_evidence.attach(dispute_id=dispute.pk, kind="service_documentation", upload=PDF, by=finance())
        dispute_responses.submit(dispute_id=dispute.pk, by=finance())
        till.settle()

        held = DisputeFile.objects.get(pk=file.pk).stripe_file_id
        texts = {"customer_name": "Zoë", "uncategorized_text": "She was there."}
        assert evidence(till) == {**texts, "service_documentation": held}
        assert (again_(dispute).status, again_(dispute).submission_count) == ("under_review", 1)
        answer = DisputeResponse.objects.get()
        assert (answer.state, str(answer), answer.failure_reason) == ("done", "Evidence", "")
        keys = dict(StripeCommand.objects.filter(operation__in=["dispute.update", "file.create"]).values_list("operation", "key"))
        assert keys == {"dispute.update": f"dispute-evidence-{answer.pk}-1", "file.create": f"dispute-file-{file.pk}-1"}

    def test_needs_something_to_send(self) -> None:
        dispute = open_here()
        with pytest.raises(DisputeNotAnswerable, match="Write or attach"):
            dispute_responses.submit(dispute_id=dispute.pk, by=finance())

    def test_lets_one_answer_be_on_its_way(self) -> None:
        dispute = open_here()
        dispute_evidence.save(dispute_id=dispute.pk, by=finance(), customer_name="Zoë")
        dispute_responses.submit(dispute_id=dispute.pk, by=finance())
        with pytest.raises(DisputeNotAnswerable, match="on its way"):
            dispute_responses.accept(dispute_id=dispute.pk, by=finance())
        with pytest.raises(IntegrityError, match="dispute_one_answer_on_its_way"):
            DisputeResponse.objects.create(dispute=dispute, kind="accept")

    @pytest.mark.parametrize("kind", ["timeout_after_success", "reset_before", "rate_limit"])
    @pytest.mark.parametrize("path", ["/v1/files", "/v1/disputes"])
    def test_arrives_once_whatever_happens_on_the_line(self, till: Till, dispute: Dispute, kind: str, path: str, settings: Any) -> None:
        settings.STRIPE_TIMEOUT = 0.3
        dispute_evidence.attach(dispute_id=dispute.pk, kind="receipt", upload=PDF, by=finance())
        answer = dispute_responses.submit(dispute_id=dispute.pk, by=finance())
        whole = path if path == "/v1/files" else f"{path}/{dispute.stripe_dispute_id}"
        till.control.fault(kind, method="POST", path=whole, **({"seconds": 1.0} if kind == "timeout_after_success" else {}))
        with pytest.raises(RetryLater):
            dispute_submission.submit(response_id=answer.pk)
        assert again_(answer).state in ("unknown", "sending")
        dispute_submission.submit(response_id=answer.pk)
        dispute_submission.submit(response_id=answer.pk)

        assert again_(answer).state == "done"
        assert again_(dispute).submission_count == 1
        assert len(till.sandbox.world.store.select("file", "", ())) == 1

    def test_says_why_stripe_refused_and_can_be_sent_again(self, till: Till, dispute: Dispute) -> None:
        dispute_evidence.save(dispute_id=dispute.pk, by=finance(), customer_name="Zoë")
        answer = dispute_responses.submit(dispute_id=dispute.pk, by=finance())
        DisputeFile.objects.create(
            dispute=dispute,
            kind="receipt",
            name="gone.pdf",
            content_type="application/pdf",
            size=1,
            stored="none",
            stripe_file_id="file_none",
        )
        dispute_submission.submit(response_id=answer.pk)
        failed = again_(answer)
        assert (failed.state, failed.failure_reason) == ("failed", "No such file upload: 'file_none'")
        assert again_(dispute).status == "needs_response"

        DisputeFile.objects.all().delete()
        dispute_responses.retry(dispute_id=dispute.pk, by=finance())
        till.settle()
        assert (again_(answer).state, again_(answer).attempt, again_(dispute).submission_count) == ("done", 2, 1)
        with pytest.raises(DisputeNotAnswerable, match="is with the bank"):
            dispute_responses.retry(dispute_id=dispute.pk, by=finance())

    def test_waits_for_the_bank_after_it_was_sent(self, till: Till, dispute: Dispute) -> None:
        dispute_evidence.save(dispute_id=dispute.pk, by=finance(), customer_name="Zoë")
        answer = dispute_responses.submit(dispute_id=dispute.pk, by=finance())
        DisputeResponse.objects.filter(pk=answer.pk).update(state="sending")
        DisputeResponse.objects.filter(pk=answer.pk).update(state="done")
        with pytest.raises(DisputeNotAnswerable, match="has been sent"):
            dispute_responses.submit(dispute_id=dispute.pk, by=finance())
        with pytest.raises(DisputeNotAnswerable, match="has failed"):
            dispute_responses.retry(dispute_id=dispute.pk, by=finance())


class TestAccept:
    def test_loses_the_dispute_at_once(self, till: Till, dispute: Dispute) -> None:
        answer = dispute_responses.accept(dispute_id=dispute.pk, by=finance())
        till.settle()
        assert (again_(dispute).status, again_(answer).state) == ("lost", "done")
        assert AuditEntry.objects.filter(action="dispute.accepted").count() == 1
        dispute_submission.submit(response_id=answer.pk)
        assert len(till.calls("POST", f"/v1/disputes/{dispute.stripe_dispute_id}/close")) == 1

    def test_asks_stripe_before_it_says_so_twice(self, till: Till, dispute: Dispute, settings: Any) -> None:
        settings.STRIPE_TIMEOUT = 0.3
        answer = dispute_responses.accept(dispute_id=dispute.pk, by=finance())
        till.control.fault("timeout_after_success", method="POST", path=f"/v1/disputes/{dispute.stripe_dispute_id}/close", seconds=1.0)
        with pytest.raises(RetryLater):
            dispute_submission.submit(response_id=answer.pk)
        dispute_submission.submit(response_id=answer.pk)
        assert (again_(dispute).status, again_(answer).state) == ("lost", "done")
        assert len(till.calls("POST", f"/v1/disputes/{dispute.stripe_dispute_id}/close")) == 1


class TestLateWords:
    def test_change_no_answer_that_has_ended(self, till: Till, dispute: Dispute) -> None:
        answer = dispute_responses.accept(dispute_id=dispute.pk, by=finance())
        till.settle()
        dispute_submission.fail(response_id=answer.pk, attempt=1, why="late", at=timezone.now())
        dispute_submission.lose_answer(response_id=answer.pk, attempt=1)
        assert again_(answer).state == "done"


def again_[M: Dispute | DisputeResponse](row: M) -> M:
    found: M = type(row)._default_manager.get(pk=row.pk)  # type: ignore[assignment]
    return found
