"""The catalogue that a new installation begins with. Source: the table of plans and quotas in the domain's description."""

from typing import Any

from django.db import transaction

from audit.actor import Actor
from billing import plan_catalogue
from billing.models import Plan

BY = Actor.system("plans.seed")
type Prices = dict[tuple[str, str], int]
# Whoever organizes attends as well: a paid plan takes nothing away.
_FOR_EVERYBODY = "Places at events\nYour own certificates"

# values of the plan, and its prices in cents of a dollar by (kind, interval)
_PLANS: tuple[tuple[dict[str, Any], Prices], ...] = (
    (
        {
            "name": "Attendee",
            "audience": "user",
            "trial_days": 0,
            "description": "For people who attend.",
            "features": _FOR_EVERYBODY,
        },
        {},
    ),
    (
        {
            "name": "Organizer",
            "audience": "personal",
            "description": "For one person who runs events.",
            "events_per_month": 30,
            "certificates_per_month": 500,
            "attendees_per_event": 500,
            "features": f"{_FOR_EVERYBODY}\nPaid events\nPayouts",
        },
        {("base", "month"): 4_900, ("base", "year"): 49_000},
    ),
    (
        {
            "name": "LMS",
            "audience": "personal",
            "description": "For one person who teaches courses.",
            "courses_per_month": 30,
            "certificates_per_month": 500,
            "features": f"{_FOR_EVERYBODY}\nPayouts",
        },
        {("base", "month"): 4_900, ("base", "year"): 49_000},
    ),
    (
        {
            "name": "Organization",
            "audience": "team",
            "description": "For teams that run events and courses.",
            **{f"{name}_unlimited": True for name in ("events", "courses", "certificates")},
            **dict.fromkeys(("events_per_month", "courses_per_month", "certificates_per_month")),
            "attendees_per_event": 2_000,
            "seats_included": 1,
            "features": f"{_FOR_EVERYBODY}\nPaid events\nPayouts\nSeveral members\nInstructors free",
        },
        {("base", "month"): 19_900, ("base", "year"): 199_000, ("seat", "month"): 12_900, ("seat", "year"): 129_000},
    ),
)


@transaction.atomic
def seed() -> int:
    """Write the plans that are not there, with their prices, and have Stripe told; how many. What finance changed stays."""
    known = set(Plan.objects.values_list("name", flat=True))
    missing = [(position, values, prices) for position, (values, prices) in enumerate(_PLANS) if values["name"] not in known]
    for position, values, prices in missing:
        plan = plan_catalogue.create(by=BY, position=position, **values)
        for (kind, interval), amount in prices.items():
            plan_catalogue.set_price(plan_id=plan.pk, kind=kind, interval=interval, amount=amount, currency="USD", by=BY)
    return len(missing)
