"""Idempotency-Key: the same request twice does its work once.

The key's row, its answer and everything the operation writes commit together. Whoever holds the advisory lock is at work; a crash frees it.
A refusal changes nothing and is not kept, so the same key may be tried again after it. Addresses of Checkout are not kept: each answer
opens one anew (billing.checkout.open gives an open session again).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Header
from pydantic import StringConstraints

from audit.actor import Actor
from core import jobs
from core.errors import DomainError
from public_api.error_codes import Code
from public_api.models import IdempotentRequest

KEPT = timedelta(hours=24)
Key = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$"), Header(alias="Idempotency-Key")]


class InFlight(DomainError):
    code, http_status = Code.IDEMPOTENCY_IN_FLIGHT, 409

    def __init__(self) -> None:
        super().__init__("The first request with this Idempotency-Key is still at work; repeat it in a moment.")


class KeyReused(DomainError):
    code, http_status = Code.IDEMPOTENCY_KEY_REUSED, 422

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another request; send a new key for a new request.")


@dataclass(frozen=True, slots=True)
class Answer:
    """body: what json.loads gives; replayed: nothing was done this time."""

    status: int
    body: dict[str, Any]
    replayed: bool

    def respond(self, status: int | None = None, **late: Any) -> HttpResponse:
        """late: values that are made anew for each answer, in place of what was kept."""
        content = json.dumps({**self.body, **late}, cls=DjangoJSONEncoder)
        headers = {"Cache-Control": "no-store"}
        response = HttpResponse(content, status=status or self.status, content_type="application/json", headers=headers)
        if self.replayed:
            response["Idempotency-Replayed"] = "true"
        return response


@transaction.atomic
def once(request: HttpRequest, *, by: Actor, route: str, key: str, perform: Callable[[], tuple[int, dict[str, Any]]]) -> Answer:
    """Do `perform` unless this key has done it. perform: returns status and body, raises what refuses.

    by: whose key it is; nobody's keys are told apart by address. Raises InFlight, KeyReused.
    """
    principal = by.label if by.user_id or by.guest_of else f"anonymous:{by.ip}"
    _lock(f"{principal}\n{route}\n{key}")
    digest = hashlib.sha256(b"\n".join([request.path.encode(), request.body])).hexdigest()
    earlier = IdempotentRequest.objects.filter(principal=principal, route=route, key=key, created_at__gt=timezone.now() - KEPT).first()
    if earlier is not None:
        if earlier.body_hash != digest:
            raise KeyReused
        return Answer(earlier.status, earlier.answer, replayed=True)
    status, body = perform()
    body = json.loads(json.dumps(body, cls=DjangoJSONEncoder))
    kept = IdempotentRequest(
        principal=principal, route=route, key=key, body_hash=digest, status=status, answer=body, created_at=timezone.now()
    )
    IdempotentRequest.objects.bulk_create(  # one statement; a row that is there is older than it may be replayed
        [kept],
        update_conflicts=True,
        unique_fields=["principal", "route", "key"],
        update_fields=["body_hash", "status", "answer", "created_at"],
    )
    return Answer(status, body, replayed=False)


def _lock(name: str) -> None:
    """Held until the transaction ends. Raises InFlight where another request with this key holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 7))", [name])
        if not cursor.fetchone()[0]:
            raise InFlight


@jobs.task()
def purge() -> None:
    """Forget keys after 24 hours."""
    IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
