"""What money means for a place: paid confirms it, unpaid lets it go, refunded in full gives it back.

Called by billing inside its transaction with the payment's row locked, which keeps the place's state still; event and registration are
locked after it.
"""

from datetime import datetime
from uuid import UUID

from audit.actor import Actor
from billing import refunds
from billing.models import Document, Payment, Refund
from events.models import Event
from registrations import cancellation, discounting, guest_links, registering
from registrations.models import Registration

LATE = Actor.system("registrations.late_payment")


class RegistrationFulfillment:
    """Registered with billing for the purpose "registration"."""

    def on_paid(self, payment: Payment, *, at: datetime, by: Actor) -> None:
        """Confirm the place. Money for a place that has gone takes a free seat, or goes back in full at the platform's cost."""
        theirs = Registration.objects.filter(payment=payment)
        held = theirs.filter(state=Registration.State.PENDING, cancel_reason="")  # its seat is counted already: the event can stay free
        registration = held.select_for_update(of=["self"]).select_related("event").first()
        if registration is not None:
            registering.confirm(registration=registration, at=at, by=by)
            return
        found = theirs.first()
        if found is None:
            give_back(payment, "Paid without a registration")
            return
        registration = cancellation.lock_place(found)
        if registration.state == Registration.State.PENDING:
            cancellation.apply(registration=registration, reason=registration.cancel_reason, at=at, by=by)
            give_back(payment, "Paid while the registration was being cancelled")
        elif registration.state == Registration.State.CANCELLED and _can_come_back(registration, at):
            registering.reinstate(registration=registration, at=at, by=by)
        elif registration.state == Registration.State.CANCELLED:
            give_back(payment, "Paid after the place was gone")

    def on_failed(self, payment: Payment, *, at: datetime, by: Actor) -> None:
        """Expired or cancelled unpaid: the seat is free again. No-op where it is already."""
        found = Registration.objects.filter(payment=payment, state=Registration.State.PENDING).first()
        if found is not None:
            registration = cancellation.lock_place(found)
            reason = registration.cancel_reason or Registration.CancelReason.EXPIRED
            cancellation.apply(registration=registration, reason=reason, at=at, by=by)

    def on_refunded(self, refund: Refund, *, at: datetime, by: Actor) -> None:
        """A full refund that was asked to gives the place back; a part, or one that was not, leaves it. Any full one frees the code."""
        payment = refund.payment
        if payment.amount_refunded < payment.amount_captured:
            return
        found = Registration.objects.active().filter(payment=payment).first()
        if found is None or not (refund.releases_place or found.redemption_id):
            return
        registration = cancellation.lock_place(found)
        if not refund.releases_place:
            discounting.release(registration, at=at, by=by)
        elif registration.state != Registration.State.CANCELLED:
            cancellation.apply(registration=registration, reason=Registration.CancelReason.REFUNDED, at=at, by=by)

    def on_disputed(self, payment: Payment, *, at: datetime, by: Actor) -> None:
        """A dispute takes no place away: it may be lost."""

    def responsible(self, payment: Payment) -> UUID | None:
        hosts = Registration.objects.filter(payment=payment).values_list("event__host_id", flat=True)
        return hosts.first() or payment.responsible_id

    def document_url(self, payment: Payment, document: Document) -> str:
        found = Registration.objects.filter(payment=payment).first()
        return guest_links.document_url(found, document.public_id) if found else ""


def give_back(payment: Payment, note: str) -> Refund:
    """Refund everything; nobody's terms apply to money that bought nothing."""
    return refunds.request(
        payment_id=payment.pk,
        amount=refunds.refundable(payment).amount,
        reason=Refund.Reason.LATE_PAYMENT,
        note=note,
        source=Refund.Source.AUTOMATIC,
        request_token=f"late:{payment.pk}",
        by=LATE,
    )


def _can_come_back(registration: Registration, at: datetime) -> bool:
    """Only what expired, while seats are free, before the end, and where the person has no other place by now."""
    event = registration.event
    is_on = event.state in (Event.State.PUBLISHED, Event.State.LIVE) and event.ends_at > at
    if registration.cancel_reason != Registration.CancelReason.EXPIRED or not is_on or event.seats_left < 1:
        return False
    others = Registration.objects.active().filter(event=event)
    if others.under(registration.email, or_of=registration.user_id).exists():
        return False
    return discounting.can_restore(registration)
