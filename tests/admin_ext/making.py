"""Rows for the console's tests: every state is reached through the model's own transitions."""

from datetime import timedelta
from itertools import count
from typing import Any

from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.models import User
from billing.models import CheckoutSession, Dispute, InboundEvent, Payment, PaymentLine, Refund
from core.models import Job
from events.models import Event, Session
from organizations.models import Membership, Organization, Role
from registrations.models import Registration

_next = count(1)
PASSWORD = "correct horse battery"


def user(name: str, *, groups: tuple[str, ...] = ()) -> User:
    person = User.objects.create_user(f"{name}@example.org", PASSWORD, name=name.capitalize(), staff_groups=list(groups))
    EmailAddress.objects.create(user=person, email=person.email, primary=True, verified=True)
    return person


def organization(name: str, **values: Any) -> Organization:
    return Organization.objects.create(name=name, slug=f"{name.lower().replace(' ', '-')}-{next(_next)}", **values)


def member(of: Organization, person: User, role: str = Role.ADMIN, **values: Any) -> Membership:
    return Membership.objects.create(organization=of, user=person, role=role, **values)


def event(of: Organization, host: User, title: str = "Suturing for nurses", *, published: bool = True, **values: Any) -> Event:
    starts = values.pop("starts_at", timezone.now() + timedelta(days=20))
    made = Event.objects.create(
        organization=of,
        host=host,
        title=title,
        slug=f"event-{next(_next)}",
        starts_at=starts,
        ends_at=starts + timedelta(hours=3),
        capacity=values.pop("capacity", 50),
        price_amount=values.pop("price_amount", 5000),
        **values,
    )
    Session.objects.create(event=made, title=f"{title}: part one", starts_at=starts, ends_at=starts + timedelta(hours=1))
    if published:
        made.publish(at=timezone.now())
        made.save()
    return made


def payment(of: Organization, *, amount: int = 5000, paid: bool = True, for_event: Event | None = None, **values: Any) -> Payment:
    number = next(_next)
    made = Payment.objects.create(
        organization=of,
        email=values.pop("email", f"buyer{number}@example.org"),
        name=values.pop("name", f"Buyer {number}"),
        description=for_event.title if for_event else values.pop("description", "A place"),
        purpose="registration",
        subject=f"reg_{number}",
        group=for_event.public_id if for_event else "",
        amount=amount,
        currency=values.pop("currency", "USD"),
        refund_terms=[{"hours_before": 168, "percent": 100}, {"hours_before": 48, "percent": 50}],
        service_starts_at=for_event.starts_at if for_event else None,
        responsible_id=for_event.host_id if for_event else None,
        **values,
    )
    PaymentLine.objects.create(payment=made, position=1, kind="price", description="Place", amount=amount)
    if paid:
        made.stripe_payment_intent_id, made.stripe_charge_id = f"pi_{number}", f"ch_{number}"
        made.succeed(at=timezone.now(), captured=amount)
        made.save()
    return made


def registration(of: Event, *, email: str | None = None, payment: Payment | None = None, confirmed: bool = True) -> Registration:
    number = next(_next)
    made = Registration.objects.create(
        event=of,
        payment=payment,
        email=email or f"person{number}@example.org",
        name=f"Person {number}",
        hold_expires_at=timezone.now() + timedelta(minutes=35),
    )
    if confirmed:
        made.confirm(at=timezone.now())
        made.save()
    return made


def refund(of: Payment, *, amount: int = 1000, awaiting: bool = False, asked_by: User | None = None) -> Refund:
    """As the operation leaves it, the ledger's entries left out."""
    made = Refund.objects.create(
        payment=of, amount=amount, currency=of.currency, reason="requested_by_customer", source="console", requested_by=asked_by
    )
    if awaiting:
        made.await_approval()
        made.save()
    return made


def checkout_session(of: Payment) -> CheckoutSession:
    return CheckoutSession.objects.create(payment=of, number=1, expires_at=timezone.now() + timedelta(minutes=30))


def dispute(of: Payment) -> Dispute:
    return Dispute.objects.create(
        payment=of,
        stripe_dispute_id=f"du_{next(_next)}",
        amount=of.amount,
        currency=of.currency,
        status="needs_response",
        reason="fraudulent",
    )


def inbound_event(*, dead: bool = False) -> InboundEvent:
    number = next(_next)
    made = InboundEvent.objects.create(
        endpoint="platform", event_id=f"evt_{number}", type="charge.refunded", body='{"id": "evt"}', happened_at=timezone.now()
    )
    if dead:
        made.start(lease_until=timezone.now())
        made.save()
        made.bury(error="The handler failed eight times.")
        made.save()
    return made


def dead_job(name: str = "core.jobs.sweep") -> Job:
    made = Job.objects.create(name=name)
    made.bury(at=timezone.now(), error="boom")
    made.save()
    return made
