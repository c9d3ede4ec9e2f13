"""Stripe's events: taken in, taken in again, and applied to payments, with and without the look at Stripe."""

import hmac
import json
import os
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

import psycopg
from django.conf import settings
from django.db import connection
from django.test import Client

from bench import selling
from bench.bed import SECRET, Bed, execute
from bench.client import blast, request
from bench.measure import Result, Round, by_turns, clock, queries_of, rate_result
from bench.processes import until
from billing.gateway.base import BalanceTransaction, GatewayIntent
from billing.models import InboundEvent, Payment
from billing.webhooks import handlers, processing, receiving

EVENTS, APPLIED, CONNECTIONS = 1_000, 150, 8


def body_of(event_id: str, payment: Payment | None = None) -> bytes:
    found = {"id": f"pi_{selling.suffix(payment.pk)}" if payment else f"pi_{event_id}", "object": "payment_intent", "metadata": {}}
    event = {
        "id": event_id,
        "object": "event",
        "type": "payment_intent.succeeded" if payment else "price.created",
        "api_version": settings.STRIPE_API_VERSION,
        "created": int(time.time()),
        "data": {"object": found},
        "padding": "x" * 2500,  # Stripe's are about this long
    }
    return json.dumps(event).encode()


def signed(body: bytes) -> dict[str, str]:
    at = int(time.time())
    digest = hmac.new(SECRET.encode(), f"{at}.".encode() + body, sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={digest}", "Content-Type": "application/json"}


def _delivery(body: bytes) -> bytes:
    return request("POST", "/webhooks/stripe", body=body, headers=signed(body))


def measure(bed: Bed) -> list[Result]:
    found = _taken_in(bed)
    execute("DELETE FROM django_q_ormq")
    with bed.stripe():
        found += _applied(bed)
    return found


def _insert_many(bodies: Sequence[tuple[str, str]]) -> None:
    """The limit: one INSERT and commit for each event, over as many connections."""
    details = connection.get_connection_params()
    given = {name: details[name] for name in ("dbname", "user", "host", "port", "password") if details.get(name)}

    def work(share: Sequence[tuple[str, str]]) -> None:
        with psycopg.connect(**given, autocommit=True) as found:
            for row in share:
                found.execute("INSERT INTO bench_inbox (id, body) VALUES (%s, %s)", row)

    threads = [threading.Thread(target=work, args=(bodies[number::CONNECTIONS],)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _taken_in(bed: Bed) -> list[Result]:
    with bed.served() as (port, web):

        def limit(number: int) -> Round:
            rows = [(f"evt_l{number}_{index}", body_of(f"evt_l{number}_{index}").decode()) for index in range(EVENTS)]
            with clock(bed) as took:
                _insert_many(rows)
            return Round(EVENTS, took.seconds, took.cpu)

        def deliver(ids: list[str]) -> Round:
            requests = [_delivery(body_of(event_id)) for event_id in ids]
            with clock(bed, web) as took:
                _, answers = blast(port, requests, connections=CONNECTIONS)
            if any(answer.status != 200 for answer in answers):
                raise AssertionError({answer.status for answer in answers})
            return Round(len(ids), took.seconds, took.cpu)

        deliver([f"evt_warm_{index}" for index in range(50)])
        bare, accepted = by_turns(limit, lambda number: deliver([f"evt_p{number}_{index}" for index in range(EVENTS)]))
        _, again = by_turns(lambda number: bare[number], lambda number: deliver([f"evt_p{number}_{index}" for index in range(EVENTS)]))
    bodies = [body_of("evt_query"), body_of("evt_query")]
    counts = [queries_of(lambda body=body: _post(body)) for body in bodies]
    work = "webhook {}, verified and stored over HTTP; limit: a bare INSERT"
    return [
        rate_result(work.format("accepted"), limit=bare, product=accepted, queries=counts[0], reach="≥ 800/s"),
        rate_result(work.format("repeated"), limit=bare, product=again, queries=counts[1], reach="≥ 1,000/s"),
    ]


def _post(body: bytes) -> None:
    Client(headers={"Host": "127.0.0.1"}).generic("POST", "/webhooks/stripe", body, "application/json", headers=signed(body))


class _Told:
    """A gateway that knows the answer without asking: what is left is our own work."""

    def retrieve_intent(self, intent_id: str) -> GatewayIntent:
        payment = Payment.objects.get(pk=intent_id.removeprefix("pi_"))
        movement = BalanceTransaction(f"txn_{intent_id}", payment.amount, 320, payment.currency)
        metadata = {"payment_id": str(payment.pk)}
        return GatewayIntent(
            intent_id, "succeeded", payment.amount, payment.currency, metadata, f"ch_{intent_id}", movement, "", datetime.now(UTC)
        )


def _applied(bed: Bed) -> list[Result]:
    return [_with_the_look(bed), _without(bed)]


def store(payments: Sequence[Payment]) -> list[InboundEvent]:
    bodies = [body_of(f"evt_{selling.suffix(payment.pk)}", payment).decode() for payment in payments]
    return [event for body in bodies if (event := receiving.store(endpoint="platform", body=body))]


def _with_the_look(bed: Bed) -> Result:
    """One worker process; every event asks Stripe (the stand-in, over HTTP) before anything is written."""
    rounds = []
    with bed.worker("money") as worker:
        for number in range(3):
            payments = selling.unpaid(APPLIED, name=f"applied-{number}")
            selling.pay_at_stripe(payments)
            keys = [payment.pk for payment in payments]
            with clock(bed, worker) as took:
                store(payments)
                until(lambda keys=keys: Payment.objects.filter(pk__in=keys, state="succeeded").count() == APPLIED)
            rounds.append(Round(APPLIED, took.seconds, took.cpu))
    return _applied_result("webhook applied end to end (payment booked, place confirmed), with the look at Stripe", rounds, "–", "reported")


def _without(bed: Bed) -> Result:
    """The same work in one process with Stripe's answers at hand."""
    rounds, queries = [], 0
    handlers.gateway = _Told  # type: ignore[assignment]  # for this row alone
    for number in range(3):
        events = store(selling.unpaid(APPLIED, name=f"told-{number}"))
        with clock(bed, os.getpid()) as took:
            for event in events[1:]:
                processing.process(str(event.pk))
        rounds.append(Round(APPLIED - 1, took.seconds, took.cpu))
        queries = queries_of(lambda event=events[0]: processing.process(str(event.pk)))
    execute("DELETE FROM django_q_ormq")
    return _applied_result("webhook applied, Stripe's answer at hand, one process", rounds, str(queries), "≥ 370/s")


def _applied_result(work: str, rounds: list[Round], queries: str, reach: str) -> Result:
    middle = sorted(rounds, key=lambda one: one.per_second)[1]
    return Result(work, "–", f"{middle.per_second:,.0f}/s", "–", f"{middle.cpu_ms:.2f}", queries, reach)
