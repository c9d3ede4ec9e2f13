"""What production refuses to start with. Settings themselves refuse missing secrets; this refuses values that are unsafe."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Critical, register

TAG = "boot"
_SHORTEST_SECRET = 50
_FEWEST_CHARACTERS = 5


@register(TAG)
def refuse_unsafe_settings(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """One message, and what to do, for each setting that is unsafe in production; none elsewhere."""
    if not settings.IS_PRODUCTION:
        return []
    return [Critical(text, id=f"boot.{number:03}") for number, is_wrong, text in _findings() if is_wrong]


def _findings() -> Iterator[tuple[int, bool, str]]:
    secret = settings.SECRET_KEY
    weak = len(secret) < _SHORTEST_SECRET or len(set(secret)) < _FEWEST_CHARACTERS or secret.startswith(("not-secret", "django-insecure"))
    hosts = settings.ALLOWED_HOSTS
    yield 1, weak, f"SECRET_KEY is guessable: set at least {_SHORTEST_SECRET} random characters."
    yield 2, settings.DEBUG, "DEBUG shows the program's inside to everybody: leave it off."
    yield 3, not hosts or "*" in hosts, "ALLOWED_HOSTS must name the hosts of this site, never '*'."
    yield 4, urlsplit(settings.BASE_URL).scheme != "https", "BASE_URL must begin with https://: links in mails carry keys."
    yield 5, not settings.SECOND_FACTOR_REQUIRED, "SECOND_FACTOR_REQUIRED is off; only the demo does without."
    yield 6, "filebased" in settings.MAILERS["default"]["BACKEND"], "EMAIL_URL must name a mail server: mails would only be files here."
    yield 7, not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE), "Cookies must be sent over https only."
    yield 8, settings.STRIPE_API_BASE != "https://api.stripe.com", "STRIPE_API_BASE must be https://api.stripe.com in production."
    yield 9, settings.STRIPE_SECRET_KEY == "sk_test_sandbox", "STRIPE_SECRET_KEY is the stand-in's: set Stripe's own."  # noqa: S105
    yield 10, any("MD5" in name for name in settings.PASSWORD_HASHERS), "PASSWORD_HASHERS holds one that is for tests only."
