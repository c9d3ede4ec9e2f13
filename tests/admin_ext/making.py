"""Rows for the console's tests: every state is reached through the model's own transitions."""

from datetime import timedelta
from itertools import count
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.actor import Actor
from billing import payments, refunds
from billing.documents import issuing
from billing.models import (
    BillingAccount,
    CheckoutSession,
    Dispute,
    Document,
    InboundEvent,
    Invoice,
    Payment,
    Plan,
    PlanAccess,
    Refund,
    SeatDrift,
)
from core.models import Job
from entitlements.models import Allowance, UsageDrift
from events.models import Event, Session
from organizations import admin_offers, invitations, staff_acting
from organizations.models import ActingGrant, AdminOffer, Invitation, Membership, Organization, Role
from promo_codes import authoring, lifecycle, redeeming
from promo_codes.models import PromoCode, Redemption
from registrations.models import Registration
from tests.factories.billing import fee_of, intent_for, plain_quote, sale, sync
from tests.factories.entitlements import granted
from tests.factories.people import actor

_next = count(1)
PASSWORD = "correct horse battery"


def user(name: str, *, groups: tuple[str, ...] = ()) -> User:
    person = User.objects.create_user(f"{name}@example.org", PASSWORD, name=name.capitalize(), staff_groups=list(groups))
    EmailAddress.objects.create(user=person, email=person.email, primary=True, verified=True)
    return person


def organization(name: str, **values: Any) -> Organization:
    return granted(Organization.objects.create(name=name, slug=f"{name.lower().replace(' ', '-')}-{next(_next)}", **values))


def trial(of: Organization) -> PlanAccess:
    """A trial of the plan "team", begun by nobody in particular."""
    plan, _ = Plan.objects.get_or_create(code="team", defaults={"name": "Team", "audience": "team", "events_per_month": 30})
    access = PlanAccess(organization=of)
    access.save()
    access.start_trial(plan=plan, at=timezone.now(), ends_at=timezone.now() + timedelta(days=30))
    access.save()
    return access


def invoice(of: Organization, status: str = "paid", **values: Any) -> Invoice:
    """An invoice of a month, 49 dollars; Stripe has never heard of it."""
    number = next(_next)
    account, _ = BillingAccount.objects.get_or_create(organization=of, defaults={"stripe_customer_id": f"cus_{number}"})
    now = timezone.now()
    given = {
        "number": f"NORTH-{number:04}",
        "stripe_invoice_id": f"in_{number}",
        "total": 4_900,
        "amount_due": 4_900,
        "amount_paid": 4_900 if status == "paid" else 0,
        "currency": "USD",
        "issued_at": now,
        "asked_at": now,
        "period_starts_at": now,
        "period_ends_at": now + timedelta(days=30),
    }
    return Invoice.objects.create(account=account, organization=of, status=status, **{**given, **values})


def drift(of: Organization) -> UsageDrift:
    """Its counter of events, found to be off."""
    allowance = Allowance.objects.select_related("grant").get(grant__organization_id=of.pk, resource="events")
    period = allowance.grant.period_starts_at
    values = {"organization_id": of.pk, "resource": "events", "period_starts_at": period}
    return UsageDrift.objects.create(allowance=allowance, counter=3, counted=2, **values)


def seat_drift(of: Organization) -> SeatDrift:
    """Two people take a further seat, one is billed."""
    return SeatDrift.objects.create(organization=of, counted=2, ours=1, at_stripe=1)


def member(of: Organization, person: User, role: str = Role.ADMIN, **values: Any) -> Membership:
    return Membership.objects.create(organization=of, user=person, role=role, **values)


def invitation(of: Organization, by: User, email: str, role: str = Role.ORGANIZER) -> Invitation:
    """Sent by one of its admins."""
    return invitations.invite(organization_id=of.pk, email=email, role=role, by=actor(by))


def admin_offer(of: Organization, by: User, to: User) -> AdminOffer:
    """To a new organizer of it."""
    return admin_offers.offer(membership_id=member(of, to, Role.ORGANIZER).pk, by=actor(by))


def acting_grant(of: Organization, by: User) -> ActingGrant:
    """by: somebody of support."""
    return staff_acting.begin(organization_id=of.pk, reason="Ticket 1", by=actor(by))


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
    """Through the operations, so that the books know of it."""
    number = next(_next)
    currency = values.pop("currency", "USD")
    title = for_event.title if for_event else values.pop("description", "A place")
    made = payments.create(
        quote=plain_quote(amount, currency),
        organization=of,
        sale=sale(
            purpose="test",
            description=title,
            group=for_event.public_id if for_event else "",
            responsible_id=for_event.host_id if for_event else None,
            starts_in=timedelta(days=20),
        ),
        email=values.pop("email", f"buyer{number}@example.org"),
        name=values.pop("name", f"Buyer {number}"),
        user_id=None,
    )
    if not paid:
        return made
    return sync(made, intent_for(made, balance_transaction=fee_of(made)))


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


def promo_code(of: Organization, by: User, code: str = "SPRING", **terms: Any) -> PromoCode:
    """20 % off everything of the organization's."""
    given: Any = {"kind": "percent", "basis_points": 2000, **terms}
    return authoring.create(organization_id=of.pk, by=actor(by), code=code, **given)


def paused_code(of: Organization, by: User, code: str = "PAUSED") -> PromoCode:
    return lifecycle.pause(promo_code_id=promo_code(of, by, code).pk, by=actor(by))


@transaction.atomic
def redemption(code: PromoCode, place: Registration) -> Redemption:
    """The use that a confirmed place was had with."""
    event, at = place.event, timezone.now()
    bought = redeeming.Bought(place.public_id, event.public_id, event.price)
    buyer = redeeming.Buyer(place.email, None, is_known=False, is_new=lambda: True)
    with transaction.atomic():
        made = redeeming.reserve(code=code, buyer=buyer, bought=bought, by=Actor.system("tests"))
        redeeming.consume(redemption_id=made.pk, at=at, by=Actor.system("tests"))
    Registration.objects.filter(pk=place.pk).update(redemption=made)
    return Redemption.objects.get(pk=made.pk)


def document(of: Payment) -> Document:
    """Its receipt."""
    return issuing.issue(payment_id=of.pk)[0]


def refund(of: Payment, *, by: Actor, amount: int = 1000) -> Refund:
    """Above the limit it waits for a second person."""
    return refunds.request(payment_id=of.pk, amount=amount, reason="requested_by_customer", source="console", by=by)


def waiting_refund(of: Organization, *, by: Actor, amount: int = 60_000) -> Refund:
    """Above the platform's limit of 500.00 USD."""
    return refund(payment(of, amount=amount), by=by, amount=amount)


def checkout_session(of: Payment) -> CheckoutSession:
    return CheckoutSession.objects.create(payment=of, number=1, expires_at=timezone.now() + timedelta(minutes=30))


def dispute(of: Payment, **values: Any) -> Dispute:
    return Dispute.objects.create(
        payment=of,
        stripe_dispute_id=f"du_{next(_next)}",
        amount=of.amount,
        currency=of.currency,
        status="needs_response",
        reason="fraudulent",
        **values,
    )


def inbound_event(*, dead: bool = False) -> InboundEvent:
    number = next(_next)
    made = InboundEvent.objects.create(
        endpoint="platform",
        event_id=f"evt_{number}",
        type="charge.refunded",
        api_version=settings.STRIPE_API_VERSION,
        body='{"id": "evt", "data": {"object": {"id": "ch_1"}}}',
        happened_at=timezone.now(),
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
