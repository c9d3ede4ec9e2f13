"""Receipts and credit notes of a place, as PDF."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from billing.documents import printing
from billing.models import Document
from core.errors import NotFound
from public_api import registration_shapes as shapes
from public_api.auth import ANYONE
from public_api.envelope import ERRORS
from public_api.registrations import GuestKey
from public_api.shapes import DocumentId, RegistrationId
from public_api.throttling import READ
from typesetting.answers import pdf_answer

router = Router()
_PDF = {"responses": {200: {"description": "The PDF.", "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}}}


@router.get(
    "/registrations/{registration_id}/receipt",
    response={200: None, **ERRORS},
    operation_id="get_receipt",
    auth=ANYONE,
    throttle=READ,
    openapi_extra=_PDF,
)
def get_receipt(request: HttpRequest, registration_id: RegistrationId, key: GuestKey | None = None) -> HttpResponse:
    """The receipt: a guest's by its key, one's own, or one of an organization that one works for. Not found until it is paid."""
    return _answer(request, registration_id, key, kind=Document.Kind.RECEIPT)


@router.get(
    "/registrations/{registration_id}/documents/{document_id}",
    response={200: None, **ERRORS},
    operation_id="get_document",
    auth=ANYONE,
    throttle=READ,
    openapi_extra=_PDF,
)
def get_document(
    request: HttpRequest, registration_id: RegistrationId, document_id: DocumentId, key: GuestKey | None = None
) -> HttpResponse:
    """A receipt, a credit note, or the cancellation of one, by its id in the registration's payment."""
    return _answer(request, registration_id, key, pk=document_id)


def _answer(request: HttpRequest, registration_id: UUID, key: str | None, **wanted: Any) -> HttpResponse:
    registration = shapes.visible(registration_id, shapes.holder(request, registration_id, key))
    found = Document.objects.filter(payment=registration.payment_id, **wanted).first() if registration.payment_id else None
    if found is None:
        raise NotFound("document")
    return pdf_answer(printing.pdf(found), name=printing.file_name(found))
