"""Places, taken through the real operations."""

from datetime import datetime
from itertools import count
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.actor import Actor
from billing import payments
from billing.gateway.base import GatewayIntent
from billing.models import Payment
from events.models import Event
from registrations import guest_links, registering
from registrations.models import Registration
from registrations.registering import Registered
from tests.factories.events import EventFactory
from tests.factories.people import actor

_numbers = count(1)
STRIPE = Actor.system("tests.stripe")


def register(event: Event, user: User | None = None, **values: Any) -> Registered:
    """A guest under an address of its own, or `user` signed in."""
    number = next(_numbers)
    given = {"by": Actor.anonymous(), "email": f"guest-{number}@example.org", "name": f"Guest {number}", **values}
    if user is not None:
        given["by"] = actor(user)
    return registering.register(event_id=event.pk, **given)


def paid_event(**values: Any) -> Event:
    """Published, 50.00 USD, without fees or tax."""
    event: Event = EventFactory(**{"price_amount": 5000, "currency": "USD", **values})
    return event


def intent_of(payment: Payment, *, status: str = "succeeded", at: datetime | None = None) -> GatewayIntent:
    """What Stripe says of the payment's intent."""
    received = payment.amount if status == "succeeded" else 0
    charge = f"ch_{payment.pk.hex}" if status == "succeeded" else None
    return GatewayIntent(f"pi_{payment.pk.hex}", status, received, payment.currency, charge_id=charge, happened_at=at)


def pay(registration: Registration) -> Registration:
    """The money arrives, through the one door for Stripe's word."""
    payment = Payment.objects.get(pk=registration.payment_id)
    payments.sync(payment_id=payment.pk, intent=intent_of(payment), at=timezone.now(), by=STRIPE)
    return current(registration)


@transaction.atomic
def end_unpaid(registration: Registration, *, cancelled: bool = False) -> Registration:
    """Stripe has said that the session ended unpaid."""
    payment = payments.locked(Payment.objects.get(pk=registration.payment_id).pk, STRIPE)
    assert payment is not None
    (payments.cancel if cancelled else payments.expire)(payment=payment, at=timezone.now(), by=STRIPE)
    return current(registration)


def current(registration: Registration) -> Registration:
    """As the database has it; refresh_from_db would unprotect the state."""
    return Registration.objects.select_related("event__organization", "payment").get(pk=registration.pk)


def confirmed(event: Event | None = None, **values: Any) -> Registration:
    """A guest's free place, with its address confirmed."""
    held = register(event or EventFactory(), **values).registration
    return registering.confirm_address(registration_id=held.pk, key=guest_links.confirm_key(held.pk))


def paid(event: Event | None = None, user: User | None = None, **values: Any) -> Registration:
    """A place that was paid for."""
    return pay(register(event or paid_event(), user, **values).registration)
