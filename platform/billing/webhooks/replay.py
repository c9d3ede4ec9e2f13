"""Working on a stored event again, by a person's decision, and finding the events that never arrived."""

from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import InboundEvent, PayoutRequest
from billing.webhooks import processing, receiving
from core import jobs
from core.errors import DomainError, NotFound
from organizations.permissions import Permission, require

_LOOK_BACK = timedelta(hours=6)


class BeingProcessed(DomainError):
    code, http_status = "EVENT_BEING_PROCESSED", 409

    def __init__(self) -> None:
        super().__init__("This event is waiting or being worked on already.")


class EventParked(DomainError):
    code, http_status = "EVENT_PARKED", 409

    def __init__(self, event: InboundEvent) -> None:
        spoken = f"version {event.api_version}" if event.api_version else "no version"
        super().__init__(
            f"This event is parked: it speaks {spoken} of Stripe's API and this release speaks {settings.STRIPE_API_VERSION}; "
            "replay it once a release speaks its version."
        )


class EventNotHandled(DomainError):
    code, http_status = "EVENT_NOT_HANDLED", 409

    def __init__(self, event: InboundEvent) -> None:
        super().__init__(f"This release does nothing with events of the type {event.type}, so a replay would change nothing.")


def guarded(event: InboundEvent) -> None:
    """Raises BeingProcessed, EventParked or EventNotHandled where a replay could lead to nothing."""
    if event.state in (InboundEvent.State.RECEIVED, InboundEvent.State.PROCESSING):
        raise BeingProcessed
    if processing.is_parked(event):
        raise EventParked(event)
    if not processing.is_handled(event):
        raise EventNotHandled(event)


@transaction.atomic
def replay(*, event_id: UUID, by: Actor) -> InboundEvent:
    """Queue the event again; its handler reads Stripe anew, so a replay of what is done changes nothing.

    Raises NotFound, PermissionRefused, BeingProcessed, EventParked, EventNotHandled.
    """
    event = InboundEvent.objects.visible_to(by).select_for_update().filter(pk=event_id).first()
    if event is None:
        raise NotFound("event")
    require(by, Permission.INBOX_REPLAY)
    guarded(event)
    before = event.state
    event.replay(at=timezone.now())
    event.save(update_fields=["state", "attempts", "run_after", "error", "processed_at", "updated_at"])
    record(event, "inbound_event.replayed", by=by, before={"state": before}, after={"state": event.state})
    processing.send(event)
    return event


@jobs.task(queue="money")
def sweep_stuck() -> None:
    """Send the message again of events that are due and lost theirs, or whose worker died."""
    late = timezone.now() - timedelta(seconds=60)
    due = ["received", "failed", "processing"]
    for event in InboundEvent.objects.filter(state__in=due, run_after__lt=late).order_by("run_after")[:500]:
        event.run_after = timezone.now()
        processing.send(event)


@jobs.task(queue="money", outside=True)
def sweep_missed() -> None:
    """Store the events of the last hours that Stripe lists and that never arrived, the platform's and those of accounts that are being
    paid out or were lately. Repeatable."""
    _fetch_missed("", InboundEvent.Endpoint.PLATFORM)
    for account in _accounts_paid_out():
        try:
            _fetch_missed(account, InboundEvent.Endpoint.CONNECT)
        except GatewayRefused as error:  # an account that has left us keeps nobody else waiting
            structlog.get_logger().warning("sweep.refused", about=account, error=str(error))


def _accounts_paid_out() -> list[str]:
    lately = timezone.now() - PayoutRequest.MAY_COME_BACK_FOR
    moving = (
        Q(state__in=[PayoutRequest.State.TRANSFERRING, PayoutRequest.State.IN_TRANSIT]) | Q(paid_at__gt=lately) | Q(ended_at__gt=lately)
    )
    found = PayoutRequest.objects.filter(moving).exclude(stripe_account_id="")
    return list(found.order_by("stripe_account_id").values_list("stripe_account_id", flat=True).distinct())


def _fetch_missed(account: str, endpoint: str) -> None:
    try:
        for event in gateway().events_since(timezone.now() - _LOOK_BACK, account=account):
            if not InboundEvent.objects.filter(provider="stripe", event_id=event.id).exists():
                receiving.store(endpoint=endpoint, body=event.body)
    except (GatewayBusy, GatewayUnknown) as error:
        raise jobs.RetryLater(str(error)) from error
