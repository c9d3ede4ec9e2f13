"""Working on stored events: claim, handle, and say how it ended. Repeatable; an event that fails comes back, and dies after N attempts."""

import json
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing.gateway.base import GatewayBusy, GatewayUnknown
from billing.models import InboundEvent
from billing.webhooks import connect_handlers, handlers
from billing.webhooks.words import NotOurs, told_by
from core import jobs

_LEASE = timedelta(seconds=90)
_DUE = (InboundEvent.State.RECEIVED, InboundEvent.State.FAILED, InboundEvent.State.PROCESSING)
_OUTCOME = ["state", "processed_at", "error", "run_after", "updated_at"]


def send(event: InboundEvent) -> None:
    """A queue message for the event, in the caller's transaction. The event's own row counts attempts, so it needs no Job."""
    jobs.nudge("billing.webhooks.processing.process", str(event.pk), queue="money", when=event.run_after)


def process(event_id: str) -> str:
    """What a worker calls for a message. Returns the state in which the event was left, or "nothing to do"."""
    events = claim(event_id=UUID(event_id))
    if not events:
        return "nothing to do"
    first = events[0]
    with structlog.contextvars.bound_contextvars(event=first.event_id, event_type=first.type):
        handled = attempt(first)
        if isinstance(handled, Exception):
            _log(handled, first)
            for event in events:
                fail(event_id=event.pk, error="".join(traceback.format_exception(handled))[-4000:])
            return "failed"
    finish(event_ids=[event.pk for event in events], handled=handled)
    return "processed" if handled else "ignored"


def attempt(event: InboundEvent) -> bool | Exception:
    """What `handle` says, or what it raised."""
    try:
        return handle(event)
    except Exception as error:  # the worker's loop must outlive any event
        return error


def handle(event: InboundEvent) -> bool:
    """Run the event's handler; False where there is none for its type, or the object is not ours. Raises what the handler raises."""
    if is_parked(event):
        raise WrongVersion(event.api_version)
    handler = _registered(event)
    if handler is None:
        return False
    token = told_by.set(event.event_id)
    try:
        handler(_object(event), **({"account": event.account} if event.account else {}))
    except NotOurs:
        return False
    finally:
        told_by.reset(token)
    return True


def is_parked(event: InboundEvent) -> bool:
    """Whether it speaks another version of Stripe's API than this release."""
    return event.api_version != settings.STRIPE_API_VERSION


def is_handled(event: InboundEvent) -> bool:
    """Whether this release does anything with events of its type."""
    return _registered(event) is not None


def _registered(event: InboundEvent) -> Callable[..., None] | None:
    return connect_handlers.HANDLERS.get(event.type) if event.account else handlers.HANDLERS.get(event.type)


class WrongVersion(ValueError):
    """An event in another version of Stripe's API: parked until somebody decides."""

    def __init__(self, version: str) -> None:
        super().__init__(f"Parked: the event speaks {version or 'no version'}, this release speaks {settings.STRIPE_API_VERSION}.")


def _object(event: InboundEvent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.body)["data"]["object"]
    return found


def _log(error: Exception, event: InboundEvent) -> None:
    log = structlog.get_logger()
    if isinstance(error, (GatewayBusy, GatewayUnknown)):
        log.info("inbound_event.delayed", error=str(error), attempt=event.attempts)
    else:
        log.exception("inbound_event.failed", attempt=event.attempts)


@transaction.atomic
def claim(*, event_id: UUID) -> list[InboundEvent]:
    """Lease the event, and with it the waiting events of the same kind about the same object: one reading serves them all.

    Empty where it is done or in another worker's hands.
    """
    now = timezone.now()
    due = InboundEvent.objects.select_for_update(skip_locked=True).filter(state__in=_DUE, run_after__lte=now)
    event = due.filter(pk=event_id).first()
    if event is None:
        return []
    handler = _registered(event)
    siblings = (
        due.filter(object_id=event.object_id, account=event.account, state=InboundEvent.State.RECEIVED).exclude(pk=event.pk)
        if handler
        else []
    )
    events = [
        event,
        *(sibling for sibling in siblings if _registered(sibling) is handler and sibling.api_version == event.api_version),
    ]
    for each in events:
        each.start(lease_until=now + _LEASE)
        each.save(update_fields=["state", "attempts", "run_after", "updated_at"])
    return events


@transaction.atomic
def finish(*, event_ids: list[UUID], handled: bool) -> None:
    now = timezone.now()
    for event in InboundEvent.objects.select_for_update().filter(pk__in=event_ids, state=InboundEvent.State.PROCESSING).order_by("pk"):
        if handled:
            event.finish(at=now)
        else:
            event.ignore(at=now)
        event.save(update_fields=_OUTCOME)


@transaction.atomic
def fail(*, event_id: UUID, error: str) -> None:
    """Wait and come back, or die: after the last attempt, or at once where the event speaks another version."""
    event = InboundEvent.objects.select_for_update().get(pk=event_id)
    if event.state != InboundEvent.State.PROCESSING:
        return
    if event.attempts >= settings.INBOX_MAX_ATTEMPTS or is_parked(event):
        event.bury(error=error)
        event.save(update_fields=_OUTCOME)
        return
    event.fail(retry_at=timezone.now() + jobs.backoff(event.attempts), error=error)
    event.save(update_fields=_OUTCOME)
    send(event)
