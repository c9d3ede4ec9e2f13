"""Rows to measure on, copied in: organizations, events, payments by the hundred thousand."""

from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from accounts.models import User
from bench.bed import execute
from billing.models import Payment
from config.demo.copying import copy_rows
from config.demo.ids import key
from config.demo.moving import move
from events.models import Event
from organizations.models import Organization

NOW = timezone.now().replace(microsecond=0)
ORGANIZATION, HOST = key(NOW, "bench", "organization"), key(NOW, "bench", "host")


def people() -> None:
    """One organization, and a finance person who hosts its events."""
    if Organization.objects.exists():
        return
    host = User(id=HOST, email="finance@bench.example", name="Fiona", staff_groups=["finance"], created_at=NOW, updated_at=NOW)
    copy_rows([host])
    copy_rows([Organization(id=ORGANIZATION, name="Bench", slug="bench", created_at=NOW, updated_at=NOW)])


def event(name: str, *, capacity: int, price: int = 0, days: float = 30, at: datetime = NOW) -> Event:
    starts_at = at + timedelta(days=days)
    return Event(
        id=key(at, "bench", name),
        organization_id=ORGANIZATION,
        host_id=HOST,
        title=f"Event {name}",
        slug=f"event-{name}",
        description="Small groups, cases from practice, time for questions. " * 6,
        online_url="https://meet.example/1",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=3),
        capacity=capacity,
        price_amount=price,
        currency="USD",
        credits=3,
        credit_type="CME",
        published_at=at,
        created_at=at,
        updated_at=at,
    )


def publish(events: list[Event]) -> None:
    people()
    copy_rows(events)
    move(Event, ((event.pk, "published") for event in events))
    execute("ANALYZE events_event")


def payments(count: int, *, prefix: str = "list", first_names: tuple[str, ...] = ("Ada", "Bilal", "Chen", "Dunja")) -> list[UUID]:
    """Paid payments over the last year; one in four hundred is to be found by the word "zebra"."""
    people()
    keys = []
    for start in range(0, count, 20_000):
        rows = [_payment(number, count, prefix, first_names) for number in range(start, min(start + 20_000, count))]
        copy_rows(rows)
        keys += [row.pk for row in rows]
        move(Payment, ((row.pk, "succeeded" if number % 50 else "expired") for number, row in enumerate(rows)))
    execute("VACUUM ANALYZE billing_payment")
    return keys


def _payment(number: int, count: int, prefix: str, first_names: tuple[str, ...]) -> Payment:
    at = NOW - timedelta(days=365) * (1 - number / count)
    name = "Zebra" if number % 400 == 7 else first_names[number % len(first_names)]
    return Payment(
        id=key(at, "bench", prefix, number),
        organization_id=ORGANIZATION,
        responsible_id=HOST,
        email=f"{name}.{number}@mail.example".lower(),
        name=f"{name} Nakamura",
        description=f"Event {number % 300}",
        purpose="bench",
        subject=f"reg_{prefix}{number}",
        group=f"evt_{number % 300}",
        amount=10_000 + number % 7 * 500,
        amount_captured=10_000 + number % 7 * 500,
        currency="USD",
        stripe_payment_intent_id=f"pi_{prefix}{number}",
        stripe_charge_id=f"ch_{prefix}{number}",
        stripe_fee=320,
        paid_at=at,
        created_at=at,
        updated_at=at,
    )
