"""Ways to a starting point that take the product's own steps: an event that is open, a place that is paid for."""

import itertools
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ

from accounts.models import User
from audit.actor import Actor, StaffGroup
from billing import checkout, payments, refund_submission
from billing.models import Payment, Refund
from billing.webhooks import receiving
from core.jobs import RetryLater
from core.models import Job
from events.models import Event
from organizations.acting import actor_for
from organizations.models import Membership, Organization, Role
from registrations import registering
from registrations.registering import Registered
from sandbox.stripe.server import Sandbox
from tests.draining import drain
from tests.factories.entitlements import granted

_number = itertools.count(1)


def organization(**values: Any) -> Organization:
    number = next(_number)
    return granted(Organization.objects.create(**{"name": f"Organization {number}", "slug": f"flow-{number}", **values}))


def member(of: Organization, role: Role = Role.ADMIN) -> User:
    number = next(_number)
    user = User.objects.create_user(f"member{number}@example.org", "correct horse battery", name=f"Member {number}")
    Membership.objects.create(organization=of, user=user, role=role)
    return user


def staff(*groups: StaffGroup) -> Actor:
    """Somebody of the platform who has just used a second factor."""
    number = next(_number)
    email = f"staff{number}@example.org"
    user = User.objects.create_user(email, "correct horse battery", staff_groups=[str(group) for group in groups], name=f"Staff {number}")
    return actor_for(user, second_factor_at=timezone.now(), as_staff=True)


def open_event(*, of: Organization | None = None, price: int = 10_000, currency: str = "USD", capacity: int = 50, days: int = 30) -> Event:
    """Published, registration open. price: minor units."""
    number, owner = next(_number), of or organization()
    starts_at = timezone.now() + timedelta(days=days)
    event = Event.objects.create(
        organization=owner,
        host=member(owner),
        title=f"Event {number}",
        slug=f"flow-event-{number}",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=2),
        capacity=capacity,
        price_amount=price,
        currency=currency,
        online_url="https://meet.example.org/room",
    )
    event.publish(at=timezone.now())
    event.save()
    return event


def registered(event: Event) -> Registered:
    """A guest's place, held until it is paid or confirmed."""
    number = next(_number)
    return registering.register(event_id=event.pk, by=Actor.anonymous(), email=f"guest{number}@example.org", name=f"Guest {number}")


def bought(sandbox: Sandbox, event: Event | None = None) -> Payment:
    """A place that its buyer has just paid for at Stripe; nothing has been delivered yet."""
    done = registered(event or open_event())
    assert done.payment_id is not None
    assert checkout.open(payment_id=done.payment_id)
    payment = Payment.objects.get(pk=done.payment_id)
    sandbox.control.pay(payment.checkout_sessions.get().stripe_session_id or "")
    return payment


def paid(sandbox: Sandbox, event: Event | None = None) -> Payment:
    """A place paid through Checkout, its webhooks worked off, Stripe's fee booked."""
    payment = bought(sandbox, event)
    settle(sandbox)
    return Payment.objects.select_related("organization").get(pk=payment.pk)


def settle(sandbox: Sandbox, *, seconds: int = 30) -> None:
    """Let Stripe's late things happen, deliver what is due, and do the queue's work."""
    deliver(sandbox)
    drain()
    sandbox.control.advance(seconds)
    deliver(sandbox)
    drain()


def forget_the_queue() -> None:
    """Every message is lost, as after a purge; the rows that they were about stay."""
    OrmQ.objects.all().delete()
    Job.objects.filter(state=Job.State.QUEUED).update(state=Job.State.DEAD)


def deliver(sandbox: Sandbox) -> int:
    """Hand the due webhooks to the inbox, with their real signatures."""

    def post(_url: str, headers: dict[str, str], body: bytes) -> int:
        signature = {name.lower(): value for name, value in headers.items()}["stripe-signature"]
        try:
            receiving.receive(endpoint="platform", body=body, signature=signature)
        except (receiving.BadSignature, receiving.MalformedEvent):
            return 400
        return 200

    return sandbox.deliver(post)


def submit(refund: Refund) -> None:
    """What a worker does with the refund's job; a lost answer is its own matter."""
    with suppress(RetryLater):
        refund_submission.submit(refund_id=refund.pk)


def draft_event() -> Event:
    number, owner = next(_number), organization()
    starts_at = timezone.now() + timedelta(days=30)
    return Event.objects.create(
        organization=owner,
        host=member(owner),
        title=f"Draft {number}",
        slug=f"flow-draft-{number}",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=2),
        capacity=10,
    )


def let_go(payment: Payment) -> None:
    """What ends a hold where Stripe never hears of it: the place is free, and its payment page is still open somewhere."""
    with transaction.atomic():
        payments.expire(payment=Payment.objects.select_for_update().get(pk=payment.pk), at=timezone.now(), by=Actor.system("test"))
