"""Plans as the catalogue's own operations make them."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from billing import plan_catalogue
from billing.models import BillingAccount, Plan, Subscription
from organizations.models import Organization
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


def subscription(of: Organization, **values: Any) -> Subscription:
    """An active one to a plan that sells seats, as Stripe would have told us; its first month began a day ago."""
    sold = plan(f"Seats {Plan.objects.count()}", month=19_900, seat=12_900, audience="team", seats_included=1)
    for price in sold.prices.all():
        price.stripe_price_id = f"price_{price.pk.hex}"
        price.save()
    account, _ = BillingAccount.objects.get_or_create(organization=of, defaults={"stripe_customer_id": f"cus_{of.pk.hex}"})
    begins = timezone.now() - timedelta(days=1)
    given = {"status": "active", "period_starts_at": begins, "period_ends_at": begins + timedelta(days=30), "asked_at": begins, **values}
    return Subscription.objects.create(
        account=account, organization=of, price=sold.prices.get(kind="base"), stripe_subscription_id=f"sub_{account.pk.hex}", **given
    )
