"""The public event list while finance refunds thousands of payments in bulk, against the same requests while nothing else is done."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import User
from admin_ext import bulk_kinds
from admin_ext.console import bulk_runs
from admin_ext.models import BulkRun
from bench import data
from bench.bed import Bed, execute
from bench.client import arrive, request
from bench.measure import ROUNDS, Result, Round, clock, cpu_ms, median, queries_of
from bench.processes import until
from billing.models import Payment, Refund
from organizations.acting import actor_for
from sandbox.stripe.control import Control

EVENTS, PAYMENTS, REQUESTS = 10_000, 5_000, 600
RATE = 40.0  # a second, like many visitors at once; sent as fast as possible, they would wait for one another and not for the refunds
PATH = "/api/v1/events?limit=20"


def measure(bed: Bed) -> list[Result]:
    data.publish([data.event(f"busy-{number}", capacity=40, price=5000, days=10 + number / 50) for number in range(EVENTS)])
    queries = queries_of(lambda: Client(headers={"Host": "127.0.0.1"}).get(PATH))
    with bed.stripe(), bed.served() as (port, web):
        run = _ready()
        _slowest(bed, web, port)  # warm
        idle = [_slowest(bed, web, port) for _ in range(ROUNDS)]
        with _working(bed, run):
            before = _done(run)
            busy = [_slowest(bed, web, port) for _ in range(ROUNDS)]
            after = _done(run)
            if BulkRun.objects.get(pk=run.pk).state != BulkRun.State.RUNNING:
                raise AssertionError(f"all {PAYMENTS} were done before the last round ended")
    execute("DELETE FROM django_q_ormq")
    at_rest, at_work = (median([p95 for p95, _ in rounds]) for rounds in (idle, busy))
    return [
        Result(
            f"public event list, {RATE:.0f} requests a second, p95, while {PAYMENTS:,} payments are refunded in bulk "
            f"({after - before:,} rows meanwhile); limit: idle",
            f"{at_rest * 1000:,.0f} ms",
            f"{at_work * 1000:,.0f} ms",
            f"{at_work / at_rest:.1f} times",
            f"{cpu_ms([one for _, one in busy])} (limit {cpu_ms([one for _, one in idle])})",
            str(queries),
            "≤ 1.5 times",
        )
    ]


def _ready() -> BulkRun:
    """A bulk refund that waits for its confirmation; Stripe holds each of its payments."""
    keys = data.payments(PAYMENTS, prefix="busy")
    chosen = Payment.objects.filter(pk__in=keys, state=Payment.State.SUCCEEDED)
    chosen.update(purpose="registration", email="ada@mail.example")
    Control(settings.STRIPE_API_BASE).load([_at_stripe(payment) for payment in chosen])
    by = actor_for(User.objects.get(pk=data.HOST), second_factor_at=timezone.now(), as_staff=True)
    run = bulk_runs.freeze(kind=bulk_kinds.REFUND_PAYMENTS.name, rows=chosen.order_by("pk"), as_staff=True, by=by)
    bulk_runs.describe(run_id=run.pk, values={"how_much": "rest", "reason": "event_cancelled"}, by=by)
    execute("DELETE FROM django_q_ormq")
    bulk_runs.plan(run_id=run.pk)
    bulk_runs.confirm(run_id=run.pk, by=by)
    return run


def _at_stripe(payment: Payment) -> dict[str, object]:
    return {
        "type": "payment",
        "suffix": (payment.stripe_payment_intent_id or "").removeprefix("pi_"),
        "amount": payment.amount,
        "currency": payment.currency.lower(),
        "created": int(payment.paid_at.timestamp()) if payment.paid_at else 0,
        "metadata": {"payment_id": str(payment.pk)},
        "events": False,
    }


@contextmanager
def _working(bed: Bed, run: BulkRun) -> Iterator[None]:
    """One worker asks for the refunds, row by row, another makes them at Stripe; inside, both have begun."""
    with bed.worker("bulk"), bed.worker("money"):
        until(lambda: _done(run) > 1 and _refunded(run))
        yield


def _done(run: BulkRun) -> int:
    return run.items.filter(state="done").count()


def _refunded(run: BulkRun) -> bool:
    return Refund.objects.filter(payment__in=run.items.values("object_id"), state=Refund.State.SUCCEEDED).exists()


def _slowest(bed: Bed, web: int, port: int) -> tuple[float, Round]:
    """Seconds that 95 in 100 requests took at most, and what the round cost."""
    with clock(bed, web) as took:
        answers = arrive(port, request("GET", PATH), count=REQUESTS, rate=RATE)
    wrong = [answer.status for _, answer in answers if answer.status != 200]
    if wrong:
        raise AssertionError(f"{len(wrong)} answers other than 200: {wrong[:3]}")
    times = sorted(seconds for seconds, _ in answers)
    return times[int(len(times) * 0.95)], Round(REQUESTS, took.seconds, took.cpu)
