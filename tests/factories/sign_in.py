"""People whom too many wrong passwords have locked out."""

import time

from django.core.cache import cache

from accounts import sign_in_locks
from accounts.models import User


def fail_to_sign_in(user: User, times: int = 5) -> None:
    """As if somebody had just typed a wrong password so often."""
    for _, key in sign_in_locks._counters(user):
        cache.set(key, [time.time()] * times, 900)
