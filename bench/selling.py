"""Places that wait for their payment here, and the money that is at Stripe already."""

import time
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from audit.actor import Actor
from bench import data
from billing.models import Payment
from registrations import registering
from sandbox.stripe.control import Control


def unpaid(count: int, *, name: str) -> list[Payment]:
    """So many registrations of one paid event, each held for its payment."""
    event = data.event(name, capacity=count, price=10_000)
    data.publish([event])
    made = [
        registering.register(event_id=event.pk, by=Actor.anonymous(), email=f"{name}.{number}@mail.example", name="Ada").payment_id
        for number in range(count)
    ]
    return list(Payment.objects.filter(pk__in=made).order_by("pk"))


def suffix(payment_id: UUID) -> str:
    return payment_id.hex


def pay_at_stripe(payments: Sequence[Payment]) -> None:
    """Stripe has captured all of them, and says nothing about it by itself."""
    created = int(time.time()) - 60
    Control(settings.STRIPE_API_BASE).load(
        [
            {
                "type": "payment",
                "suffix": suffix(payment.pk),
                "amount": payment.amount,
                "currency": payment.currency.lower(),
                "created": created,
                "metadata": {"payment_id": str(payment.pk)},
                "events": False,
            }
            for payment in payments
        ]
    )
