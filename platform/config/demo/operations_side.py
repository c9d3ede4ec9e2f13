"""What the operations screens show: jobs, mail and inbound events, most of them done, some of them not."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from billing import emails, refund_submission
from billing.models import InboundEvent, Payment
from config.demo.copying import copy_rows
from config.demo.exceptions import PARKED_FOR, Exceptions
from config.demo.ids import key
from config.demo.moving import move
from config.demo.sales import Sale
from core import jobs
from core.models import Job
from core.money import Money
from notifications import delivery
from notifications.models import Message

_SHOWN = 120  # of the latest payments: whose mail, event and job are in the lists
_REFUSED = "550 5.1.1 The mailbox does not exist."
_DIED = "Traceback (most recent call last):\n  …\ndjango.template.exceptions.TemplateDoesNotExist: emails/payment_receipt.html\n"
_LOST = "Traceback (most recent call last):\n  …\nbilling.gateway.base.GatewayUnknown: Stripe did not answer within 15 seconds.\n"


def write(sales: Sequence[Sale], exceptions: Exceptions, *, anchor: datetime) -> None:
    paid = [sale for sale in sales if sale.payment and sale.payment.paid_at][-_SHOWN:]
    _write_jobs(paid, exceptions, anchor)
    _write_messages(paid)
    _write_events(paid, exceptions)


def _write_jobs(paid: Sequence[Sale], exceptions: Exceptions, anchor: datetime) -> None:
    receipt, submit = jobs.name_of(emails.send_receipt), jobs.name_of(refund_submission.submit)
    done = [_job(receipt, "default", {"payment_id": str(sale.paid.pk)}, sale.at) for sale in paid]
    dead = [
        _job(receipt, "default", {"payment_id": str(sale.paid.pk)}, sale.at, name="dead", attempts=8, error=_DIED)
        for sale in exceptions.unreceipted
    ]
    waiting = [
        _job(submit, "money", {"refund_id": str(planned.refund.pk)}, planned.refund.created_at, run_after=anchor + PARKED_FOR)
        for planned in exceptions.parked
    ]
    copy_rows([*done, *dead, *waiting])
    move(Job, ((job.pk, "done") for job in done), {"done": ("running", "done")}, attempts=1)
    move(Job, ((job.pk, "dead") for job in dead))


def _job(function: str, queue: str, ids: dict[str, str], at: datetime, *, name: str = "done", **values: Any) -> Job:
    ended = {} if "run_after" in values else {"run_after": at, "finished_at": at + timedelta(seconds=1)}
    return Job(
        id=key(at, "job", name, function, *ids.values()),
        name=function,
        queue=queue,
        ids=ids,
        created_at=at,
        updated_at=at,
        **ended,
        **values,
    )


def _write_messages(paid: Sequence[Sale]) -> None:
    messages = [_receipt(sale) for sale in paid]
    refused = messages[::40]
    for message in refused:
        message.attempts, message.error, message.sent_at = delivery.MAX_ATTEMPTS, _REFUSED, None
    copy_rows(messages)
    failed = {message.pk for message in refused}
    move(Message, ((message.pk, "failed" if message.pk in failed else "sent") for message in messages))


def _receipt(sale: Sale) -> Message:
    payment = sale.paid
    lines = [
        {"description": line.description, "amount": str(Money(line.amount, payment.currency))}
        for line in sale.lines
        if line.payer == "attendee"
    ]
    context = {
        "name": payment.name,
        "description": payment.description,
        "amount": str(payment.due),
        "organization": payment.organization.name,
        "reference": payment.public_id,
        "lines": lines,
    }
    at = payment.paid_at or sale.at
    return Message(
        id=key(at, "message", sale.suffix),
        kind="payment_receipt",
        to=payment.email,
        user_id=payment.user_id,
        organization_id=payment.organization_id,
        related_type="billing.payment",
        related_id=payment.pk,
        dedupe_key=f"receipt:{payment.pk}:demo",
        attempts=1,
        sent_at=at + timedelta(seconds=3),
        created_at=at,
        updated_at=at,
        **delivery.rendered("payment_receipt", context),
    )


def _write_events(paid: Sequence[Sale], exceptions: Exceptions) -> None:
    worked = [_event(sale, "payment_intent.succeeded", {"id": f"pi_{sale.suffix}", "object": "payment_intent"}) for sale in paid]
    unknown = [_event(sale, "payout.paid", {"id": f"po_{sale.suffix}", "object": "payout"}) for sale in paid[:2]]
    dead = [
        _event(sale, "refund.created", {"id": f"re_{sale.suffix}r1", "object": "refund"}, attempts=settings.INBOX_MAX_ATTEMPTS, error=_LOST)
        for sale in exceptions.made_at_stripe
    ]
    copy_rows([*worked, *unknown, *dead])
    for events, state in ((worked, "processed"), (unknown, "ignored"), (dead, "dead")):
        _move_events(events, state)


def _move_events(events: Iterable[InboundEvent], state: str) -> None:
    move(InboundEvent, ((event.pk, state) for event in events), {state: ("processing", state)})


def _event(sale: Sale, kind: str, found: dict[str, str], *, attempts: int = 1, error: str = "") -> InboundEvent:
    payment: Payment = sale.paid
    at = (payment.paid_at or sale.at) + timedelta(hours=2 if error else 0)
    event_id = f"evt_{sale.suffix}_{kind.replace('.', '_')}"
    body = {
        "id": event_id,
        "object": "event",
        "type": kind,
        "api_version": settings.STRIPE_API_VERSION,
        "created": int(at.timestamp()),
        "livemode": False,
        "data": {"object": found},
    }
    return InboundEvent(
        id=key(at, "event", event_id),
        endpoint=InboundEvent.Endpoint.PLATFORM,
        event_id=event_id,
        type=kind,
        api_version=settings.STRIPE_API_VERSION,
        object_id=found["id"],
        body=json.dumps(body),
        happened_at=at,
        received_at=at + timedelta(seconds=1),
        attempts=attempts,
        run_after=at,
        processed_at=None if error else at + timedelta(seconds=2),
        error=error,
        created_at=at,
        updated_at=at,
    )
