"""The caller's address, taken from trusted hops only; everything after this middleware reads REMOTE_ADDR and nothing else."""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class ClientAddressMiddleware:
    """With TRUSTED_PROXIES = n, the address is the n-th from the right of X-Forwarded-For: what the outermost own proxy saw.

    A longer header is a client's own claim and changes nothing; without trusted proxies the header is ignored.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        claimed = request.META.pop("HTTP_X_FORWARDED_FOR", "")
        hops = [hop.strip() for hop in claimed.split(",") if hop.strip()]
        if settings.TRUSTED_PROXIES and len(hops) >= settings.TRUSTED_PROXIES:
            request.META["REMOTE_ADDR"] = hops[-settings.TRUSTED_PROXIES]
        request.META["REMOTE_ADDR"] = _valid(request.META.get("REMOTE_ADDR", ""))
        return self.get_response(request)


def _valid(address: str) -> str:
    """The address in its one spelling; "127.0.0.1" for a caller on a local socket, who has none."""
    try:
        return str(ip_address(address))
    except ValueError:
        return "127.0.0.1"
