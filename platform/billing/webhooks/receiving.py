"""Taking an event in: verify the signature over the raw body, store it once, say yes. The work comes later, from the store."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from billing.gateway.signatures import BadSignature, verify
from billing.models import InboundEvent
from billing.webhooks import processing

__all__ = ["BadSignature", "MalformedEvent", "receive", "store"]


_TABLE, _COLUMNS = InboundEvent._meta.db_table, [str(field.column) for field in InboundEvent._meta.concrete_fields]
_INSERT = f"""
    INSERT INTO {_TABLE} AS known ({", ".join(_COLUMNS)}) VALUES ({", ".join(["%s"] * len(_COLUMNS))})
    ON CONFLICT (provider, event_id) DO UPDATE SET repeats = known.repeats + 1 RETURNING xmax = 0
"""  # xmax is 0 in a row that no other version preceded


class MalformedEvent(ValueError):
    """Signed, but not an event."""


def receive(*, endpoint: str, body: bytes, signature: str) -> InboundEvent | None:
    """Store a delivered event and queue its processing; None where it is a repetition, which is counted.

    endpoint: "platform" or "connect", each with its own secrets. Raises BadSignature (nothing is stored) and MalformedEvent.
    """
    secrets = settings.STRIPE_WEBHOOK_SECRETS if endpoint == InboundEvent.Endpoint.PLATFORM else settings.STRIPE_CONNECT_WEBHOOK_SECRETS
    verify(body=body, header=signature, secrets=secrets, now=time.time())
    return store(endpoint=endpoint, body=body.decode(errors="replace"))


@transaction.atomic
def store(*, endpoint: str, body: str) -> InboundEvent | None:
    """The event's row and its queue message in one commit. Raises MalformedEvent."""
    found = _parsed(body)
    event = InboundEvent(
        endpoint=endpoint,
        event_id=found["id"],
        type=found["type"],
        api_version=found.get("api_version") or "",
        account=found.get("account") or "",
        object_id=str(found["data"]["object"].get("id") or ""),
        body=body,
        happened_at=datetime.fromtimestamp(found["created"], UTC),
    )
    if not _inserted(event):
        return None
    processing.send(event)
    return event


def _inserted(event: InboundEvent) -> bool:
    """Whether the event is new; a repetition is counted. One statement: the unique id decides, whoever delivers it at the same moment."""
    fields = InboundEvent._meta.concrete_fields
    values = [field.get_db_prep_save(field.pre_save(event, add=True), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        is_new: bool = cursor.fetchone()[0]
    return is_new


def _parsed(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
        if isinstance(found["id"], str) and isinstance(found["type"], str) and isinstance(found["data"]["object"], dict):
            datetime.fromtimestamp(found["created"], UTC)
            return dict(found)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise MalformedEvent("The body is not a Stripe event.") from error
    raise MalformedEvent("The body is not a Stripe event.")
