"""Stripe's Checkout: one open session for each payment, opened after the commit, closed before a place is given away."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from billing import commands, payments
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewaySession, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import CheckoutSession, Payment, StripeCommand
from core import jobs
from core.errors import DomainError, NotFound
from core.outside_calls import forbid_open_transaction

# A margin over Stripe's minimum for the way there, so that a session is never refused as too short.
_MARGIN = timedelta(seconds=90)


class NotPayable(DomainError):
    code, http_status = "NOT_PAYABLE", 409

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(
            "This is paid already." if state in Payment.CAPTURED else "This can no longer be paid; register again to get a new place."
        )


def open(*, payment_id: UUID) -> str | None:  # noqa: A001  Stripe's own verb; always used as checkout.open
    """The address of Stripe's page for this payment; None where Stripe did not answer in time (call again, or wait for the sweep).

    Called by a surface after the commit. Repeatable: an open session is given again, a lost answer is asked for under the same key.
    Raises NotFound, NotPayable, GatewayRefused.
    """
    forbid_open_transaction()
    try:
        current = _current(payment_id)
        return current.url if current else _create(payment_id)
    except (GatewayBusy, GatewayUnknown):
        return None


def _current(payment_id: UUID) -> GatewaySession | None:
    """The open session as Stripe has it, None where there is none (one that ended meanwhile is closed here)."""
    row = CheckoutSession.objects.filter(payment_id=payment_id, state=CheckoutSession.State.OPEN).first()
    if row is None or row.stripe_session_id is None:
        return None
    found = gateway(patient=False).retrieve_checkout_session(row.stripe_session_id)
    if found.status == "open":
        return found
    refresh(session_id=row.pk)
    return None


def _create(payment_id: UUID) -> str | None:
    """A session left opening by a lost answer, asked for under its key; the next one where Stripe will not give that one any more."""
    row = _reserve(payment_id)
    command = _command(row)
    is_new = command.calls == 0
    try:
        if commands.has_stored_error(command):
            raise GatewayRefused(command.error)
        return _send(row, command).url
    except GatewayRefused:  # also of one left behind so long that its end has come too near
        _give_up_opening(payment_id)
        if is_new:
            raise
    return _create(payment_id)


def _command(row: CheckoutSession) -> StripeCommand:
    payment = Payment.objects.select_related("organization").get(pk=row.payment_id)
    return commands.prepare(
        operation="checkout.create",
        key=row.stripe_key,
        parameters=_parameters(payment, row),
        subject=row,
        organization_id=payment.organization_id,
    )


def _send(row: CheckoutSession, command: StripeCommand) -> GatewaySession:
    answer = commands.perform(command, lambda parameters, key: gateway(patient=False).create_checkout_session(parameters, key=key))
    opened(session_id=row.pk, answer=answer)
    return answer


@transaction.atomic
def _reserve(payment_id: UUID) -> CheckoutSession:
    """The session row to be opened: one left opening by a lost answer, else the next. Two who click at once queue on the payment."""
    payment = Payment.objects.select_for_update(of=["self"]).filter(pk=payment_id).first()
    if payment is None:
        raise NotFound("payment")
    if payment.state not in Payment.OPEN:
        raise NotPayable(payment.state)
    opening = payment.checkout_sessions.filter(state=CheckoutSession.State.OPENING).first()
    if opening is not None:
        return opening
    expires_at = timezone.now() + timedelta(minutes=settings.CHECKOUT_SESSION_MINUTES) + _MARGIN
    return CheckoutSession.objects.create(payment=payment, number=payment.checkout_sessions.count() + 1, expires_at=expires_at)


@transaction.atomic
def _give_up_opening(payment_id: UUID) -> None:
    Payment.objects.select_for_update(of=["self"]).get(pk=payment_id)
    for row in CheckoutSession.objects.filter(payment_id=payment_id, state=CheckoutSession.State.OPENING):
        row.expire()
        row.save(update_fields=["state", "updated_at"])


def _parameters(payment: Payment, row: CheckoutSession) -> dict[str, Any]:
    metadata = {"payment_id": str(payment.pk), "checkout": row.public_id}
    back = f"{settings.BASE_URL}/payments/{payment.public_id}/return"  # server-built: no address comes from a client
    return {
        "mode": "payment",
        "payment_method_types": ["card"],
        "customer_email": payment.email,
        "client_reference_id": payment.public_id,
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": payment.currency.lower(),
                    "unit_amount": payment.amount,
                    "product_data": {"name": payment.description},
                },
            }
        ],
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata, "description": payment.description, "transfer_group": payment.group},
        "expires_at": int(row.expires_at.timestamp()),
        "success_url": f"{back}?session={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{back}?cancelled=1",
    }


@transaction.atomic
def opened(*, session_id: UUID, answer: GatewaySession) -> None:
    row = CheckoutSession.objects.select_for_update().get(pk=session_id)
    if row.state == CheckoutSession.State.OPENING:
        row.open(stripe_session_id=answer.id, expires_at=answer.expires_at)
        row.save(update_fields=["state", "stripe_session_id", "expires_at", "updated_at"])


@transaction.atomic
def closed(*, session_id: UUID, answer: GatewaySession) -> None:
    """Mirror a session that ended at Stripe; repeatable."""
    row = CheckoutSession.objects.select_for_update().get(pk=session_id)
    if row.stripe_session_id is None:
        row.stripe_session_id = answer.id
    if answer.status == "complete" and row.state != CheckoutSession.State.COMPLETE:
        row.complete()
    elif answer.status == "expired" and row.state in (CheckoutSession.State.OPENING, CheckoutSession.State.OPEN):
        row.expire()
    row.save(update_fields=["state", "stripe_session_id", "updated_at"])


def refresh(*, session_id: UUID) -> None:
    """Read the session and its payment intent at Stripe and bring both of ours in line. Raises what the gateway raises."""
    row = CheckoutSession.objects.get(pk=session_id)
    if row.stripe_session_id is None:
        return
    answer = gateway().retrieve_checkout_session(row.stripe_session_id)
    closed(session_id=row.pk, answer=answer)
    if answer.payment_intent_id:
        intent = gateway().retrieve_intent(answer.payment_intent_id)
        payments.sync(payment_id=row.payment_id, intent=intent, at=timezone.now(), by=Actor.system("checkout.refresh"))


def request_end(*, payment_id: UUID, cancelled: bool) -> None:
    """Have the payment ended: in the caller's transaction, the work is queued. cancelled: a person wants it, else its time is over."""
    jobs.enqueue(end, payment_id=payment_id, cancelled=int(cancelled))


@jobs.task(queue="money", outside=True)
def end(*, payment_id: UUID, cancelled: int) -> None:
    """Expire the payment's session at Stripe, read whether it was paid all the same, and only then end it here. Repeatable."""
    for row in CheckoutSession.objects.filter(payment_id=payment_id, state__in=["opening", "open"]):
        _expire_at_stripe(row)
    _end_if_unpaid(payment_id=payment_id, cancelled=bool(cancelled), at=timezone.now())


def _expire_at_stripe(row: CheckoutSession) -> None:
    if row.stripe_session_id is None and not _found_again(row):
        return
    row = CheckoutSession.objects.get(pk=row.pk)
    session_id = row.stripe_session_id or ""
    command = commands.prepare(
        operation="checkout.expire",
        key=f"expire-{row.pk}",
        parameters={"session": session_id},
        subject=row,
        organization_id=None,
    )
    with suppress(GatewayRefused):  # it ended by itself, paid or expired: the look below says which
        commands.perform(command, lambda parameters, key: gateway().expire_checkout_session(session_id, key=key))
    refresh(session_id=row.pk)


def _found_again(row: CheckoutSession) -> bool:
    """Whether Stripe gave the session whose answer was lost, asked for under the same key so that no page stays open unseen."""
    command = _command(row)
    with suppress(GatewayRefused):
        if not commands.has_stored_error(command):  # behind one there may be a session, but nobody ever had its address
            _send(row, command)
            return True
    _give_up_opening(row.payment_id)
    return False


@transaction.atomic
def _end_if_unpaid(*, payment_id: UUID, cancelled: bool, at: datetime) -> None:
    payment = Payment.objects.select_for_update(of=["self"]).get(pk=payment_id)
    endable = (Payment.State.PENDING, Payment.State.REQUIRES_ACTION, Payment.State.FAILED)
    if payment.state not in endable or payment.checkout_sessions.filter(state__in=["opening", "open"]).exists():
        return  # paid meanwhile, or still being processed by the bank, which keeps the place
    by = Actor.system("checkout.end")
    (payments.cancel if cancelled else payments.expire)(payment=payment, at=at, by=by)
