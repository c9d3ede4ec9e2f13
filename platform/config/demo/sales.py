"""Who registered for what, when, and what became of it: rows in memory, each beside the outcome that it will be moved to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from billing import quoting
from billing.models import CheckoutSession, Payment, PaymentLine
from config.demo.catalogue import OFFERS
from config.demo.ids import key
from config.demo.people import Person, crowd
from core.money import allocate
from core.public_ids import encode
from events.models import Event
from ledger.chart import Account
from organizations.models import Organization
from registrations import guest_links
from registrations.models import Registration
from registrations.registering import PURPOSE
from sandbox.stripe import currencies

_OPEN_FOR = timedelta(days=80)
_ABANDONED, _CALLED_OFF = 0.05, 0.07  # shares of the buyers who never paid, and who cancelled before they had
_HOLD = timedelta(minutes=35)
_ATTENDS = 12  # events that the attendee of the sign-ins is sure to be at


@dataclass
class Sale:
    """One registration with its payment, if it has one. outcome: the payment's state in the end, "free" where there is none.

    suffix: of every id that this sale has at Stripe. fee: what Stripe keeps, minor units.
    refunds: how many it has; live: the sum of those that took money or may; held: what they hold of each account; settled: the sum of
    those that succeeded; fee_borne: how much of Stripe's fee the organization bears for them.
    """

    suffix: str
    event: Event
    person: Person
    at: datetime
    registration: Registration | None
    place: str
    payment: Payment | None = None
    outcome: str = "free"
    lines: list[PaymentLine] = field(default_factory=list)
    checkout: CheckoutSession | None = None
    fee: int = 0
    refunds: int = 0
    live: int = 0
    held: dict[Account, int] = field(default_factory=dict)
    settled: int = 0
    fee_borne: int = 0

    @property
    def paid(self) -> Payment:
        """Its payment, known to be there."""
        if self.payment is None:
            raise LookupError(f"{self.suffix} is free of charge")
        return self.payment

    def cancel_place(self, at: datetime, reason: str) -> None:
        self.place = str(Registration.State.CANCELLED)
        if self.registration is not None:
            self.registration.cancelled_at, self.registration.cancel_reason = at, reason


def plan(events: list[Event], organizations: list[Organization], *, size: int, anchor: datetime) -> list[Sale]:
    """`size` registrations in the order of their time; the same for the same size and anchor."""
    random = Random(size)  # noqa: S311  a demo has to be the same every time
    payees = {organization.pk: organization for organization in organizations}
    visits = sorted(_visits(events, size, anchor, random), key=lambda visit: (visit[0], visit[1].pk, visit[2].email))
    price = PriceOf(payees)
    return [_sale(number, at, event, person, price=price, luck=random.random()) for number, (at, event, person) in enumerate(visits)]


def _visits(events: list[Event], size: int, anchor: datetime, random: Random) -> Iterator[tuple[datetime, Event, Person]]:
    people = crowd()
    for number, (event, count) in enumerate(zip(events, allocate(size, [offer.weight for offer in OFFERS]), strict=True)):
        always = people[:1] if count and number % (len(events) // _ATTENDS) == 0 else []
        closed = min(event.starts_at, anchor) - timedelta(hours=3)
        for person in [*always, *random.sample(people[1:], count - len(always))]:
            yield closed - _OPEN_FOR * random.random(), event, person


class PriceOf:
    """Quotes by event and country; the real ones, each asked for once."""

    def __init__(self, payees: dict[UUID, Organization]) -> None:
        self.payees = payees
        self._known: dict[tuple[UUID, str], quoting.Quote] = {}

    def __call__(self, event: Event, country: str, at: datetime) -> quoting.Quote:
        jurisdiction = country if event.format == Event.Format.ONLINE else event.country
        found = self._known.get((event.pk, jurisdiction))
        if found is None:
            found = self._known[event.pk, jurisdiction] = quoting.quote(
                organization=self.payees[event.organization_id],
                price=event.price_amount,
                currency=event.currency,
                description=event.title,
                at=at,
                tax_category=event.tax_category,
                jurisdiction=jurisdiction,
            )
        return found


def _sale(number: int, at: datetime, event: Event, person: Person, *, price: PriceOf, luck: float) -> Sale:
    suffix = f"demo{number:05d}"
    sale = Sale(suffix, event, person, at, _registration(suffix, event, person, at), place=str(Registration.State.CONFIRMED))
    quote = price(event, person.country, at)
    if quote.is_free:
        if luck < _CALLED_OFF:
            sale.cancel_place(at + timedelta(hours=2), Registration.CancelReason.ATTENDEE)
        return sale
    _add_payment(sale, quote, price.payees[event.organization_id])
    if luck < _ABANDONED:
        end_unpaid(sale, Payment.State.EXPIRED, Registration.CancelReason.EXPIRED)
    elif luck < _CALLED_OFF:
        end_unpaid(sale, Payment.State.CANCELLED, Registration.CancelReason.ATTENDEE)
    else:
        _pay(sale)
    return sale


def _registration(suffix: str, event: Event, person: Person, at: datetime) -> Registration:
    pk = key(at, "registration", suffix)
    return Registration(
        id=pk,
        event=event,
        user_id=person.user_id,
        email=person.email,
        name=person.name,
        hold_expires_at=at + _HOLD,  # a pending place needs one; it is emptied where the place is not pending any more
        guest_key_hash="" if person.user_id else guest_links.stored_hash(guest_links.manage_key(pk)),
        confirmed_at=at,
        created_at=at,
        updated_at=at,
    )


def _add_payment(sale: Sale, quote: quoting.Quote, organization: Organization) -> None:
    """The payment as registering makes it, with the lines of its quote and one Checkout session."""
    at, event, person = sale.at, sale.event, sale.person
    pk = key(at, "payment", sale.suffix)
    sale.payment = Payment(
        id=pk,
        organization=organization,
        user_id=person.user_id,
        responsible_id=event.host_id,
        email=person.email,
        name=person.name,
        description=event.title,
        purpose=PURPOSE,
        subject=sale.registration.public_id if sale.registration else encode("reg", key(at, "registration", sale.suffix)),
        group=event.public_id,
        amount=quote.total.amount,
        currency=quote.total.currency,
        refund_terms=event.terms,
        refund_fee_policy=organization.refund_fee_policy,
        service_starts_at=event.starts_at,
        release_at=event.ends_at + timedelta(days=organization.payout_hold_days),
        created_at=at,
        updated_at=at,
    )
    sale.lines = _lines(quote, pk)
    sale.checkout = CheckoutSession(
        id=key(at, "checkout", sale.suffix),
        payment_id=pk,
        number=1,
        stripe_session_id=f"cs_test_{sale.suffix}",
        expires_at=at + timedelta(minutes=30),
        created_at=at,
        updated_at=at,
    )
    if sale.registration is not None:
        sale.registration.payment_id = pk


def _lines(quote: quoting.Quote, payment_id: UUID) -> list[PaymentLine]:
    return [
        PaymentLine(
            payment_id=payment_id,
            position=position,
            kind=line.kind,
            payer=line.payer,
            description=line.description,
            jurisdiction=line.jurisdiction,
            inclusive=line.inclusive,
            basis_points=line.basis_points,
            amount=line.amount,
        )
        for position, line in enumerate(quote.lines)
    ]


def _pay(sale: Sale) -> None:
    payment = sale.paid
    sale.outcome = str(Payment.State.SUCCEEDED)
    sale.fee = currencies.fee(payment.amount, payment.currency.lower())
    payment.stripe_payment_intent_id = f"pi_{sale.suffix}"
    payment.stripe_charge_id = f"ch_{sale.suffix}"
    payment.stripe_balance_transaction_id = f"txn_{sale.suffix}"
    payment.stripe_fee = sale.fee
    payment.amount_captured = payment.amount
    payment.paid_at = payment.updated_at = sale.at + timedelta(minutes=2)
    payment.documents_due_at = payment.paid_at  # the sweep of the running demo issues them, the oldest first
    if sale.registration is not None:
        sale.registration.confirmed_at = sale.registration.updated_at = payment.paid_at


def end_unpaid(sale: Sale, outcome: str, reason: str) -> None:
    sale.outcome = str(outcome)
    if sale.registration is not None:
        sale.registration.confirmed_at = None
    sale.cancel_place(sale.at + _HOLD, reason)


def decline(sale: Sale, *, hold_until: datetime, message: str) -> None:
    """Turn a paid sale into one whose card was refused; the place is held so that the buyer can try another card."""
    payment, registration = sale.paid, sale.registration
    if registration is None or sale.checkout is None:
        raise LookupError(f"{sale.suffix} has no place to hold")
    sale.outcome, sale.place, sale.fee = str(Payment.State.FAILED), str(Registration.State.PENDING), 0
    payment.stripe_payment_intent_id = payment.stripe_charge_id = payment.stripe_balance_transaction_id = None
    payment.stripe_fee = payment.paid_at = payment.documents_due_at = None
    payment.amount_captured, payment.failure_message = 0, message
    registration.confirmed_at, registration.hold_expires_at = None, hold_until
    sale.checkout.expires_at = sale.at + timedelta(hours=24)
