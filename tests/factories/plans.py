"""Plans as the catalogue's own operations make them."""

from typing import Any

from billing import plan_catalogue
from billing.models import Plan
from tests.factories.billing import finance


def plan(name: str = "Solo", *, month: int | None = 4900, year: int | None = None, seat: int | None = None, **values: Any) -> Plan:
    """A plan for one person's workspace; prices in cents of a dollar, None for none."""
    made = plan_catalogue.create(
        by=finance(),
        name=name,
        **{"audience": "team" if seat else "personal", "events_per_month": 30, "attendees_per_event": 500, **values},
    )
    for kind, interval, amount in (("base", "month", month), ("base", "year", year), ("seat", "month", seat)):
        if amount is not None:
            plan_catalogue.set_price(plan_id=made.pk, kind=kind, interval=interval, amount=amount, currency="USD", by=finance())
    return made
