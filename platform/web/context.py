"""What every template may use."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(_request: HttpRequest) -> dict[str, Any]:
    return {"SITE_NAME": settings.SITE_NAME, "SECOND_FACTOR_OFF": not settings.SECOND_FACTOR_REQUIRED}
