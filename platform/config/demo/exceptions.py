"""What went wrong in the demo: every state of a refund, every work queue with something in it, and three planted differences.

The differences are the only ones: with them explained, the books agree with Stripe to the cent (`PLANTED`, printed by the seed).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.models import Dispute, Payment, Refund
from config.demo.catalogue import NORDLICHT, RIVERSIDE
from config.demo.ids import key
from config.demo.people import ADMIN, FINANCE, FINANCE_SECOND
from config.demo.refunding import Planned, State, Till, part, refund
from config.demo.sales import Sale, decline
from registrations.models import Registration

PLANTED = (
    "One payment has no registration: it was paid, and what it bought is gone.",
    "One refund in USD is made at Stripe while our answer was lost: it waits as unknown, and the books hold it in flight.",
    "One refund in EUR was made in Stripe's dashboard, and the event that told us is dead: replay it and the books agree.",
)
# Why a refund waits in the demo although workers run: its job is due only then. The sweeps leave a refund alone that has an open job.
PARKED_FOR = timedelta(days=30)
_LAST_WORD = "Your card has insufficient funds."


@dataclass
class Exceptions:
    refunds: list[Planned] = field(default_factory=list)
    disputes: list[tuple[Sale, Dispute]] = field(default_factory=list)
    made_at_stripe: list[Sale] = field(default_factory=list)  # refunded in full in Stripe's dashboard, unknown here
    unreceipted: list[Sale] = field(default_factory=list)  # the job that sends the receipt died
    parked: list[Planned] = field(default_factory=list)  # refunds whose submission waits in the queue


def plan(sales: Sequence[Sale], *, anchor: datetime) -> Exceptions:
    """Take sales nothing else happened to and let something happen to them. Raises LookupError where there are too few."""
    till, found = Till(sales), Exceptions()
    _waiting_for_people(found, till, anchor)
    _on_the_way(found, till, anchor)
    _at_stripe(found, till, anchor)
    _ended(found, till, anchor)
    _without_refund(found, till, anchor)
    return found


def _large(sale: Sale) -> bool:
    return sale.paid.currency == "USD" and sale.paid.amount > 50_000


def _in_dollars(sale: Sale) -> bool:
    return sale.event.organization_id == RIVERSIDE and sale.paid.currency == "USD" and 5_000 < sale.paid.amount < 50_000


def _in_euros(sale: Sale) -> bool:
    return sale.event.organization_id == NORDLICHT and sale.paid.currency == "EUR"


def _waiting_for_people(found: Exceptions, till: Till, anchor: datetime) -> None:
    """Above the limit: three wait for a second person, one was approved and is about to go out, one was turned down."""
    for hours, asked_by in ((30, FINANCE), (20, FINANCE_SECOND), (5, ADMIN)):
        sale = till.take(_large)
        at = anchor - timedelta(hours=hours)
        found.refunds.append(refund(sale, amount=sale.paid.amount, at=at, state=State.AWAITING_APPROVAL, requested_by=asked_by.user_id))
    sale = till.take(_large)
    approved = refund(
        sale, amount=sale.paid.amount, at=anchor - timedelta(hours=3), state=State.APPROVED, approved_by=FINANCE_SECOND.user_id
    )
    sale = till.take(_large)
    refused = refund(
        sale,
        amount=sale.paid.amount,
        at=anchor - timedelta(days=4),
        state=State.CANCELLED,
        failure_reason="The attendee was there for both days; the terms give nothing back.",
    )
    found.refunds += [approved, refused]
    found.parked.append(approved)


def _on_the_way(found: Exceptions, till: Till, anchor: datetime) -> None:
    """Requested, being sent, and twice unknown: once Stripe made it, once it never saw it."""
    requested, sending, lost, made = (till.take(_in_dollars) for _ in range(4))
    at = anchor - timedelta(days=2)
    on_the_way = [
        refund(requested, amount=part(requested, 50), at=anchor - timedelta(hours=2), state=State.REQUESTED),
        refund(sending, amount=part(sending, 30), at=anchor - timedelta(hours=1), state=State.SUBMITTING),
        refund(lost, amount=part(lost, 100), at=at, state=State.UNKNOWN),
        refund(made, amount=part(made, 100), at=at - timedelta(hours=1), state=State.UNKNOWN, at_stripe="succeeded"),
    ]
    found.refunds += on_the_way
    found.parked += on_the_way


def _at_stripe(found: Exceptions, till: Till, anchor: datetime) -> None:
    """Accepted by Stripe and not final, and one that somebody made in Stripe's dashboard and we know of."""
    at = anchor - timedelta(days=1)
    for hours, state, word in (
        (4, State.PENDING, "pending"),
        (9, State.PENDING, "pending"),
        (15, State.REQUIRES_ACTION, "requires_action"),
    ):
        sale = till.take(_in_euros if hours == 9 else _in_dollars)
        found.refunds.append(refund(sale, amount=part(sale, 100), at=at - timedelta(hours=hours), state=state, at_stripe=word))
    sale = till.take(_in_dollars)
    seen = refund(
        sale,
        amount=part(sale, 20),
        at=at,
        state=State.SUCCEEDED,
        at_stripe="succeeded",
        requested_by=None,
        source=Refund.Source.EXTERNAL,
        reason=Refund.Reason.OTHER,
        note="Made at Stripe, not here.",
    )
    found.refunds.append(seen)


def _ended(found: Exceptions, till: Till, anchor: datetime) -> None:
    """Refused at once, failed days after it had succeeded, cancelled at Stripe; and a payment that three refunds gave back in full."""
    at = anchor - timedelta(days=6)
    refused, late, stopped, thrice = (till.take(_in_dollars) for _ in range(4))
    no_card = "charge_already_refunded: The bank could not process this refund."
    found.refunds += [
        refund(refused, amount=part(refused, 40), at=at, state=State.FAILED, failure_reason=no_card, submitted_at=at),
        refund(
            late,
            amount=part(late, 100),
            at=at,
            state=State.FAILED,
            at_stripe="succeeded_then_failed",
            failure_reason="lost_or_stolen_card",
        ),
        refund(stopped, amount=part(stopped, 25), at=at, state=State.CANCELLED, at_stripe="canceled"),
    ]
    left = thrice.paid.amount
    for hours, percent in ((0, 33), (5, 33), (11, 0)):
        amount = part(thrice, percent) if percent else left
        left -= amount
        found.refunds.append(refund(thrice, amount=amount, at=at + timedelta(hours=hours), state=State.SUCCEEDED, at_stripe="succeeded"))


def _without_refund(found: Exceptions, till: Till, anchor: datetime) -> None:
    """Money without a place, a refund we were not told of, disputes, refused cards, receipts that nobody got."""
    orphan = till.take(_in_dollars)
    orphan.registration = None
    found.made_at_stripe.append(till.take(_in_euros))
    for days in (2, 5):
        sale = till.take(_in_dollars)
        found.disputes.append((sale, _inquiry(sale, anchor - timedelta(days=days), anchor)))
    for _ in range(4):
        declined = till.take(lambda sale: sale.event.starts_at > anchor + timedelta(days=8))
        decline(declined, hold_until=anchor + timedelta(days=7), message=_LAST_WORD)
    found.unreceipted += [till.take(), till.take()]


def _inquiry(sale: Sale, at: datetime, anchor: datetime) -> Dispute:
    """A bank asks; no money has moved, and the payment cannot be refunded meanwhile."""
    payment: Payment = sale.paid
    payment.amount_disputed = payment.amount
    return Dispute(
        id=key(at, "dispute", sale.suffix),
        payment=payment,
        stripe_dispute_id=f"du_{sale.suffix}d",
        amount=payment.amount,
        currency=payment.currency,
        status="warning_needs_response",
        reason="product_not_received",
        due_by=anchor + timedelta(days=6),
        opened_at=at,
        created_at=at,
        updated_at=at,
    )


def unconfirmed_guests(sales: Sequence[Sale], *, anchor: datetime) -> None:
    """A few guests of free events have yet to confirm their address; their places are held."""
    guests = (sale for sale in reversed(sales) if sale.outcome == "free" and sale.registration and not sale.registration.user_id)
    for sale, _ in zip((sale for sale in guests if sale.event.starts_at > anchor), range(5), strict=False):
        if sale.place == Registration.State.CONFIRMED and sale.registration is not None:
            sale.place = str(Registration.State.PENDING)
            sale.registration.confirmed_at, sale.registration.hold_expires_at = None, anchor + timedelta(days=3)
