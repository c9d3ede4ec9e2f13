"""Uploads, and evidence made of them."""

import io
from typing import Any

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.sandbox.paying import booked_intent

PDF = b"%PDF-1.7 a receipt"


@pytest.fixture
def files(sandbox: Sandbox) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url, "files": sandbox.url})


def upload(client: stripe.StripeClient, content: bytes = PDF, *, name: str = "receipt.pdf", **options: Any) -> stripe.File:
    held = io.BytesIO(content)
    held.name = name
    params: Any = {"purpose": "dispute_evidence", "file": held}
    given: Any = options
    return client.v1.files.create(params, given)


class TestCreate:
    def test_knows_name_size_and_type_by_content(self, files: stripe.StripeClient) -> None:
        made = upload(files, name="Größe.pdf")
        assert (made.purpose, made.size, made.type, made.filename) == ("dispute_evidence", len(PDF), "pdf", "Größe.pdf")
        assert [file.id for file in files.v1.files.list({"purpose": "dispute_evidence"}).data] == [made.id]

    def test_is_made_once_for_a_key(self, files: stripe.StripeClient) -> None:
        first, second = (upload(files, idempotency_key="file-1") for _ in range(2))
        assert first.id == second.id
        with pytest.raises(stripe.IdempotencyError):
            upload(files, b"%PDF-1.7 another", idempotency_key="file-1")

    def test_refuses_what_no_bank_reads_or_is_too_large(self, files: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError, match="must be a PDF, JPEG or PNG"):
            upload(files, b"MZ a program", name="receipt.pdf")
        with pytest.raises(stripe.InvalidRequestError, match="at most 5 MB"):
            upload(files, PDF + b" " * 5 * 1024 * 1024)


class TestEvidence:
    def test_takes_documents_that_were_uploaded(self, sandbox: Sandbox, files: stripe.StripeClient, client: stripe.StripeClient) -> None:
        dispute = sandbox.control.open_dispute(booked_intent(sandbox, client).id)
        receipt = upload(files).id
        answer = client.v1.disputes.update(dispute["id"], {"evidence": {"receipt": receipt}, "submit": True})
        assert (answer.status, answer.evidence.receipt, answer.evidence_details.submission_count) == ("under_review", receipt, 1)

    def test_refuses_a_document_that_is_not_there(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        dispute = sandbox.control.open_dispute(booked_intent(sandbox, client).id)
        with pytest.raises(stripe.InvalidRequestError, match="No such file upload"):
            client.v1.disputes.update(dispute["id"], {"evidence": {"receipt": "file_none"}})

    def test_is_refused_after_its_day(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        dispute = sandbox.control.open_dispute(booked_intent(sandbox, client).id)
        sandbox.control.advance(8 * 86_400)
        with pytest.raises(stripe.InvalidRequestError, match="deadline"):
            client.v1.disputes.update(dispute["id"], {"evidence": {"uncategorized_text": "late"}})
