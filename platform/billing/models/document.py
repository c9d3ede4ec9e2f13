"""Receipts and credit notes: numbered without gaps, never changed, each with all that is printed on it."""

import pgtrigger
from django.db import models
from django.db.models import Q

from billing.models.payment import Payment
from billing.models.refund import Refund
from billing.querysets import DocumentQuerySet
from core.models import append_only
from core.public_ids import encode, uuid7
from organizations.models import Organization

# A number follows the last one of its series, whoever writes: with the unique constraint, two who take the same number cannot both commit,
# and since no row is ever removed there is no gap.
_CONSECUTIVE = """
    IF NEW.year <> extract(year FROM NEW.issued_at AT TIME ZONE 'UTC') THEN
        RAISE EXCEPTION 'document % is of another year than its series', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'document_of_its_year', TABLE = TG_TABLE_NAME;
    END IF;
    IF NEW.number <> 1 + coalesce((SELECT max(number) FROM billing_document
            WHERE organization_id = NEW.organization_id AND kind = NEW.kind AND year = NEW.year), 0) THEN
        RAISE EXCEPTION 'document % does not follow the last number of its series', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'document_consecutive', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
"""


class Document(models.Model):
    """content: everything that is printed, as it was when the document was issued (billing.documents.content).

    refund_retry: which retry of the refund it is about (Refund.retries): a refund that failed after success and is tried again gets a
    new credit note. about: what a credit note credits, and what a cancellation cancels.
    """

    public_prefix = "doc"

    class Kind(models.TextChoices):
        RECEIPT = "receipt"
        CREDIT_NOTE = "credit_note", "Credit note"
        CANCELLATION = "cancellation", "Cancellation of a credit note"

    LETTERS = {Kind.RECEIPT: "R", Kind.CREDIT_NOTE: "C", Kind.CANCELLATION: "X"}

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="documents", help_text="The seller.")
    year = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField()
    issued_at = models.DateTimeField()
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="documents")
    refund = models.ForeignKey(Refund, null=True, on_delete=models.PROTECT, related_name="documents")
    refund_retry = models.PositiveSmallIntegerField(null=True)
    about = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="followed_by")
    amount = models.BigIntegerField(help_text="Minor units, tax included.")
    currency = models.CharField(max_length=3)
    content = models.JSONField()

    objects = DocumentQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="document_organization"),
            models.Index(fields=["payment", "id"], name="document_payment"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organization", "kind", "year", "number"], name="document_number_once"),
            models.UniqueConstraint(fields=["payment"], condition=Q(kind="receipt"), name="document_receipt_once"),
            models.UniqueConstraint(
                fields=["refund", "refund_retry", "kind"], condition=~Q(refund=None), name="document_once_for_a_refund"
            ),
            models.CheckConstraint(condition=Q(kind__in=["receipt", "credit_note", "cancellation"]), name="document_kind_known"),
            models.CheckConstraint(condition=Q(number__gt=0, amount__gt=0), name="document_positive"),
            models.CheckConstraint(
                condition=Q(kind="receipt", refund=None, refund_retry=None, about=None)
                | (~Q(kind="receipt") & ~Q(refund=None) & ~Q(refund_retry=None) & ~Q(about=None)),
                name="document_about_something",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="consecutive", level=pgtrigger.Row, when=pgtrigger.Before, operation=pgtrigger.Insert, func=_CONSECUTIVE
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.shown_number}"

    @property
    def public_id(self) -> str:
        return encode(self.public_prefix, self.id)

    @property
    def shown_number(self) -> str:
        """ "R-2026-000123", unique within its organization."""
        return f"{self.LETTERS[self.Kind(self.kind)]}-{self.year}-{self.number:06}"


class DocumentSeries(models.Model):
    """The last number that an organization gave to documents of one kind in one year (UTC); its row is locked while one is issued."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Document.Kind.choices)
    year = models.PositiveSmallIntegerField()
    last_number = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "document series"
        constraints = [models.UniqueConstraint(fields=["organization", "kind", "year"], name="document_series_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.year}"
