"""One token per opened dialog: what was submitted with it once is not done again by a double click."""

import secrets

from django.core.cache import cache

DAY = 86_400


def issue() -> str:
    return secrets.token_urlsafe(18)


def spend(token: str) -> bool:
    """Whether this is the token's first use, over all processes: the shared cache holds one row per token."""
    return bool(token) and len(token) <= 64 and bool(cache.add(f"dialog:{token}", 1, timeout=DAY))
