"""The whole seed: reference rows, the plan, Stripe's side, our side. Each step is done once; a second run changes nothing.

Days are counted from the anchor, the midnight (UTC) of the first seed, which is read back from the rows: a database seeded last week
gets no second set of anything.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing import plan_seeding, stripe_balances
from billing.gateway.base import GatewayRefused
from billing.gateway.selection import gateway
from billing.models import Payment
from billing.reconciliation import runs
from config.demo import (
    accounts,
    attending,
    books,
    catalogue,
    codes,
    exceptions,
    moving,
    operations_side,
    people,
    refunding,
    sales,
    standing,
    stripe_side,
    trail,
)
from config.demo.copying import copy_rows
from config.demo.exceptions import Exceptions
from config.demo.refunding import Planned
from config.demo.sales import Sale
from core import jobs
from events.models import Event
from organizations.models import Organization
from registrations.models import TAKES_SEAT
from sandbox.stripe.control import Control

SIZE = 5_000
_MARK = "demoseeded"


class NotHere(Exception):
    """This is no place for sample data."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was written by this run; zero where it was there already."""

    registrations: int
    stripe_records: int


@dataclass(frozen=True, slots=True)
class Plan:
    events: list[Event]
    sales: list[Sale]
    refunds: list[Planned]
    exceptions: Exceptions


def seed(*, size: int = SIZE) -> Seeded:
    """Fill the database and the Stripe sandbox with the same `size` registrations; repeatable, also after a crash half way.

    Raises NotHere outside the demo and the tests, LookupError where `size` is too small (below about 300).
    """
    if not (settings.STRIPE_SECRET_KEY.startswith("sk_test_") and settings.STRIPE_API_BASE != "https://api.stripe.com"):
        raise NotHere("Sample data needs the Stripe sandbox: set STRIPE_API_BASE to its address.")
    anchor = _anchor()
    is_sold, at_stripe = Payment.objects.filter(organization_id=catalogue.RIVERSIDE).exists(), _is_at_stripe()
    if is_sold and at_stripe:
        return Seeded(0, 0)
    plan = _plan(size, anchor)
    records = [] if at_stripe else accounts.at_stripe(anchor) + stripe_side.records(plan.sales, plan.refunds, plan.exceptions)
    with ThreadPoolExecutor(1) as beside:  # the sandbox is another process: it loads while we write
        loading = beside.submit(Control(settings.STRIPE_API_BASE).load, [_mark(anchor), *records]) if records else None
        if not is_sold:
            _write(plan, anchor)
        if loading is not None:
            loading.result()
    with transaction.atomic():
        runs.nightly()  # so that what was planted is found before the first night
        jobs.enqueue(stripe_balances.read_all)  # and a payout can be approved before the clock's first ten minutes are over
    return Seeded(0 if is_sold else size, len(records))


@transaction.atomic
def _anchor() -> datetime:
    """Write organizations, people and prices, unless they are there; the midnight that all days are counted from."""
    first = Organization.objects.filter(pk=catalogue.RIVERSIDE).first()
    if first is not None:
        return first.created_at + catalogue.AGE
    anchor = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    users, addresses = people.user_rows(anchor - catalogue.AGE)
    for rows in (users, addresses, catalogue.organization_rows(anchor), catalogue.membership_rows(anchor)):
        copy_rows(rows)
    plan_seeding.seed()
    catalogue.give_plans(anchor)
    standing.write()
    accounts.write(anchor)
    copy_rows(catalogue.fee_rows(anchor))
    copy_rows(catalogue.tax_rows(anchor))
    return anchor


def _is_at_stripe() -> bool:
    try:
        return gateway().retrieve_checkout_session(f"cs_test_{_MARK}").id != ""
    except GatewayRefused:
        return False


def _mark(anchor: datetime) -> stripe_side.Record:
    """An abandoned Checkout page by which a loaded sandbox is known; no money is in it."""
    created = int((anchor - catalogue.AGE).timestamp())
    return {
        "type": "checkout_session",
        "suffix": _MARK,
        "amount": 5000,
        "currency": "usd",
        "created": created,
        "checkout": {},
        "status": "expired",
    }


def _plan(size: int, anchor: datetime) -> Plan:
    events = catalogue.event_rows(anchor)
    sold = sales.plan(
        events, list(Organization.objects.filter(pk__in=catalogue.ORGANIZATIONS)), size=size + 1, anchor=anchor
    )  # one loses its registration
    everyday = refunding.everyday(sold, anchor=anchor)
    unusual = exceptions.plan(sold, anchor=anchor)
    exceptions.unconfirmed_guests(sold, anchor=anchor)
    _set_capacities(events, sold)
    return Plan(events, sold, [*everyday, *unusual.refunds], unusual)


def _set_capacities(events: list[Event], sold: list[Sale]) -> None:
    taken: dict[UUID, int] = {}
    for sale in sold:
        if sale.registration is not None and sale.place in TAKES_SEAT:
            taken[sale.event.pk] = taken.get(sale.event.pk, 0) + 1
    for event, offer in zip(events, catalogue.OFFERS, strict=True):
        seats = taken.get(event.pk, 0)
        event.capacity = max(1, seats) if offer.sold_out else 20 + seats * 5 // 4


@transaction.atomic
def _write(plan: Plan, anchor: datetime) -> None:
    """Everything that hangs on the sales, in one commit: ledger entries have to come in the transaction of their header."""
    copy_rows(plan.events)
    copy_rows(catalogue.session_rows(plan.events))
    published = [event for event in plan.events if event.published_at]
    paths: dict[str, tuple[str, ...]] = {Event.State.LIVE: ("published", "live"), Event.State.COMPLETED: ("published", "completed")}
    moving.move(Event, ((event.pk, _state_of(event, anchor)) for event in published), paths)
    books.earn(plan.sales, plan.refunds)
    moving.write_sales(plan.sales)
    attending.write(published, plan.sales)
    moving.write_refunds(plan.refunds)
    copy_rows([dispute for _, dispute in plan.exceptions.disputes])
    books.write(plan.sales, plan.refunds)
    accounts.write_payouts(anchor)
    trail.write(plan.events, plan.sales, plan.refunds)
    codes.write(anchor)
    operations_side.write(plan.sales, plan.exceptions, anchor=anchor)


def _state_of(event: Event, anchor: datetime) -> str:
    if event.ends_at <= anchor:
        return Event.State.COMPLETED
    return Event.State.LIVE if event.starts_at <= anchor else Event.State.PUBLISHED
