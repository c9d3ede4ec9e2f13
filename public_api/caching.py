"""Strong ETags, compared inside the view: after authentication and after the object was found."""

import hashlib

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags

from public_api.auth import actor


def tag(content: bytes) -> str:
    return f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'


def matches(request: HttpRequest, etag: str) -> bool:
    """Whether the caller has this already. Strong comparison: a weak tag never matches."""
    given = request.headers.get("If-None-Match")
    if given is None:
        return False
    return given.strip() == "*" or etag in parse_etags(given)


def not_modified(request: HttpRequest, etag: str) -> HttpResponse:
    return _marked(request, HttpResponse(status=304), etag)


def answer(request: HttpRequest, content: bytes, *, etag: str | None = None) -> HttpResponse:
    """The content, or 304 where the caller has it already. etag: given where it was made from what the content is built of."""
    etag = etag or tag(content)
    if matches(request, etag):
        return not_modified(request, etag)
    return _marked(request, HttpResponse(content, content_type="application/json"), etag)


def _marked(request: HttpRequest, response: HttpResponse, etag: str) -> HttpResponse:
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache" if actor(request).user_id else "public, no-cache"
    patch_vary_headers(response, ["Cookie", "X-Session-Token"])
    return response
