"""Structured logs: one line an event, with the request's id; never a secret, a token or a link that signs in."""

import logging
import logging.config
import re
from collections.abc import Callable, MutableMapping
from typing import Any
from uuid import uuid4

import structlog
from django.http import HttpRequest, HttpResponse

_SECRET = re.compile(
    r"(sk_(?:test|live)_\w+|whsec_\w+|(?<=[?&]key=)[\w-]{16,}|(?<=[?&]token=)[\w-]{16,}|(?<=[?&]code=)\w{6,}"
    # in the path, alone or in a page's ?next=
    r"|(?<=/invitations/)[\w-]{43}(?![\w-])|(?<=%2Finvitations%2F)[\w-]{43}(?![\w-])|(?<=/exports/)[\w-]{43}(?![\w-])"
    r"|(?<=/password/reset/key/)[\w-]{8,})"
)
# Their every call and every process is news to them; what matters of it is in our own lines.
_TALKATIVE = ("stripe", "django-q", "asyncio", "_granian")
_ID = re.compile(r"[\w-]{8,64}")


def scrub(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what would sign somebody in, wherever it stands in the line."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _SECRET.sub("[hidden]", value)
    return event


def logging_config(level: str, *, json: bool) -> dict[str, Any]:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        scrub,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    scrub,
                    renderer,
                ],
                "foreign_pre_chain": shared,
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {name: {"level": "WARNING"} for name in _TALKATIVE},
    }
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(config)
    return config


class RequestIdMiddleware:
    """Gives each request an id (the caller's own `X-Request-Id` where it is well formed) and puts it into logs and the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _ID.fullmatch(given) else uuid4().hex
        request.META["REQUEST_ID"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
        response["X-Request-Id"] = request_id
        return response
