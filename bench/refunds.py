"""Refunds, from the request to Stripe's word booked here: one worker process and the Stripe stand-in over HTTP."""

import os
from uuid import UUID

from audit.actor import Actor
from bench import selling, webhooks
from bench.bed import Bed, execute
from bench.measure import Result, Round, clock, median, queries_of
from bench.processes import until
from billing import refund_submission, refunds
from billing.models import Refund
from billing.webhooks import processing

REFUNDS = 60
_BY = Actor.system("bench")


def measure(bed: Bed) -> list[Result]:
    rounds, queries = [], 0
    with bed.stripe():
        for number in range(3):
            keys = _paid(f"refunds-{number}")
            with bed.worker("money") as worker:
                _request(keys[0])
                until(lambda: not Refund.objects.exclude(state="succeeded").exists())  # warm
                with clock(bed, worker, os.getpid()) as took:
                    for key in keys[1:-1]:
                        _request(key)
                    until(lambda: not Refund.objects.exclude(state="succeeded").exists())
            rounds.append(Round(REFUNDS - 2, took.seconds, took.cpu))
            made: list[Refund] = []
            queries = queries_of(lambda made=made, key=keys[-1]: made.append(_request(key)))
            queries += queries_of(lambda made=made: refund_submission.submit(refund_id=made[0].pk))
            execute("DELETE FROM django_q_ormq")
    rate = median([one.per_second for one in rounds])
    cpu = median([one.cpu_ms for one in rounds])
    work = "refund, request to settled, one worker, Stripe stand-in over HTTP"
    return [Result(work, "–", f"{rate:,.0f}/s", "–", f"{cpu:.1f}", str(queries), "reported")]


def _paid(name: str) -> list[UUID]:
    """Payments that are booked here and at Stripe."""
    payments = selling.unpaid(REFUNDS, name=name)
    selling.pay_at_stripe(payments)
    for event in webhooks.store(payments):
        processing.process(str(event.pk))
    execute("DELETE FROM django_q_ormq")
    return [payment.pk for payment in payments]


def _request(payment_id: UUID) -> Refund:
    return refunds.request(payment_id=payment_id, amount=5000, reason="other", by=_BY, source="automatic")
