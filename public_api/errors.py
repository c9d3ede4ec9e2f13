"""From what was raised, or answered by Django and allauth, to the one envelope."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.views import csrf
from django_fsm import TransitionNotAllowed
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError

from billing.gateway.base import GatewayRefused
from core.errors import DomainError
from public_api import sign_in_answers
from public_api.envelope import Envelope, refusal
from public_api.error_codes import Code

PREFIX = "/api/v1/"
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_UNKNOWN = "There is nothing at this address, or you may not see it."
_SENTENCES = {
    400: (Code.BAD_REQUEST, "This request cannot be understood."),
    401: (Code.AUTHENTICATION_REQUIRED, "Sign in first."),
    403: (Code.FORBIDDEN, "You may not do this."),
    404: (Code.NOT_FOUND, _UNKNOWN),
    405: (Code.METHOD_NOT_ALLOWED, "This address does not take this method; the header Allow names those it takes."),
    409: (Code.CONFLICT, "This is not possible in the present state."),
    410: (Code.SESSION_ENDED, "This session was ended; sign in again."),
    413: (Code.BODY_TOO_LARGE, "This body is too large."),
    429: (Code.RATE_LIMITED, "Too many requests; wait as long as the header Retry-After says."),
}


class IdempotencyKeyRequired(DomainError):
    code, http_status = Code.IDEMPOTENCY_KEY_REQUIRED, 400

    def __init__(self) -> None:
        super().__init__("Send an Idempotency-Key header (1 to 255 visible characters), new for each thing you mean to do.")


class CsrfFailed(DomainError):
    code, http_status = Code.CSRF_FAILED, 403

    def __init__(self) -> None:
        super().__init__("The CSRF token is missing or wrong: send the value of the cookie csrftoken as X-CSRFToken.")


def install(api: NinjaAPI) -> None:
    """Give the API its exception handlers; what none of them knows goes on to Django, which logs it, and comes back as a 500."""
    api.add_exception_handler(DomainError, _domain)
    api.add_exception_handler(TransitionNotAllowed, _transition)
    api.add_exception_handler(ValidationError, _validation)
    api.add_exception_handler(AuthenticationError, _authentication)
    api.add_exception_handler(Throttled, _throttled)
    api.add_exception_handler(HttpError, _http)
    api.add_exception_handler(Http404, lambda request, error: by_status(request, 404))
    api.add_exception_handler(PermissionDenied, lambda request, error: by_status(request, 403))
    api.add_exception_handler(RequestDataTooBig, lambda request, error: by_status(request, 413))
    api.add_exception_handler(UnreadablePostError, lambda request, error: by_status(request, 400))
    api.add_exception_handler(GatewayRefused, _provider)


def by_status(request: HttpRequest, status: int, headers: dict[str, str] | None = None) -> Envelope:
    code, sentence = _SENTENCES.get(status, (Code.INTERNAL_ERROR, "Something went wrong on our side; nothing was changed."))
    return refusal(request, status, code, sentence, headers=headers)


def _domain(request: HttpRequest, error: Any) -> HttpResponse:
    return refusal(request, error.http_status, error.code, str(error), error.details)


def _transition(request: HttpRequest, error: Any) -> HttpResponse:
    return refusal(request, 409, Code.STATE_CHANGED, "This is not possible in its present state; read it again.")


def _authentication(request: HttpRequest, error: Any) -> HttpResponse:
    return by_status(request, 401)


def _throttled(request: HttpRequest, error: Any) -> HttpResponse:
    return by_status(request, 429, {"Retry-After": str(int(error.wait or 1))})


def _provider(request: HttpRequest, error: Any) -> HttpResponse:
    return refusal(request, 502, Code.PAYMENT_PROVIDER_REFUSED, "The payment provider refused this; nothing was charged. Try again later.")


def _http(request: HttpRequest, error: Any) -> HttpResponse:
    if error.status_code == 400:
        return refusal(request, 400, Code.BROKEN_JSON, "The body is not JSON; send an object in UTF-8.")
    return by_status(request, error.status_code)


def _validation(request: HttpRequest, error: Any) -> HttpResponse:
    """422, but a malformed id in the address is simply unknown. What was sent is never echoed."""
    places = [tuple(str(part) for part in found["loc"]) for found in error.errors]
    if any(place[:1] == ("path",) for place in places):
        return by_status(request, 404)
    if any(place[0] == "header" and place[-1].lower() == "idempotency-key" for place in places):
        return _domain(request, IdempotencyKeyRequired())
    fields = [{"field": _field(place), "message": _sentence(found)} for place, found in zip(places, error.errors, strict=True)]
    named = fields[0]["field"]
    message = f"{named}: {fields[0]['message']}" if named else str(fields[0]["message"])
    return refusal(request, 422, Code.VALIDATION_ERROR, message, {"fields": fields})


def _field(place: tuple[str, ...]) -> str:
    """("body", "body", "email") is shown as "email"."""
    return ".".join(place[2:] if place[0] in ("body", "query") and len(place) > 1 and place[1] in ("body", "filters") else place[1:])[:100]


def _sentence(found: dict[str, Any]) -> str:
    if found["type"] == "extra_forbidden":
        return "This field is not known here; leave it out."
    if found["type"] == "missing":
        return "This field is required."
    text = str(found["msg"]).removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."


class EnvelopeMiddleware:
    """Refuses bodies that cannot be meant, and gives every error below /api/v1/ the envelope, wherever in Django it arose."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(PREFIX):
            return self.get_response(request)
        response = _refused_body(request) or self.get_response(request)
        if response.status_code < 400 or isinstance(response, Envelope):
            return response
        return _enveloped(request, response)


def _refused_body(request: HttpRequest) -> Envelope | None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if request.method in _BODYLESS or length == "0":
        return None
    if not length.isdecimal():
        return by_status(request, 400)
    if int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return by_status(request, 413)
    if request.content_type != "application/json":
        return refusal(request, 415, Code.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.")
    return None


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF failure view: the envelope below /api/v1/, the page elsewhere."""
    if request.path.startswith(PREFIX):
        return _domain(request, CsrfFailed())
    return csrf.csrf_failure(request, reason)


def _enveloped(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    kept = {name: response[name] for name in ("Allow", "Retry-After", "WWW-Authenticate") if name in response}
    if request.path.startswith(sign_in_answers.PREFIX):
        translated = sign_in_answers.envelope(request, response)
    else:
        translated = by_status(request, response.status_code, kept)
    translated.cookies.update(response.cookies)
    return translated
