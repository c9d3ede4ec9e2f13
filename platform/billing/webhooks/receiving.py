"""Taking an event in: verify the signature over the raw body, store it once, say yes. The work comes later, from the store."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from billing.gateway.signatures import BadSignature, verify
from billing.models import InboundEvent
from billing.webhooks import processing

__all__ = ["BadSignature", "MalformedEvent", "receive", "store"]


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
    InboundEvent.objects.bulk_create([event], ignore_conflicts=True)  # the unique id decides, whoever delivers it at the same moment
    if not InboundEvent.objects.filter(pk=event.pk).exists():
        InboundEvent.objects.filter(provider=event.provider, event_id=event.event_id).update(repeats=F("repeats") + 1)
        return None
    processing.send(event)
    return event


def _parsed(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
        if isinstance(found["id"], str) and isinstance(found["type"], str) and isinstance(found["data"]["object"], dict):
            datetime.fromtimestamp(found["created"], UTC)
            return dict(found)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise MalformedEvent("The body is not a Stripe event.") from error
    raise MalformedEvent("The body is not a Stripe event.")
