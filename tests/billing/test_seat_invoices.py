"""Whatever happens to the seats in a month: our arithmetic is Stripe's invoice to its smallest unit, and there is one invoice."""

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit.actor import Actor
from billing import plan_catalogue, seat_items, seat_prices, seats, subscription_sync
from billing.models import BillingAccount, PlanPrice, SeatAccount, Subscription
from sandbox.stripe.server import Sandbox
from tests.billing.reconciliation.test_random_business import forgotten
from tests.draining import drain
from tests.factories.billing import finance
from tests.factories.people import Personas, personas
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("1.4"), pytest.mark.gap("3.2")]
PRICES = {"USD": (19_900, 12_900), "JPY": (29_800, 19_301), "KWD": (61_230, 39_990)}
# after so many seconds so many seats are kept; all within one month
HISTORIES = st.lists(st.tuples(st.integers(1, 4 * 86_400), st.integers(0, 12)), min_size=1, max_size=6)


def subscribed(people: Personas, sandbox: Sandbox, currency: str) -> Subscription:
    """In the currency, at Stripe and here; nobody takes a seat that is billed."""
    SeatAccount.objects.filter(organization=people.organization).update(given=1)
    made = plan_catalogue.create(by=finance(), name="Team", audience="team", events_per_month=30, attendees_per_event=500, seats_included=1)
    for kind, amount in zip(("base", "seat"), PRICES[currency], strict=True):
        plan_catalogue.set_price(plan_id=made.pk, kind=kind, interval="month", amount=amount, currency=currency, by=finance())
    drain()
    client = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url})
    customer = client.v1.customers.create({"name": "Team"})
    BillingAccount.objects.create(organization=people.organization, stripe_customer_id=customer.id)
    base = PlanPrice.objects.get(plan=made, kind="base").stripe_price_id
    wanted: Any = {"customer": customer.id, "items": [{"price": base, "quantity": 1}], "default_payment_method": "pm_card_visa"}
    found = client.v1.subscriptions.create(wanted)
    made_here = subscription_sync.refresh(stripe_subscription_id=found.id, by=Actor.system("tests"))
    assert made_here is not None
    drain()
    return made_here


def keep(people: Personas, number: int) -> None:
    row = SeatAccount.objects.get(organization=people.organization)
    if number != row.number:
        operation = seats.buy if number > row.number else seats.lower
        operation(organization_id=people.organization.pk, seats=number, by=people.as_alice)
        drain()


def invoices(sandbox: Sandbox, reason: str) -> list[dict[str, Any]]:
    with sandbox.world.lock:
        return [one for one in sandbox.world.store.select("invoice", "", ()) if one["billing_reason"] == reason]


class TestInvoice:
    @hypothesis_settings(
        max_examples=SIZES.seat_histories, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    @given(history=HISTORIES, currency=st.sampled_from(sorted(PRICES)))
    def test_of_the_next_month_has_every_change_of_this_one(self, sandbox: Sandbox, history: list[tuple[int, int]], currency: str) -> None:
        with forgotten(sandbox):
            people = personas()
            sandbox.control.set_clock(sandbox.control.now(), stopped=True)
            subscription = subscribed(people, sandbox, currency)
            price = seat_items.price_for(subscription)
            assert price is not None
            due, number, at = 0, 0, int(sandbox.control.now())
            for later, wanted in history:
                at += later
                sandbox.control.set_clock(at, stopped=True)
                moment = datetime.fromtimestamp(at, UTC)
                due += seat_prices.by_rule(subscription, price, before=number, after=wanted, at=moment).amount
                keep(people, wanted)
                number = wanted

            made = [len(invoices(sandbox, reason)) for reason in ("subscription_create", "subscription_update", "subscription_cycle")]
            assert made == [1, 0, 0]
            sandbox.control.set_clock(subscription.period_ends_at.timestamp() + 60, stopped=True)
            (invoice,) = invoices(sandbox, "subscription_cycle")
            base, seat = PRICES[currency]
            assert (invoice["total"], invoice["currency"]) == (base + seat * number + due, currency.lower())
