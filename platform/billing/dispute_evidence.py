"""Gathering the evidence for a dispute: texts and documents, kept here until somebody submits them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import refund_terms
from billing.models import Dispute, DisputeFile, Payment
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from organizations.permissions import Permission, require

# Stripe's names; https://docs.stripe.com/api/disputes/evidence_object. What is shipped in parcels is left out.
TEXTS = {
    "product_description": "What was sold",
    "customer_name": "Customer's name",
    "customer_email_address": "Customer's email address",
    "customer_purchase_ip": "Customer's IP address",
    "service_date": "When the service was provided",
    "access_activity_log": "Proof of use (sign-ins, attendance)",
    "refund_policy_disclosure": "How the refund policy was shown",
    "refund_refusal_explanation": "Why no refund is due",
    "cancellation_policy_disclosure": "How the cancellation policy was shown",
    "cancellation_rebuttal": "Why it was not cancelled",
    "duplicate_charge_id": "The charge that it is said to repeat",
    "duplicate_charge_explanation": "Why it is no duplicate",
    "uncategorized_text": "Anything else",
}
LONGEST_TEXT = 20_000  # characters, each field; Stripe's limit
LARGEST_FILE = 4_500_000  # bytes of all documents together; Stripe's limit
_SNIFFED = ((b"%PDF-", "application/pdf"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


class DisputeNotAnswerable(DomainError):
    code, http_status = "DISPUTE_NOT_ANSWERABLE", 409

    def __init__(self, why: str) -> None:
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Upload:
    """A document as it was sent: its name, and its bytes."""

    name: str
    content: bytes


def locked(dispute_id: UUID, by: Actor) -> Dispute:
    """The dispute, its payment's row locked: whatever is done about one payment queues there. Raises NotFound, PermissionRefused,
    StepUpRequired."""
    found = Dispute.objects.visible_to(by).filter(pk=dispute_id).values_list("payment_id", flat=True).first()
    if found is None:
        raise NotFound("dispute")
    payment = Payment.objects.select_for_update(of=["self"]).get(pk=found)
    require(by, Permission.DISPUTE_ANSWER, payment.organization_id, responsible_id=payment.responsible_id)
    return Dispute.objects.select_related("payment__organization").get(pk=dispute_id)


def require_answerable(dispute: Dispute, at: datetime) -> None:
    """Raise DisputeNotAnswerable unless Stripe still takes an answer."""
    if dispute.status in Dispute.FINAL:
        raise DisputeNotAnswerable("The bank has decided this dispute; nothing can be added to it any more.")
    if dispute.status not in Dispute.ANSWERABLE:
        raise DisputeNotAnswerable("The evidence is with the bank; wait for its decision.")
    if dispute.due_by is not None and dispute.due_by <= at:
        raise DisputeNotAnswerable("The time to answer this dispute is over; what the bank decides counts.")
    if dispute.responses.on_their_way().exists():
        raise DisputeNotAnswerable("An answer to this dispute is on its way to Stripe; wait until it has arrived.")


@transaction.atomic
def save(*, dispute_id: UUID, by: Actor, **texts: str) -> Dispute:
    """Keep the texts of the evidence as a draft; nothing is sent. A text that is left out stays, an empty one is removed.

    Raises NotFound, PermissionRefused, StepUpRequired, DisputeNotAnswerable, InvalidInput.
    """
    dispute = locked(dispute_id, by)
    require_answerable(dispute, timezone.now())
    for name, text in texts.items():
        if name not in TEXTS:
            raise InvalidInput("This is no part of a dispute's evidence.", field=name)
        if len(text) > LONGEST_TEXT or "\x00" in text:
            raise InvalidInput(f"Write at most {LONGEST_TEXT:,} characters of plain text.", field=name)
    before = dict(dispute.evidence)
    dispute.evidence = {name: text for name, text in {**before, **{k: v.strip() for k, v in texts.items()}}.items() if text}
    if dispute.evidence != before:
        dispute.save(update_fields=["evidence", "updated_at"])
        organization = dispute.payment.organization_id
        record(dispute, "dispute.evidence_saved", by=by, organization_id=organization, before=before, after=dispute.evidence)
    return dispute


@transaction.atomic
def attach(*, dispute_id: UUID, kind: str, upload: Upload, by: Actor) -> DisputeFile:
    """Add a document, in place of an earlier one of its kind. PDF, PNG or JPEG by its content, whatever it is called.

    Raises NotFound, PermissionRefused, StepUpRequired, DisputeNotAnswerable, InvalidInput.
    """
    dispute = locked(dispute_id, by)
    require_answerable(dispute, timezone.now())
    if kind not in DisputeFile.Kind.values:
        raise InvalidInput("Choose what the document shows.", field="kind")
    content_type = next((found for start, found in _SNIFFED if upload.content.startswith(start)), "")
    if not content_type:
        raise InvalidInput("Send a PDF, PNG or JPEG file.", field="upload")
    others = sum(dispute.files.exclude(kind=kind).values_list("size", flat=True))
    if others + len(upload.content) > LARGEST_FILE:
        raise InvalidInput("All documents of a dispute together may have 4.5 MB; send a smaller file.", field="upload")
    for replaced in dispute.files.filter(kind=kind):
        jobs.enqueue(discard, stored=replaced.stored.name)
        replaced.delete()
    file = DisputeFile(
        dispute=dispute,
        kind=kind,
        name=_plain_name(upload.name),
        content_type=content_type,
        size=len(upload.content),
        added_by_id=by.user_id,
    )
    file.stored.save(file.name, ContentFile(upload.content), save=False)
    file.save(force_insert=True)
    after = {"kind": kind, "name": file.name, "size": file.size}
    record(dispute, "dispute.document_added", by=by, organization_id=dispute.payment.organization_id, after=after)
    return file


@jobs.task(outside=True)
def discard(*, stored: str) -> None:
    """Remove the file of a document that was replaced; repeatable. The job exists only if the replacement was kept."""
    if not DisputeFile.objects.filter(stored=stored).exists():
        default_storage.delete(stored)


def _plain_name(name: str) -> str:
    """The last part of what the browser called it, printable, for people to read."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[-200:] or "document"


def suggested(dispute: Dispute) -> dict[str, str]:
    """What we know ourselves, for the fields that nobody has written yet."""
    payment = dispute.payment
    known = {
        "product_description": payment.description,
        "customer_name": payment.name,
        "customer_email_address": payment.email,
        "service_date": payment.service_starts_at.date().isoformat() if payment.service_starts_at else "",
        "refund_policy_disclosure": f"Shown before payment: {refund_terms.sentence(payment.refund_terms)}",
    }
    return {**known, **dispute.evidence}
