"""allauth's own errors, in the envelope: what its clients need to go on (flows, session token, fields) stands in `details`."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse

from public_api.envelope import Envelope, refusal
from public_api.error_codes import Code

PREFIX = "/api/v1/auth/"
_RETRY_AFTER = "900"  # the longest window of the sign-in limits; allauth does not tell which one was hit
_CODES = {
    400: (Code.SIGN_IN_REFUSED, "This was refused; see the fields."),
    401: (Code.AUTHENTICATION_REQUIRED, "Sign in, or go on with the step that is pending."),
    403: (Code.FORBIDDEN, "This is not possible for this account."),
    404: (Code.NOT_FOUND, "There is nothing at this address, or you may not see it."),
    405: (Code.METHOD_NOT_ALLOWED, "This address does not take this method; the header Allow names those it takes."),
    409: (Code.CONFLICT, "This is not possible in the present state of the sign-in."),
    410: (Code.SESSION_ENDED, "This session was ended; sign in again."),
    429: (Code.RATE_LIMITED, "Too many attempts; wait as long as the header Retry-After says."),
}


def envelope(request: HttpRequest, response: HttpResponse) -> Envelope:
    """The same answer in our shape. A session token that the step gave out is kept in details.meta."""
    code, message = _CODES.get(response.status_code, (Code.INTERNAL_ERROR, "Something went wrong on our side; nothing was changed."))
    said = _json(response)
    if response.status_code == 400 and not said:
        code, message = Code.BROKEN_JSON, "The body is not JSON; send an object in UTF-8."
    details = _details(said)
    if details.get("fields"):
        message = details["fields"][0]["message"]
    headers = {"Allow": response["Allow"]} if "Allow" in response else {}
    if response.status_code == 429:
        headers["Retry-After"] = response.get("Retry-After", _RETRY_AFTER)
    return refusal(request, response.status_code, code, message, details, headers)


def _json(response: HttpResponse) -> dict[str, Any]:
    if not response.get("Content-Type", "").startswith("application/json"):
        return {}
    said = json.loads(response.content or b"{}")
    return said if isinstance(said, dict) else {}


def _details(said: dict[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if said.get("errors"):
        details["fields"] = [
            {"field": error.get("param", ""), "message": error.get("message", ""), "code": error.get("code", "")}
            for error in said["errors"]
        ]
    if isinstance(said.get("data"), dict):
        details.update({name: value for name, value in said["data"].items() if name in ("flows", "user", "methods")})
    if isinstance(said.get("meta"), dict):
        details["meta"] = said["meta"]
    return details
