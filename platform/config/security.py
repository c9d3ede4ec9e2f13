"""The content security policy: strict everywhere, with what Unfold needs on the two consoles only."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.csp import build_policy

CONSOLES = ("/staff/", "/console/")


class ContentSecurityPolicy:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.strict = build_policy(settings.SECURE_CSP)
        self.console = build_policy(settings.CONSOLE_CSP)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Content-Security-Policy", self.console if request.path.startswith(CONSOLES) else self.strict)
        if request.path.startswith(CONSOLES):
            response["X-Frame-Options"] = "SAMEORIGIN"
        return response
