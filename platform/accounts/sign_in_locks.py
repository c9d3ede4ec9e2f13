"""The lock after too many failed sign-ins: whether an account has it, until when, and taking it off.

The count is allauth's, in the shared cache: for each address that was typed and, for codes of the second factor, for each account. Five
failures in a quarter of an hour lock for the rest of it, ten within an hour for that hour, twenty within a day for the day.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from allauth.account.models import EmailAddress
from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest

from accounts.models import User

_APP, _ACTION = "allauth.account", "login_failed"


def key_of(email: str) -> str:
    """What failures with this address are counted under."""
    return f"login:{email.strip().lower()}"


def locked_until(user: User) -> datetime | None:
    """When the last of the account's locks ends by itself; None where nothing keeps its person from signing in."""
    now, ends = time.time(), []
    for rate, key in _counters(user):
        failures = [at for at in cache.get(key, []) if at > now - rate.duration]  # newest first
        if len(failures) >= rate.amount:
            ends.append(failures[rate.amount - 1] + rate.duration)
    return datetime.fromtimestamp(max(ends), tz=UTC) if ends else None


def lift(user: User) -> None:
    """Nothing is counted against the account any more; locks of the network that the tries came from stay."""
    cache.delete_many([key for _, key in _counters(user)])


def _counters(user: User) -> Iterator[tuple[ratelimit.Rate, str]]:
    addresses = {user.email, *EmailAddress.objects.filter(user=user).values_list("email", flat=True)}
    sources = [*map(key_of, sorted(addresses)), f"mfa-auth-user-{user.pk}"]
    for rate in ratelimit.get_rates(app=_APP, action=_ACTION):
        for source in sources if rate.per == "key" else ():
            yield rate, ratelimit.get_cache_key(HttpRequest(), app=_APP, action=_ACTION, rate=rate, key=source)
