"""The one shape of every error: {"error": {"code", "message", "details", "request_id"}}."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from ninja import Schema

from public_api.error_codes import Code


class ErrorBody(Schema):
    code: str
    message: str
    details: dict[str, Any]
    request_id: str


class ErrorOut(Schema):
    error: ErrorBody


class Envelope(HttpResponse):
    """An error that already has its shape."""


ERRORS = {
    400: ErrorOut,
    401: ErrorOut,
    402: ErrorOut,
    403: ErrorOut,
    404: ErrorOut,
    405: ErrorOut,
    409: ErrorOut,
    413: ErrorOut,
    415: ErrorOut,
}
ERRORS |= {422: ErrorOut, 429: ErrorOut, 500: ErrorOut, 502: ErrorOut}


def refusal(
    request: HttpRequest,
    status: int,
    code: Code | str,
    message: str,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Envelope:
    body = {"code": str(code), "message": message, "details": details or {}, "request_id": request.META.get("REQUEST_ID", "")}
    content = json.dumps({"error": body}, cls=DjangoJSONEncoder)
    return Envelope(content, status=status, content_type="application/json", headers={"Cache-Control": "no-store", **(headers or {})})
