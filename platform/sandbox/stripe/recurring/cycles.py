"""Billing cycles and proration; https://docs.stripe.com/billing/subscriptions/prorations."""

from calendar import monthrange
from datetime import UTC, datetime

from sandbox.stripe.errors import Json

_DAYS = {"day": 1, "week": 7}


def after(moment: int, price: Json, *, anchor: int) -> int:
    """The end of the cycle that begins at `moment`; months keep the anchor's day where they have it, else their last."""
    every, count = price["recurring"]["interval"], price["recurring"]["interval_count"]
    if every in _DAYS:
        return moment + int(_DAYS[every] * count) * 86_400
    begins, day = datetime.fromtimestamp(moment, UTC), datetime.fromtimestamp(anchor, UTC).day
    months = begins.year * 12 + begins.month - 1 + count * (12 if every == "year" else 1)
    year, month = divmod(months, 12)
    return int(begins.replace(year=year, month=month + 1, day=min(day, monthrange(year, month + 1)[1])).timestamp())


def share(amount: int, *, now: int, starts: int, ends: int) -> int:
    """The part of `amount` for the time from now on, to the second; each line by itself rounded towards minus infinity."""
    return amount * max(0, ends - now) // (ends - starts)
