"""Stripe's balance transactions brought in, page by page, newest first; memory holds one page."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection

from billing.gateway.base import GatewayMovement
from billing.models import ReconciliationPart
from billing.reconciliation.accounts import StripeAccount

# Stripe never changes a movement; looking this far behind the newest known one is for what a shifted clock or a slow replica held back.
OVERLAP = timedelta(days=2)
_CLAIM = re.compile(r"(payment|refund):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(transfer|reversal):trr?_[A-Za-z0-9_]{1,45}")
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("stripe_id", "text"),
    ("type", "text"),
    ("reporting_category", "text"),
    ("amount", "bigint"),
    ("fee", "bigint"),
    ("currency", "text"),
    ("source", "text"),
    ("claim", "text"),
    ("description", "text"),
    ("created_at", "timestamptz"),
    ("available_at", "timestamptz"),
)
_NAMES = ", ".join(name for name, _ in _COLUMNS)
_INSERT = f"""
    INSERT INTO billing_balancetransaction AS known (account, about, {_NAMES})
    SELECT %s, '', {_NAMES} FROM unnest({", ".join(f"%s::{kind}[]" for _, kind in _COLUMNS)}) AS page ({_NAMES})
    ON CONFLICT (stripe_id) DO UPDATE SET available_at = EXCLUDED.available_at, claim = EXCLUDED.claim
    WHERE (known.available_at, known.claim) IS DISTINCT FROM (EXCLUDED.available_at, EXCLUDED.claim)
"""


def store(account: StripeAccount, page: Sequence[GatewayMovement]) -> None:
    """Keep a page's movements, each once whatever is repeated: one statement. The caller's transaction also moves the cursor."""
    rows = [_row(movement) for movement in page]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [account.stripe_id, *(list(column) for column in zip(*rows, strict=True))])


def _row(found: GatewayMovement) -> tuple[object, ...]:
    claim = found.claim if _CLAIM.fullmatch(found.claim) else ""
    return (
        found.id,
        found.type[:60],
        found.reporting_category[:60],
        found.amount,
        found.fee,
        found.currency,
        found.source,
        claim,
        found.description[:500],
        found.created_at,
        found.available_at,
    )


def since(account: StripeAccount) -> datetime | None:
    """From when on Stripe is asked: a little before the newest movement of the last run that imported everything; None for all of it."""
    whole = ReconciliationPart.objects.filter(account=account.stripe_id, cut_at__isnull=False, newest_at__isnull=False)
    newest = whole.order_by("-cut_at").values_list("newest_at", flat=True).first()
    return newest - OVERLAP if newest is not None else None


def measure() -> None:
    """Have PostgreSQL look at the table that has just grown, before the comparison is planned by what it believes of it."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE billing_balancetransaction")
