"""What a replay of an event would change: its handler is run against the present state, and everything is taken back."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from django.db import OperationalError, transaction

from audit.actor import Actor
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.gateway.unreachable import StripeDoesNotAnswer
from billing.models import InboundEvent
from billing.webhooks import processing, row_changes
from billing.webhooks.readings import Readings, Unread
from billing.webhooks.replay import guarded
from billing.webhooks.row_changes import RowChange
from core.errors import DomainError, NotFound
from core.outside_calls import forbid_open_transaction
from organizations.permissions import Permission, require

_MOST_READINGS = 25  # a handler asks Stripe two or three questions; a refund with its siblings a few more


class Outcome(StrEnum):
    CHANGES = "changes"
    NOTHING = "nothing"
    IGNORED = "ignored"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class DryRun:
    """sentence: why nothing would happen, or the error; empty where rows change. changes: rows, tables in the models' order."""

    outcome: Outcome
    sentence: str = ""
    changes: list[RowChange] = field(default_factory=list)


class RowsInUse(DomainError):
    code, http_status = "ROWS_IN_USE", 409

    def __init__(self) -> None:
        super().__init__("Somebody is working on the same objects at this moment; try again in a moment.")


def dry_run(*, event_id: UUID, by: Actor) -> DryRun:
    """Nothing has changed on return, here or at Stripe; what is true at this moment is what the answer rests on.

    Called with no transaction open: Stripe is read between the tries, never inside one, and without patience, since somebody waits.
    Raises NotFound, PermissionRefused, BeingProcessed, EventParked, EventNotHandled, StripeDoesNotAnswer, RowsInUse.
    """
    forbid_open_transaction()
    event = InboundEvent.objects.visible_to(by).filter(pk=event_id).first()
    if event is None:
        raise NotFound("event")
    require(by, Permission.INBOX_REPLAY)
    guarded(event)
    readings = Readings()
    for _ in range(_MOST_READINGS):
        try:
            return _tried(event, readings)
        except Unread as missing:
            _read(missing, readings)
    raise RuntimeError(f"The handler of {event.type} asked Stripe more than {_MOST_READINGS} questions.")


def _read(missing: Unread, readings: Readings) -> None:
    try:
        readings.read(missing.question, gateway(patient=False))
    except (GatewayBusy, GatewayUnknown) as error:
        raise StripeDoesNotAnswer from error


def _tried(event: InboundEvent, readings: Readings) -> DryRun:
    """One try with what is known of Stripe so far. Raises Unread where the handler asks for more, with everything taken back."""
    ended: list[bool | Exception] = []

    def work() -> None:
        with transaction.atomic():
            ended.append(processing.attempt(event))
            transaction.set_rollback(isinstance(ended[-1], Exception))

    try:
        with gateway.instead(readings.gateway):
            written = row_changes.of(work, marker=event)
    except OperationalError as error:
        raise RowsInUse from error
    handled = ended[-1]
    if isinstance(handled, OperationalError):
        raise RowsInUse from handled
    if isinstance(handled, Exception):
        return DryRun(Outcome.FAILS, _error(handled))
    if not handled:
        return DryRun(Outcome.IGNORED, "It would be ignored: the object belongs to nothing here.")
    if written.violation:
        return DryRun(Outcome.FAILS, f"It would fail at the commit: {written.violation}", written.changes)
    if not written.changes:
        return DryRun(Outcome.NOTHING, "It would change nothing: everything is as Stripe says already.")
    return DryRun(Outcome.CHANGES, "", written.changes)


def _error(error: Exception) -> str:
    why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, GatewayRefused):
        return f"It would fail: Stripe says no. {why}"
    return f"It would fail: {type(error).__name__}: {why}"
