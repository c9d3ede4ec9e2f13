"""The content security policy: strict everywhere, with what Unfold needs on the two consoles only."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.csp import build_policy

CONSOLES = ("/staff/", "/console/")


class ContentSecurityPolicy:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        strict: Any = settings.SECURE_CSP
        console: Any = settings.CONSOLE_CSP
        self.strict = build_policy(strict)
        self.console = build_policy(console)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Content-Security-Policy", self.console if request.path.startswith(CONSOLES) else self.strict)
        if request.path.startswith(CONSOLES):
            response["X-Frame-Options"] = "SAMEORIGIN"
        return response
